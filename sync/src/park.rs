//! Sleeping without a queue, for those who keep lists of waiters of their own (futexes).
use crate::ambient;
use crate::thread::{Sleep, Thread};
use crate::wait::WaitError;

/// Sleeps until `condition` answers, as `sleep` says, no longer than `deadline` (in nanoseconds of [`crate::now`]). Whoever
/// makes the condition true calls [`unpark`] afterwards. The condition is called with no lock held, possibly often, and
/// does not sleep.
pub fn park<R>(sleep: Sleep, deadline: Option<u64>, mut condition: impl FnMut() -> Option<R>) -> Result<R, WaitError> {
    ambient::might_sleep();
    let thread = ambient::current();
    loop {
        thread.prepare_to_sleep(sleep);
        let outcome = match condition() {
            Some(answer) => Some(Ok(answer)),
            None if thread.is_interrupted(sleep) => Some(Err(WaitError::Interrupted)),
            None if deadline.is_some_and(|at| ambient::now() >= at) => Some(Err(WaitError::TimedOut)),
            None => None,
        };
        if let Some(outcome) = outcome {
            thread.finish_sleep();
            return outcome;
        }
        ambient::schedule_until(deadline);
        thread.finish_sleep();
    }
}

/// Wakes a thread that sleeps in [`park`]. In another sleep, or awake, it only looks at its condition once more. Any
/// context but NMI.
pub fn unpark(thread: &Thread) {
    ambient::wake(thread);
}
