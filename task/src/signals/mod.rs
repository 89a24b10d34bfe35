//! Signals of tasks: who holds what, under which lock.
//!
//! What a signal means is decided by the pure crate `signal`. Here its pieces get their places and locks: a process's pending
//! signals, stop state and exit under `Process::signals` (Linux's `siglock`), a thread's own pending signals under a lock inside
//! that one, its mask in a word that only the thread itself changes. Messages are made before, and dropped after, any lock.
//!
//! A thread notices by bits of [`sync::thread::work`]: `SIGNAL` says "something deliverable may be pending" and ends
//! interruptible sleeps; `KILL` says "this thread is to end" and ends killable ones too. [`do_work`] runs before each return to
//! user mode while a bit is set.
mod deliver;
mod send;
mod state;

pub use ::signal::{Action, AlternateStack, Information as SignalInformation, Signal, SignalSet, StopEvent};
pub(crate) use deliver::vector_layout;
pub use deliver::{do_work, sigreturn};
pub(crate) use send::hand_over;
pub use send::{
    Information, discards_children, force, force_end, send_in_tree, send_to_group, send_to_process, send_to_task,
    tell_stop,
};
pub(crate) use state::reset_for_exec;
pub use state::{GroupSignals, SignalSummary, ThreadSignals};
