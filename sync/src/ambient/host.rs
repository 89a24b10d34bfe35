//! The host's back end: each operating-system thread stands for a CPU of its own.
use crate::rank::Rank;
use crate::thread::Thread;
use core::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

std::thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static INTERRUPTS_OFF: Cell<u32> = const { Cell::new(0) };
    static SOFTIRQS: Cell<u32> = const { Cell::new(0) };
    static HELD: Cell<u64> = const { Cell::new(0) };
    static CURRENT: OnceCell<Arc<Thread>> = const { OnceCell::new() };
}

pub fn preempt_word() -> u32 {
    DEPTH.get()
}

pub fn may_sleep() -> bool {
    DEPTH.get() == 0 && INTERRUPTS_OFF.get() == 0
}

pub fn preempt_disable() {
    DEPTH.set(DEPTH.get() + 1);
}

pub fn preempt_enable() {
    DEPTH.set(DEPTH.get().checked_sub(1).expect("guards pair"));
}

pub fn softirqs_disable() {
    preempt_disable();
}

pub fn softirqs_enable() {
    preempt_enable();
}

pub fn serve_in_section(serve: impl FnOnce()) {
    serve();
}

pub fn raise_softirq(number: u32) {
    SOFTIRQS.set(SOFTIRQS.get() | 1 << number);
}

pub fn pending_softirqs() -> u32 {
    SOFTIRQS.get()
}

pub fn take_softirqs() -> u32 {
    SOFTIRQS.replace(0)
}

pub fn reschedule_wanted() -> bool {
    false
}

pub fn interrupts_disable() {
    INTERRUPTS_OFF.set(INTERRUPTS_OFF.get() + 1);
}

pub fn interrupts_enable() {
    INTERRUPTS_OFF.set(INTERRUPTS_OFF.get().checked_sub(1).expect("guards pair"));
}

/// The number of this CPU; on the host there is only one slot, so per-CPU data are tested with one.
pub fn cpu() -> usize {
    0
}

pub(crate) fn rank_acquire(rank: Rank, same: bool) {
    crate::thread::check_rank(HELD.get(), rank, same);
    HELD.set(HELD.get() | 1 << rank as u8);
}

pub(crate) fn rank_release(rank: Rank) {
    HELD.set(HELD.get() & !(1 << rank as u8));
}

/// The running thread.
pub fn current() -> Arc<Thread> {
    CURRENT.with(|current| current.get_or_init(|| Arc::new(Thread::for_host())).clone())
}

/// Gives the CPU away until somebody wakes the current thread, or `deadline` (nanoseconds of [`now`]) has come.
pub(crate) fn schedule_until(deadline: Option<u64>) {
    assert!(may_sleep(), "sleeping while atomic");
    current().host_sleep(deadline.map(|at| Duration::from_nanos(at.saturating_sub(now()))));
}

pub(crate) fn wake(thread: &Thread) -> bool {
    thread.host_wake()
}

/// Nanoseconds of a clock that never runs backwards.
pub fn now() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// One turn of a spin loop: on the host the owner may need this very CPU.
pub fn relax() {
    std::thread::yield_now();
}
