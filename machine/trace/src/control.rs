//! Which points are on, and the rings that they write to.
use crate::points::{Event, POINTS};
use crate::ring::{ARGUMENTS, Record, Ring};
use alloc::sync::Arc;
use alloc::vec::Vec;
use arch::cpu_set::MAX_CPUS;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use sync::{Mutex, Rank};

/// The points that write: what every point looks at. Those chosen, while tracing is on.
pub(crate) static MASK: AtomicU32 = AtomicU32::new(0);
/// The points chosen.
static CHOSEN: AtomicU32 = AtomicU32::new((1_u64 << POINTS.len()) as u32 - 1);
static TRACING: AtomicBool = AtomicBool::new(false);
/// How often each point was passed while it was on.
static HITS: [AtomicU64; POINTS.len()] = [const { AtomicU64::new(0) }; POINTS.len()];

/// A ring for each CPU.
pub(crate) struct Rings(pub Vec<Ring>);

/// The same for writers. Null while there are none.
static RINGS: AtomicPtr<Rings> = AtomicPtr::new(ptr::null_mut());
/// Who is inside a writer, by CPU.
static WRITING: [AtomicUsize; MAX_CPUS] = [const { AtomicUsize::new(0) }; MAX_CPUS];

/// What is changed by one at a time, sleeping.
struct Control {
    rings: Option<Arc<Rings>>,
    /// Of each CPU.
    records: usize,
}

static CONTROL: Mutex<Control> = Mutex::new(Rank::FileSystem, Control { rings: None, records: 8192 });

/// Writes a record on this CPU. Any context.
#[cold]
pub(crate) fn write(event: Event, arguments: &[u64; ARGUMENTS]) {
    let masked = Masked::new();
    let cpu = sync::ambient::cpu();
    WRITING[cpu].fetch_add(1, Ordering::SeqCst);
    let rings = RINGS.load(Ordering::SeqCst);
    if !rings.is_null() {
        // SAFETY: whoever takes the pointer away waits, before the rings can go, until no CPU is inside here.
        let rings = unsafe { &*rings };
        let record = Record {
            cycles: arch::instructions::read_tsc(),
            event: event as u8,
            context: sync::ambient::preempt_word(),
            thread: sync::current().label.number(),
            stack: (&raw const masked).addr() as u64 & !7,
            arguments: *arguments,
        };
        HITS[event as usize].fetch_add(1, Ordering::Relaxed);
        if let Some(ring) = rings.0.get(cpu) {
            ring.write(&record);
        }
    }
    WRITING[cpu].fetch_sub(1, Ordering::SeqCst);
    drop(masked);
}

/// Interrupts masked on this CPU, whatever the depth of guards: points stand where that and the flag disagree.
struct Masked {
    were_enabled: bool,
}

#[cfg(target_os = "none")]
impl Masked {
    fn new() -> Self {
        let were_enabled = arch::instructions::interrupts_enabled();
        arch::instructions::disable_interrupts();
        Self { were_enabled }
    }
}

#[cfg(target_os = "none")]
impl Drop for Masked {
    fn drop(&mut self) {
        if self.were_enabled {
            arch::instructions::enable_interrupts();
        }
    }
}

#[cfg(not(target_os = "none"))]
impl Masked {
    fn new() -> Self {
        Self { were_enabled: true }
    }
}

#[cfg(not(target_os = "none"))]
impl Drop for Masked {
    fn drop(&mut self) {
        debug_assert!(self.were_enabled);
    }
}

/// Makes rings where there are none.
fn ensure(control: &mut Control, cpus: usize) -> Option<()> {
    if control.rings.is_none() {
        let mut rings = Vec::new();
        rings.try_reserve_exact(cpus).ok()?;
        for _ in 0..cpus {
            rings.push(Ring::new(control.records)?);
        }
        let rings = Arc::new(Rings(rings));
        RINGS.store(Arc::as_ptr(&rings).cast_mut(), Ordering::SeqCst);
        control.rings = Some(rings);
    }
    Some(())
}

fn apply() {
    let mask = if TRACING.load(Ordering::Relaxed) { CHOSEN.load(Ordering::Relaxed) } else { 0 };
    MASK.store(mask, Ordering::SeqCst);
}

/// Turns tracing on or off, on `cpus` CPUs. What was recorded stays. False without memory for rings. May sleep.
pub fn set_tracing(on: bool, cpus: usize) -> bool {
    let mut control = CONTROL.lock();
    if on && ensure(&mut control, cpus).is_none() {
        return false;
    }
    TRACING.store(on, Ordering::Relaxed);
    apply();
    true
}

pub fn is_tracing() -> bool {
    TRACING.load(Ordering::Relaxed)
}

/// Whether a point (by its place in [`POINTS`]) writes while tracing is on.
pub fn enabled(point: usize) -> bool {
    CHOSEN.load(Ordering::Relaxed) >> point & 1 != 0
}

/// Chooses a point, or does not. May sleep.
pub fn enable(point: usize, on: bool) {
    let _control = CONTROL.lock();
    let bit = 1 << point;
    if on {
        CHOSEN.fetch_or(bit, Ordering::Relaxed);
    } else {
        CHOSEN.fetch_and(!bit, Ordering::Relaxed);
    }
    apply();
}

/// How many records each CPU's ring holds, or will.
pub fn records_per_cpu() -> usize {
    let control = CONTROL.lock();
    control.rings.as_ref().and_then(|rings| rings.0.first()).map_or(control.records, Ring::capacity)
}

/// Lets all records go, and makes the next rings with room for `records` each. Where tracing is on, that is at once; then false without
/// memory, with tracing off. May sleep.
pub fn resize(records: usize, cpus: usize) -> bool {
    let mut control = CONTROL.lock();
    RINGS.store(ptr::null_mut(), Ordering::SeqCst);
    // Whoever saw the old pointer counted itself first; see `write`.
    while WRITING.iter().any(|cpu| cpu.load(Ordering::SeqCst) != 0) {
        sync::ambient::relax();
    }
    drop(control.rings.take());
    control.records = records;
    if TRACING.load(Ordering::Relaxed) && ensure(&mut control, cpus).is_none() {
        TRACING.store(false, Ordering::Relaxed);
        apply();
        return false;
    }
    true
}

/// Has nothing shown that was recorded until now, and counts from 0 again. May sleep.
pub fn clear() {
    let control = CONTROL.lock();
    control.rings.iter().flat_map(|rings| &rings.0).for_each(Ring::clear);
    HITS.iter().for_each(|hits| hits.store(0, Ordering::Relaxed));
}

/// How often a point was passed while it was on.
pub fn hits(point: usize) -> u64 {
    HITS[point].load(Ordering::Relaxed)
}

/// What one CPU's ring has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Records that can be read.
    pub kept: u64,
    /// Records lost, because newer ones took their place.
    pub overwritten: u64,
}

/// By CPU. May sleep.
pub fn statistics(cpu: usize) -> Option<Statistics> {
    let rings = rings()?;
    let ring = rings.0.get(cpu)?;
    let overwritten = ring.overwritten();
    Some(Statistics { kept: ring.next() - ring.oldest(), overwritten })
}

/// The rings, kept as long as the caller has them.
pub(crate) fn rings() -> Option<Arc<Rings>> {
    CONTROL.lock().rings.clone()
}
