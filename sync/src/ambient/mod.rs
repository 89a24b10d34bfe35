//! What surrounds running code: this CPU, the depth of guards, the current thread, parking and waking.
//!
//! A concrete façade with one back end per world, so that no type parameter for "the CPU" runs through the kernel: the
//! **machine** (GS-relative words, the scheduler's hooks), and the **host** (an operating-system thread models a CPU
//! and its depths, so that sleeping under a guard panics in an ordinary test).
#[cfg(not(target_os = "none"))]
mod host;
#[cfg(target_os = "none")]
mod machine;

#[cfg(not(target_os = "none"))]
pub use host::*;
#[cfg(target_os = "none")]
pub use machine::*;

/// Complains where the caller could not sleep: a guard is held, or this is an interrupt.
#[inline(always)]
#[track_caller]
pub fn might_sleep() {
    #[cfg(debug_assertions)]
    assert!(may_sleep(), "sleeping while atomic: preempt word {:#x}", preempt_word());
}
