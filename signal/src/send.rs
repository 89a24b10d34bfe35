//! Sending: whether a signal arrives at all, and who wakes up for it.
use crate::disposition::{Action, Handler};
use crate::number::{DefaultAction, Signal};
use crate::set::SignalSet;

/// What the sender must know about the receiver.
#[derive(Clone, Copy, Debug)]
pub struct Receiver<'a> {
    pub action: &'a Action,
    /// Mask of the thread addressed; of the main thread when a process is.
    pub mask: SignalSet,
    /// A tracer wants to see ignored signals too.
    pub traced: bool,
    /// `SIGNAL_UNKILLABLE`: the init of a PID namespace.
    pub unkillable: bool,
    /// The process is being taken down.
    pub exiting: bool,
}

/// Pending signals that a new one removes, from the process and each of its threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    Nothing,
    /// A stop signal removes SIGCONT.
    Continue,
    /// SIGCONT removes stops; besides, [`GroupStop::resume`](crate::GroupStop::resume) is due.
    Stops,
}

impl Flush {
    pub fn set(self) -> SignalSet {
        match self {
            Self::Nothing => SignalSet::EMPTY,
            Self::Continue => SignalSet::of(&[Signal::CONT]),
            Self::Stops => SignalSet::STOPS,
        }
    }
}

/// What sending a signal does first, even if it is then dropped. Not for a process that is exiting.
pub fn flush_for(signal: Signal) -> Flush {
    match signal.default_action() {
        DefaultAction::Stop => Flush::Continue,
        DefaultAction::Continue => Flush::Stops,
        _ => Flush::Nothing,
    }
}

/// Whether to queue the signal. `force`: it comes from the kernel or from an ancestor PID namespace, so that SIGKILL and
/// SIGSTOP reach even an init; the first init of all is out of their reach and passes false.
pub fn prepare(signal: Signal, receiver: &Receiver<'_>, force: bool) -> bool {
    if receiver.exiting {
        return false;
    }
    // A handler may be there by the time that it is unblocked.
    if receiver.mask.contains(signal) || (receiver.traced && signal != Signal::KILL) {
        return true;
    }
    let forced = force && signal.is_kernel_only();
    let immune = receiver.unkillable && receiver.action.handler == Handler::Default && !forced;
    !immune && !receiver.action.ignores(signal)
}

/// A thread that might take a signal sent to its process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadState {
    pub mask: SignalSet,
    pub exiting: bool,
    /// Stopped by job control or a tracer.
    pub stopped: bool,
    /// On a CPU now.
    pub running: bool,
    /// It has been told already that signals wait for it.
    pub notified: bool,
}

impl ThreadState {
    fn wants(&self, signal: Signal) -> bool {
        if self.mask.contains(signal) || self.exiting {
            return false;
        }
        signal == Signal::KILL || (!self.stopped && (self.running || !self.notified))
    }
}

/// The thread to wake for a signal to a process: the first that wants it. List the main thread first, then the others from the
/// last one chosen on. None: whoever unblocks it finds it pending.
pub fn choose_thread<T>(signal: Signal, threads: impl IntoIterator<Item = (T, ThreadState)>) -> Option<T> {
    threads.into_iter().find(|(_, state)| state.wants(signal)).map(|(thread, _)| thread)
}

/// Whether the signal ends the process, so that all threads can be told at once; without one that dumps core, whose dump
/// must find them as they are.
pub fn is_fatal(signal: Signal, action: &Action) -> bool {
    action.handler == Handler::Default && signal.default_action() == DefaultAction::Terminate
}
