//! Signals (`signal(7)`): who gets which, when, and what it does to a program.
//!
//! **Problem.** Sending happens under a lock that every thread of a process shares, also from interrupts; a handler's frame
//! is a binary format that libc, debuggers and unwinders read; and the rules (job control, restarts, init's
//! immunity) interact. All of it must be decided in one place and testable without a machine.
//!
//! **Model.** Plain data and pure functions; the task layer owns the lock (Linux's `siglock`) and applies what they say.
//! - [`Pending`] is a queue per thread and one per process. It has a place for one message; senders make a [`Message`], with memory
//!   of its own, where that is taken ([`Pending::put`]). [`prepare`] says whether to queue it, [`choose_thread`] whom to wake.
//!   [`dequeue`] takes the next one out.
//! - [`Dispositions`] are the 64 actions of a process. [`decide`] turns a dequeued signal into a [`Decision`], and
//!   [`Interrupted::outcome`] says what becomes of the system call that it interrupted.
//! - [`FrameRequest`] lays out the handler's frame, [`restore_registers`] reads it back for `rt_sigreturn`.
//! - [`GroupStop`] is where a process stands between running, stopping, stopped and dying.
//!
//! **Invariants.** SIGKILL and SIGSTOP are never in a mask, and their actions stay default. A bit is set in a
//! [`Pending`]'s set for every message in its list; a bit without a message is a signal whose information was lost. A
//! standard signal is queued at most once. Nothing that user space can queue is freed recursively or under the lock: what a
//! call removes it returns.
//!
//! **Contexts.** Everything may run with the lock held and interrupts off, except making a [`Message`] and
//! dropping one or a list of them, which use the heap.
//!
//! **Why not** one list in order of arrival, like Linux: taking one signal out would scan all others. Here
//! messages of one signal form a queue, and at most 64 queues form a list.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod alternate_stack;
mod decide;
mod disposition;
mod frame;
mod information;
mod message;
mod number;
mod pending;
mod restart;
mod saved;
mod send;
mod set;
mod stop;
mod vector;

pub use alternate_stack::{AlternateStack, MINIMUM_SIZE};
pub use decide::{Decision, Deliver, decide};
pub use disposition::{Action, ActionFlags, ChildExit, Dispositions, Handler};
pub use frame::{FrameRequest, LastFault, Place, enter_handler, minimum_stack_size};
pub use information::Information;
pub use message::{Counter, Message};
pub use number::{DefaultAction, Signal};
pub use pending::{Discarded, Pending, Spent, dequeue};
pub use restart::{Interrupted, Outcome, Restart};
pub use saved::{restore_registers, saved_mask};
pub use send::{Flush, Receiver, ThreadState, choose_thread, flush_for, is_fatal, prepare};
pub use set::SignalSet;
pub use stop::{GroupStop, StopEvent, ThreadStop, Ticket};
pub use vector::{SavedVectors, VectorLayout};
