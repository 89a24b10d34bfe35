//! What the scheduler, above this crate, does for it.
use crate::once::Once;
use crate::thread::Thread;

/// The scheduler's side. One object, registered at boot; until then nothing sleeps and nothing is woken.
pub trait Hooks: Sync {
    /// A wanted reschedule became possible: switch away if there is somebody better. Any process context; interrupts
    /// are on, or off on the way out of one, and on afterwards.
    fn preempt(&self);
    /// Gives the CPU away; returns once woken, or at `deadline`.
    fn schedule(&self, deadline: Option<u64>);
    /// Wakes `thread` from any sleep that is not stopped or dead; false where it was not asleep. Interrupts are off.
    fn wake(&self, thread: &Thread) -> bool;
    /// Serves what softirqs are pending, with softirqs counted as disabled.
    fn serve_softirqs(&self);
    /// Nanoseconds since boot.
    fn now(&self) -> u64;
    /// Loads the page tables that map the kernel only. Interrupts are off.
    fn enter_kernel_space(&self);
    /// On a new thread, before anything else: the switch to it is over.
    fn thread_started(&self);
    /// On a thread whose main function has returned.
    fn thread_ended(&self) -> !;
}

struct Early;

impl Hooks for Early {
    fn preempt(&self) {}
    fn schedule(&self, _: Option<u64>) {
        panic!("sleeping before there is a scheduler");
    }
    fn wake(&self, _: &Thread) -> bool {
        false
    }
    fn serve_softirqs(&self) {}
    fn now(&self) -> u64 {
        0
    }
    fn enter_kernel_space(&self) {}
    fn thread_started(&self) {}
    fn thread_ended(&self) -> ! {
        panic!("a thread ended before there is a scheduler");
    }
}

static HOOKS: Once<&'static dyn Hooks> = Once::new();

/// Registers the scheduler. Once.
///
/// # Panics
/// When called again.
pub fn register(hooks: &'static dyn Hooks) {
    assert!(HOOKS.set(hooks).is_ok(), "the scheduler registers once");
}

#[inline(always)]
pub(crate) fn hooks() -> &'static dyn Hooks {
    match HOOKS.get() {
        Some(hooks) => *hooks,
        None => &Early,
    }
}
