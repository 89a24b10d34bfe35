//! Where time goes: samples by the tick, counts of switches, the load average.
//!
//! Every counter has one writer, the CPU that it belongs to (or runs the thread that it belongs to), so that counting is a plain
//! addition. The load average alone is shared, and touched every five seconds.
use crate::cpus::{self, Cpu};
use crate::threads::NEXT_ACCOUNT;
use arch::context::Context;
use core::sync::atomic::{AtomicU64, Ordering};
use sync::thread::work;
use sync::{InterruptsOff, Rank, SpinLock, Thread};
use time::{LOAD_PERIOD_TICKS, LoadAverage, TICK_NS};

/// What the tick found a CPU doing, in nanoseconds.
pub(crate) struct Spent {
    pub user: AtomicU64,
    pub nice: AtomicU64,
    pub system: AtomicU64,
    pub softirq: AtomicU64,
}

impl Spent {
    pub const fn new() -> Self {
        Self { user: AtomicU64::new(0), nice: AtomicU64::new(0), system: AtomicU64::new(0), softirq: AtomicU64::new(0) }
    }
}

/// Adds to a counter that only this CPU writes, with interrupts off.
#[inline]
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

/// Counts `spent` nanoseconds, at whose end the tick came, as what it interrupted.
pub(crate) fn sample(cpu: &Cpu, spent: u64, from_user: bool, nice: bool) {
    let thread = sync::current();
    if cpu.idle.get().is_some_and(|idle| core::ptr::eq(alloc::sync::Arc::as_ptr(idle), &raw const *thread)) {
        return;
    }
    if thread.wants_ticks.load(Ordering::Relaxed) {
        thread.add_work(work::TICK);
    }
    if from_user {
        add(&thread.sampled_user, spent);
        add(if nice { &cpu.spent.nice } else { &cpu.spent.user }, spent);
    } else if Context::of(arch::cpu::preempt_word()).in_serving_softirq() {
        // Nobody's: what is put off from an interrupt is served above whoever happens to run.
        add(&cpu.spent.softirq, spent);
    } else {
        add(&thread.sampled_system, spent);
        add(&cpu.spent.system, spent);
    }
}

/// The running thread leaves its CPU. With its run queue locked.
pub(crate) fn count_switch(thread: &Thread, blocked: bool) {
    add(if blocked { &thread.voluntary_switches } else { &thread.involuntary_switches }, 1);
}

/// Threads made since boot: those of programs, and the kernel's own.
pub fn threads_started() -> u64 {
    NEXT_ACCOUNT.load(Ordering::Relaxed).saturating_sub(1)
}

static LOAD: SpinLock<LoadAverage, InterruptsOff> = SpinLock::new(Rank::Leaf, LoadAverage::new(0));
/// When it has to be brought up to date next, in nanoseconds since boot.
static LOAD_DUE: AtomicU64 = AtomicU64::new(LOAD_PERIOD_TICKS * TICK_NS);

/// Averages of how many threads are runnable or in uninterruptible sleep.
pub fn load_average() -> LoadAverage {
    *LOAD.lock()
}

/// Brings the load average up to date where that is due.
#[inline]
pub(crate) fn update_load(now: u64) {
    if now >= LOAD_DUE.load(Ordering::Relaxed) {
        note_load(now, None);
    }
}

/// The same for a CPU that was idle until now: the periods that it slept through count without what woke it.
#[inline]
pub(crate) fn after_idle(now: u64) {
    if now >= LOAD_DUE.load(Ordering::Relaxed) {
        note_load(now, Some(arch::cpu::id()));
    }
}

#[cold]
fn note_load(now: u64, was_idle: Option<usize>) {
    let mut active = 0_i64;
    for (number, cpu) in cpus::all().iter().enumerate() {
        let running = if Some(number) == was_idle { 0 } else { cpu.running.load(Ordering::Relaxed) };
        active = active.saturating_add(running as i64).saturating_add(cpu.uninterruptible.load(Ordering::Relaxed));
    }
    let mut load = LOAD.lock();
    load.update(active.max(0) as u64, now / TICK_NS);
    LOAD_DUE.store(load.due().saturating_mul(TICK_NS), Ordering::Relaxed);
}
