//! Time as arithmetic: nothing here reads a clock, sleeps or locks.
//!
//! **Problem.** One counter (the TSC) ticks at a rate that is measured, not chosen; programs ask for nanoseconds of several
//! clocks, hand in times that are out of every range, and arm timers by the thousand; the kernel's own time-outs are many
//! and nearly all cancelled.
//!
//! **Model.**
//! - [`Moment`] is an instant as a binary fraction of seconds, which cycles become by one multiplication, and which becomes
//!   seconds by none. [`Clock`] is a rate and what each clock showed at a base; it is also what the vDSO's page ([`vvar`])
//!   holds, so both sides compute with the same code.
//! - Inside the kernel an instant is `u64` nanoseconds of the monotonic clock since boot. [`Timespec`] is what user space
//!   means; whatever Linux answers with EINVAL is `None` here, and what it saturates saturates.
//! - [`TimerQueue`] holds timers, ordered by deadline; one per CPU. It hands out slots at creation, when allocation may fail; arming
//!   never does.
//! - [`Interval`] is the state of a timer that user space sees (`setitimer`, `timer_create`, `timerfd`).
//! - [`accounting`] and [`LoadAverage`] are what `/proc/stat`, `times(2)` and `/proc/loadavg` are made of.
//!
//! **Locks.** None; the owner of a queue holds its lock around each call. Its methods do not allocate unless they
//! say so, and callbacks are not made: expired timers are taken out one by one, so the owner may drop its lock in between.
//!
//! **Why not** a tree or a heap for the timer queue: both cost the logarithm of what is armed, at each of the arming and cancelling
//! that most timers only ever see. Why not a wheel for coarse time-outs beside it: a wheel never moves a timer, but cannot be exact, and
//! the queue costs no more.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod accounting;
mod calendar;
mod clock;
mod interval;
mod load_average;
mod moment;
mod queue;
mod timespec;
pub mod vvar;

pub use calendar::CivilTime;
pub use clock::Clock;
pub use interval::{Interval, Start};
pub use load_average::{LOAD_PERIOD_TICKS, LoadAverage};
pub use moment::Moment;
pub use queue::{Room, RoomWanted, TimerQueue};
/// A timer's name in the queue that made it. Outlives the timer harmlessly.
pub use slots::SlotId as TimerId;
pub use timespec::Timespec;

pub const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// Timer ticks in a second (`CONFIG_HZ`).
pub const TICKS_PER_SECOND: u64 = 250;

/// Nanoseconds in a timer tick.
pub const TICK_NS: u64 = NANOSECONDS_PER_SECOND / TICKS_PER_SECOND;

/// Clock ticks in a second as user space counts them (`sysconf(_SC_CLK_TCK)`, `AT_CLKTCK`).
pub const USER_TICKS_PER_SECOND: u64 = 100;

/// Nanoseconds as user space's clock ticks (`times(2)`, `/proc/stat`).
#[must_use]
pub const fn user_ticks(nanoseconds: u64) -> u64 {
    nanoseconds / (NANOSECONDS_PER_SECOND / USER_TICKS_PER_SECOND)
}
