//! Locks, waiting, threads as the lower floors know them, and the ambient state of a CPU.
//!
//! **Contexts are types.** A [`SpinLock`] says in its second parameter what it holds off: preemption ([`Preempt`]),
//! softirqs too ([`SoftirqsOff`]), or interrupts too ([`InterruptsOff`]). Guards cannot be sent to another thread.
//! Depths are counted in per-CPU words and never saved in a guard, so two guards dropped out of order cannot enable
//! interrupts early. Sleeping under a guard panics in debug and host builds ([`might_sleep`]).
//!
//! **One lock order** ([`Rank`]), checked at run time in debug and host builds; release builds carry no trace of it.
//!
//! **Waiting** is on a [`WaitQueue`]: announce, look at the condition, give the CPU away. A waker changes the condition
//! first and looks at the queue afterwards, so no wake-up is lost.
//!
//! **The scheduler** lives above this crate and registers itself ([`hooks`]). [`switch`] is the only way for a lock (the
//! run queue's) to cross from one stack to another.
//!
//! The host's back end makes all of it run in ordinary tests.
#![cfg_attr(target_os = "none", no_std)]

extern crate alloc;

mod affinity;
pub mod ambient;
pub mod atomic_context;
#[cfg(target_os = "none")]
pub mod hooks;
mod mutex;
mod once;
mod park;
mod per_cpu;
mod poll;
pub mod rank;
mod read_write;
mod sequence;
mod spin;
#[cfg(target_os = "none")]
mod switch;
pub mod thread;
mod wait;

pub use affinity::Affinity;
pub use ambient::{current, might_sleep, now};
pub use atomic_context::{Context, InterruptsOff, Preempt, SoftirqsOff};
pub use mutex::{Mutex, MutexGuard};
pub use once::Once;
pub use park::{park, unpark};
pub use per_cpu::PerCpu;
pub use poll::{Notify, PollQueue, Registrations};
pub use rank::Rank;
pub use read_write::{ReadGuard, RwSemaphore, WriteGuard};
pub use sequence::SequenceLock;
pub use spin::{SpinGuard, SpinLock, lock_pair};
#[cfg(target_os = "none")]
pub use switch::switch;
pub use thread::{Sleep, Thread};
pub use wait::{WaitError, WaitQueue};
