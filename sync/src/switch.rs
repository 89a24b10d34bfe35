//! The switch of threads, and of a lock across it.
//!
//! The run queue's lock is taken on the old stack and released on the new one. Every switch happens at the same depths (one
//! preemption guard, one interrupt guard: those of that lock), so the per-CPU words need no saving.
use crate::ambient;
use crate::atomic_context::InterruptsOff;
use crate::spin::{RawSpin, SpinGuard};
use crate::thread::Thread;
use arch::cpu;
use arch::cpu_set::MAX_CPUS;
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::Ordering;

/// What the new stack has to finish for the old one: per CPU, used between the two halves of one switch.
struct Handover {
    lock: *const RawSpin,
    previous: *const Thread,
}

struct Handovers([UnsafeCell<Handover>; MAX_CPUS]);

// SAFETY: each CPU touches its own entry, with interrupts off.
unsafe impl Sync for Handovers {}

static HANDOVERS: Handovers =
    Handovers([const { UnsafeCell::new(Handover { lock: ptr::null(), previous: ptr::null() }) }; MAX_CPUS]);

/// Switches from the running thread to the one that `choose` finds in what the lock protects, giving up `guard` on the other side. Returns when
/// this thread is switched to again, perhaps on another CPU; true where a reschedule is wanted by then. With `for_good` that never happens.
///
/// The scheduler guarantees that the next thread is runnable, off every CPU, and stays alive while it runs; and that the running
/// thread stays alive until the other side is done with it.
///
/// # Panics
/// Where more than the lock's own guards are held: the thread would take its depths to another CPU.
pub fn switch<T>(guard: SpinGuard<'_, T, InterruptsOff>, for_good: bool, choose: impl FnOnce(&T) -> &Thread) -> bool {
    assert!(
        cpu::interrupt_depth() == 1 && cpu::preempt_word() & !cpu::NO_RESCHEDULE == cpu::PREEMPT_ONE,
        "switch at preempt word {:#x}, interrupt depth {}",
        cpu::preempt_word(),
        cpu::interrupt_depth()
    );
    let current = ambient::current();
    let previous: &Thread = &current;
    let next: *const Thread = choose(&guard);
    // SAFETY: the scheduler's guarantee: what the lock protects keeps the thread alive while it is chosen.
    let next = unsafe { &*next };
    assert!(!ptr::eq(previous, next), "switch to the running thread");
    if for_good {
        previous.machine.is_gone.store(true, Ordering::Release);
    }
    debug_assert!(!next.machine.is_gone.load(Ordering::Relaxed), "switch to a thread that has ended");
    // SAFETY: interrupts are off until `finish`, so the entry and the CPU's words are ours; the scheduler's guarantees
    // make both threads valid.
    unsafe {
        *HANDOVERS.0[cpu::id()].get() = Handover { lock: guard.into_raw(), previous };
        next.machine.on_cpu.store(true, Ordering::Relaxed);
        change_user_side(previous, next);
        cpu::set_current(ptr::from_ref(next) as usize);
        cpu::set_context_end(next.machine.context_end);
        let slot = cpu::stack_slot() as *mut usize;
        slot.write_unaligned(next.machine.context_end);
        arch::stack_switch::switch(previous.machine.stack_pointer.get(), *next.machine.stack_pointer.get());
    }
    finish()
}

/// The second half of the first switch to a new thread; its entry function calls it before anything else.
pub(crate) fn finish_first_switch() -> bool {
    finish()
}

fn finish() -> bool {
    // SAFETY: interrupts are off, and the other half has just filled the entry.
    unsafe {
        let handover = &*HANDOVERS.0[cpu::id()].get();
        let lock = handover.lock;
        (*handover.previous).machine.on_cpu.store(false, Ordering::Release);
        (*lock).release();
    }
    cpu::interrupts_restore();
    cpu::preempt_decrement()
}

/// Vector state, bases and address space. Kernel threads use whatever is loaded.
unsafe fn change_user_side(previous: &Thread, next: &Thread) {
    // SAFETY: interrupts are off; `previous` still owns the CPU and `next` does not run elsewhere.
    unsafe {
        if let Some(state) = &mut *previous.machine.user.get() {
            state.save();
        }
        if let Some(state) = &*next.machine.user.get() {
            state.load();
        }
    }
    match (previous.space(), next.space()) {
        (Some(old), Some(new)) if alloc::sync::Arc::ptr_eq(old, new) => {}
        (old, Some(new)) => {
            new.enter();
            if let Some(old) = old {
                old.leave();
            }
        }
        (Some(old), None) => {
            crate::hooks::hooks().enter_kernel_space();
            old.leave();
        }
        (None, None) => {}
    }
}
