//! Noise for the random generator, and the generators of the CPUs. See the root of `random`.
//!
//! **Locks.** The pool, the base and each CPU's generator are leaves, taken one inside the other in that order reversed: a generator, then the
//! base; the pool alone. None is taken in an interrupt: that only notes its time in [`JITTER`].
use crate::devices;
use alloc::vec::Vec;
use arch::cpu_set::MAX_CPUS;
use arch::features::{self, Feature};
use arch::instructions::read_tsc;
use core::sync::atomic::{AtomicU64, Ordering};
use random::{Base, ENOUGH, Generator, Jitter, KEY, Pool};
use sync::{Once, Preempt, Rank, Sleep, SpinLock, WaitQueue};
use task::kernel_threads::{self, Role};

/// How often the processor's generator is asked again when it is exhausted (Intel's guide: ten times).
const RETRIES: u32 = 10;
/// How old keys become, in nanoseconds (CRNG_RESEED_INTERVAL).
const LIFE: u64 = 60_000_000_000;
/// Bytes that are asked of the host's device at a time.
const DEVICE: usize = 64;
/// How long start-up waits for the device, in nanoseconds.
const PATIENCE: u64 = 1_000_000_000;

static POOL: Once<SpinLock<Pool, Preempt>> = Once::new();
static BASE: SpinLock<Base, Preempt> = SpinLock::new(Rank::Leaf, Base::new());
static GENERATORS: Once<Vec<SpinLock<Generator, Preempt>>> = Once::new();
static JITTER: [Jitter; MAX_CPUS] = [const { Jitter::new() }; MAX_CPUS];
/// When the base's key is to be made anew.
static RENEWAL: AtomicU64 = AtomicU64::new(0);
static READY: WaitQueue = WaitQueue::new();

/// An interrupt has come. Hard-interrupt context.
#[inline]
pub fn note_interrupt(vector: u8) {
    if let Some(jitter) = JITTER.get(arch::cpu::id()) {
        jitter.note(read_tsc(), u64::from(vector));
    }
}

/// Up to four words from the processor's own generator.
fn from_cpu() -> Option<[u8; KEY]> {
    if !features::has(Feature::Random) {
        return None;
    }
    let mut bytes = [0; KEY];
    for chunk in bytes.chunks_mut(8) {
        let word = (0..RETRIES).find_map(|_| arch::instructions::read_random())?;
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    Some(bytes)
}

/// Makes the pool and the generators. Process context.
///
/// # Errors
/// Without memory.
pub fn start() -> Result<(), abi::Errno> {
    let mut generators = Vec::new();
    let count = scheduler::cpu_count();
    generators.try_reserve_exact(count).map_err(|_| abi::Errno::ENOMEM)?;
    generators.extend((0..count).map(|_| SpinLock::new(Rank::Leaf, Generator::new())));
    let _ = POOL.set(SpinLock::new(Rank::Leaf, Pool::new()));
    let _ = GENERATORS.set(generators);
    renew();
    task::random::set_source(task::random::Source { fill, is_ready, wait, mix });
    Ok(())
}

/// Mixes noise into the pool, of which `bits` count.
fn mix(noise: &[u8], bits: u32) {
    if let Some(pool) = POOL.get() {
        pool.lock().mix(noise, bits);
    }
}

fn is_ready() -> bool {
    BASE.lock().is_ready()
}

/// Makes the base's key anew: of the pool, once that is worth a key; of what there is, the first time.
fn renew() {
    let Some(pool) = POOL.get() else { return };
    let now = read_tsc().to_le_bytes();
    let salt = from_cpu();
    let first = BASE.lock().generation() == 0;
    let mut pool = pool.lock();
    for jitter in JITTER.iter().take(scheduler::cpu_count()) {
        let (noise, events) = jitter.take();
        pool.mix(&noise, events);
    }
    if let Some(salt) = &salt {
        pool.mix(salt, ENOUGH);
    }
    let enough = pool.bits() >= ENOUGH;
    let key = if enough {
        Some(pool.extract(&now))
    } else if first {
        // Not at the pool's cost: what is in there must not be told bit by bit.
        let mut poor = Pool::new();
        poor.mix(&now, 0);
        Some(poor.extract(&now))
    } else {
        None
    };
    drop(pool);
    let Some(key) = key else { return };
    let mut base = BASE.lock();
    let was_ready = base.is_ready();
    base.renew(key, enough);
    let becomes_ready = base.is_ready() && !was_ready;
    drop(base);
    if becomes_ready {
        klog::info!("random: crng init done");
        READY.wake_all();
    }
}

/// Has the key made anew where it is old, or not good yet; by one caller at a time.
fn renew_when_due() {
    let (now, due) = (sync::now(), RENEWAL.load(Ordering::Relaxed));
    let life = if is_ready() { LIFE } else { 0 };
    let mine = now >= due
        && RENEWAL.compare_exchange(due, now.saturating_add(life), Ordering::Relaxed, Ordering::Relaxed).is_ok();
    if mine {
        renew();
    }
}

/// Fills `bytes`, as good as they can be had now. Any context in which a spinlock may be taken, but interrupts.
fn fill(bytes: &mut [u8]) {
    renew_when_due();
    let Some(generators) = GENERATORS.get() else { return bytes.fill(0) };
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some(generator) = generators.get(arch::cpu::id()) else { return rest.fill(0) };
        let mut generator = generator.lock();
        let generation = BASE.lock_inside().generation();
        if generator.is_stale(generation) {
            generator.renew(&mut BASE.lock_inside());
        }
        let count = generator.fill(rest);
        drop(generator);
        rest = rest.split_at_mut(count).1;
    }
}

/// Sleeps until keys are good; false where a signal came first. Its own sleeps make interrupts, which are noise.
fn wait() -> bool {
    let ready = || {
        renew_when_due();
        is_ready().then_some(())
    };
    loop {
        let soon = sync::now().saturating_add(1_000_000);
        match READY.wait(Sleep::Interruptible, Some(soon), ready) {
            Ok(()) => return true,
            Err(sync::WaitError::Interrupted) => return false,
            Err(sync::WaitError::TimedOut) => {}
        }
    }
}

/// Begins to use the host's device, if there is one. Waits a little for its first bytes where there is nothing better.
pub fn use_device() {
    let Some(device) = devices::entropy() else { return };
    let feed = move |deadline: Option<u64>| {
        let mut bytes = [0; DEVICE];
        if device.fill(&mut bytes, deadline).is_ok() {
            mix(&bytes, ENOUGH);
        }
    };
    if !is_ready() {
        feed(Some(sync::now().saturating_add(PATIENCE)));
        renew();
    }
    let spawned = kernel_threads::spawn(format_args!("hwrng"), Role::Free, move || {
        loop {
            let next = sync::now().saturating_add(LIFE);
            let _ = sync::park(Sleep::Interruptible, Some(next), || None::<()>);
            feed(None);
        }
    });
    if spawned.is_none() {
        klog::warning!("random: no memory for the device's thread");
    }
}
