//! Softirqs, the threads that take them over in a flood, and a flood to see that by.
//!
//! `echo N > /sys/kernel/debug/birgus/softirq_flood` has one CPU serve N softirqs of [`WEIGHT`] each, every one of which raises the
//! next: as a network card would that never falls silent. Reading the file shows how many are left.
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering};
use irq::{Softirq, Softirqs};
use procfs::{Listing, attribute, number};
use sync::{Once, Sleep, Thread};
use task::kernel_threads::{self, Role};

static SOFTIRQS: Once<Softirqs> = Once::new();
/// ksoftirqd of each CPU that runs.
static THREADS: Once<Vec<Option<Arc<Thread>>>> = Once::new();

/// `None` until [`start`].
pub fn all() -> Option<&'static Softirqs> {
    SOFTIRQS.get()
}

struct Serve;

impl scheduler::Softirqs for Serve {
    fn serve(&self) {
        if let Some(softirqs) = SOFTIRQS.get() {
            softirqs.serve(wake_thread);
        }
    }
}

/// Wakes this CPU's thread, if it has one.
fn wake_thread() -> bool {
    let Some(Some(thread)) = THREADS.get().and_then(|threads| threads.get(arch::cpu::id())) else { return false };
    sync::unpark(thread);
    true
}

/// Makes the softirqs of `cpus` CPUs.
///
/// # Panics
/// Without memory: nothing runs then.
pub fn start(cpus: usize) -> &'static dyn scheduler::Softirqs {
    let softirqs = Softirqs::new(cpus).expect("no memory for softirqs");
    softirqs.open(Softirq::Tasklet, &FLOOD);
    softirqs.open(Softirq::Scheduler, &scheduler::Balance);
    let _ = SOFTIRQS.set(softirqs);
    &Serve
}

/// Starts ksoftirqd on every CPU that runs.
///
/// # Errors
/// ENOMEM.
pub fn start_threads() -> Result<(), Errno> {
    let mut threads = Vec::new();
    threads.try_reserve_exact(scheduler::cpu_count()).map_err(|_| Errno::ENOMEM)?;
    for cpu in 0..scheduler::cpu_count() {
        let online = scheduler::statistics(cpu).is_some_and(|cpu| cpu.online);
        let spawn = || kernel_threads::spawn(format_args!("ksoftirqd/{cpu}"), Role::Bound(cpu), move || live(cpu));
        threads.push(if online { Some(spawn().ok_or(Errno::ENOMEM)?) } else { None });
    }
    let _ = THREADS.set(threads);
    Ok(())
}

/// ksoftirqd's life.
fn live(cpu: usize) -> ! {
    loop {
        let Some(softirqs) = SOFTIRQS.get() else { unreachable!("softirqs come before their threads") };
        let _ = sync::park(Sleep::Interruptible, None, || softirqs.is_handed_over(cpu).then_some(()));
        softirqs.serve_in_thread();
    }
}

/// Nanoseconds that one softirq of a flood takes.
const WEIGHT: u64 = 100_000;

struct Flood {
    left: AtomicU64,
}

static FLOOD: Flood = Flood { left: AtomicU64::new(0) };

impl irq::Action for Flood {
    fn serve(&self) {
        // Nobody lowers it but the one CPU on which the flood runs.
        if self.left.load(Ordering::Relaxed) == 0 {
            return;
        }
        let end = sync::now() + WEIGHT;
        while sync::now() < end {
            core::hint::spin_loop();
        }
        if self.left.fetch_sub(1, Ordering::Relaxed) > 1 {
            irq::raise(Softirq::Tasklet);
        }
    }
}

/// Begins a flood. EBUSY while there is one.
fn begin(length: i64) -> Result<(), Errno> {
    let length = u64::try_from(length).map_err(|_| Errno::EINVAL)?;
    FLOOD.left.compare_exchange(0, length, Ordering::Relaxed, Ordering::Relaxed).map_err(|_| Errno::EBUSY)?;
    irq::raise(Softirq::Tasklet);
    Ok(())
}

/// Makes the files of `folder` that are about softirqs.
///
/// # Errors
/// EEXIST.
pub fn register_views(folder: &Listing) -> Result<(), Errno> {
    folder.add("softirq_flood", number(1..=1_000_000, || FLOOD.left.load(Ordering::Relaxed) as i64, begin))?;
    let floods = |output: &mut procfs::Output| {
        let Some(softirqs) = SOFTIRQS.get() else { return Ok(()) };
        (0..scheduler::cpu_count()).try_for_each(|cpu| writeln!(output, "cpu{cpu} {}", softirqs.floods(cpu)))
    };
    folder.add("softirqs_handed_over", attribute(floods))?;
    folder.add("threads_balanced", attribute(|output| writeln!(output, "{}", scheduler::threads_pulled())))
}
