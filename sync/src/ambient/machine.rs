//! The machine's back end: words behind GS, and the scheduler's hooks.
use crate::hooks::hooks;
use crate::rank::Rank;
use crate::thread::Thread;
use arch::cpu;

/// The preempt word; see [`arch::cpu`] for its fields.
#[inline(always)]
pub fn preempt_word() -> u32 {
    cpu::preempt_word()
}

/// Whether this context may sleep: no guard, no interrupt, interrupts on.
#[inline(always)]
pub fn may_sleep() -> bool {
    cpu::preempt_word() & !cpu::NO_RESCHEDULE == 0 && cpu::interrupt_depth() == 0
}

#[inline(always)]
pub fn preempt_disable() {
    cpu::preempt_increment();
}

#[inline(always)]
pub fn preempt_enable() {
    if cpu::preempt_decrement() {
        reschedule();
    }
}

#[cold]
#[inline(never)]
fn reschedule() {
    if cpu::interrupt_depth() == 0 {
        hooks().preempt();
    }
}

#[inline(always)]
pub fn softirqs_disable() {
    cpu::preempt_add(cpu::SOFTIRQ_OFF);
}

#[inline(always)]
pub fn softirqs_enable() {
    if cpu::pending_softirqs() != 0
        && cpu::preempt_word() & !cpu::NO_RESCHEDULE == cpu::SOFTIRQ_OFF
        && cpu::interrupt_depth() == 0
    {
        serve_at_end_of_section();
    }
    if cpu::preempt_subtract(cpu::SOFTIRQ_OFF) {
        reschedule();
    }
}

/// What was raised while softirqs were off is served in place of the section.
#[cold]
#[inline(never)]
fn serve_at_end_of_section() {
    serve_in_section(|| hooks().serve_softirqs());
}

/// Inside one section with softirqs off, which counts as serving them while `serve` runs.
pub fn serve_in_section(serve: impl FnOnce()) {
    cpu::preempt_subtract(cpu::SOFTIRQ_OFF - cpu::SOFTIRQ_ONE);
    serve();
    cpu::preempt_add(cpu::SOFTIRQ_OFF - cpu::SOFTIRQ_ONE);
}

#[inline(always)]
pub fn interrupts_disable() {
    cpu::interrupts_off();
}

#[inline(always)]
pub fn interrupts_enable() {
    cpu::interrupts_restore();
}

/// This CPU's number. Stale at once unless preemption is held off.
#[inline(always)]
pub fn cpu() -> usize {
    cpu::id()
}

pub(crate) fn rank_acquire(rank: Rank, same: bool) {
    let held = held_ranks();
    // SAFETY: the word belongs to this context alone: see `held_ranks`.
    unsafe {
        crate::thread::check_rank(*held, rank, same);
        *held |= 1 << rank as u8;
    }
}

/// Debug check: a lock of this rank may be taken here, whether it will be or not.
#[inline(always)]
pub fn might_lock(rank: Rank) {
    #[cfg(debug_assertions)]
    // SAFETY: as `rank_acquire`.
    crate::thread::check_rank(unsafe { *held_ranks() }, rank, false);
    #[cfg(not(debug_assertions))]
    let _ = rank;
}

pub(crate) fn rank_release(rank: Rank) {
    // SAFETY: as `rank_acquire`.
    unsafe { *held_ranks() &= !(1 << rank as u8) };
}

/// The mask of ranks that this context holds: one word per thread, and one for each of what may run above it: softirqs, interrupts, NMIs.
fn held_ranks() -> *mut u64 {
    let word = cpu::preempt_word();
    let level = if word & cpu::NMI_MASK != 0 {
        3
    } else if word & cpu::HARDIRQ_MASK != 0 {
        2
    } else if word & cpu::SOFTIRQ_ONE != 0 {
        1
    } else {
        0
    };
    current().held_ranks(level)
}

/// The running thread.
#[inline(always)]
pub fn current() -> Current {
    Current(cpu::current() as *const Thread)
}

/// The running thread, for as long as this stack frame: neither sent to another thread nor kept in a static.
#[derive(Clone, Copy)]
pub struct Current(*const Thread);

impl core::ops::Deref for Current {
    type Target = Thread;

    #[inline(always)]
    fn deref(&self) -> &Thread {
        // SAFETY: set before the first lock is taken, and a thread that runs is kept alive by the scheduler until it has
        // left its CPU for the last time. The pointer is `!Send`, so it is used on this stack only.
        unsafe { &*self.0 }
    }
}

pub(crate) fn schedule_until(deadline: Option<u64>) {
    crate::ambient::might_sleep();
    hooks().schedule(deadline);
}

pub(crate) fn wake(thread: &Thread) -> bool {
    hooks().wake(thread)
}

/// Nanoseconds since boot, of a clock that never runs backwards.
#[inline(always)]
pub fn now() -> u64 {
    hooks().now()
}

#[inline(always)]
pub fn relax() {
    core::hint::spin_loop();
}

/// Marks softirq `number` as raised on this CPU.
#[inline(always)]
pub fn raise_softirq(number: u32) {
    cpu::raise_softirq(number);
}

/// The softirqs raised on this CPU, as a bit set.
#[inline(always)]
pub fn pending_softirqs() -> u32 {
    cpu::pending_softirqs()
}

/// Takes the softirqs raised on this CPU, and leaves none.
#[inline(always)]
pub fn take_softirqs() -> u32 {
    cpu::take_softirqs()
}

/// Whether this CPU should reschedule at the next chance.
#[inline(always)]
pub fn reschedule_wanted() -> bool {
    cpu::preempt_word() & cpu::NO_RESCHEDULE == 0
}

/// Serves pending softirqs under their own guard, with interrupts on. From the end of an interrupt, interrupts off.
///
/// Interrupts are on under the guard only: one that came before it, or after it, would serve softirqs above this one, and so would
/// the next above that, for as long as they come faster than they return.
pub fn softirqs_serve() {
    cpu::preempt_add(cpu::SOFTIRQ_ONE);
    arch::instructions::enable_interrupts();
    hooks().serve_softirqs();
    arch::instructions::disable_interrupts();
    cpu::preempt_subtract(cpu::SOFTIRQ_ONE);
}

/// Does a wanted reschedule now. From the end of an interrupt, interrupts on and no guard held.
pub fn preempt_now() {
    hooks().preempt();
}

/// Calls the scheduler for a thread that has announced a sleep by itself: stopping, ending.
pub fn give_up_cpu() {
    schedule_until(None);
}

/// Gives way to a better thread if the scheduler wants that. Interrupts on, no guard held.
pub fn reschedule_if_wanted() {
    if cpu::preempt_word() == 0 {
        hooks().preempt();
    }
}
