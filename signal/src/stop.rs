//! Job control of a process: stopping all of its threads, and telling its parent.
//!
//! A stop signal that one thread takes asks all threads to stop. The last to do so completes the stop, and the parent hears of
//! it once. SIGCONT undoes either state at the moment when it is sent, and death overrides all.
use crate::number::Signal;

/// What a process tells its parent (`si_code` of SIGCHLD, and `wait`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopEvent {
    /// CLD_STOPPED, with the signal that did it.
    Stopped(Signal),
    /// CLD_CONTINUED.
    Continued,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Running,
    /// This many threads have been asked and have not stopped yet.
    Stopping {
        signal: Signal,
        remaining: u32,
    },
    Stopped {
        signal: Signal,
    },
    Exiting,
}

/// A process's side. Under the process's signal lock, like all of this.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupStop {
    state: State,
    /// Counts SIGCONTs, so that a stop that was decided before one comes to nothing.
    resumed: u32,
    /// For the parent, until a thread that continues takes it.
    event: Option<StopEvent>,
    /// For `wait`, until somebody waited for it.
    waitable: Option<StopEvent>,
}

/// A thread's side.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadStop {
    /// It is to stop, and counted in `remaining`.
    asked: bool,
    /// It sleeps because of job control.
    stopped: bool,
}

/// The time at which a stop signal was dequeued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u32);

impl ThreadStop {
    /// Whether it must call [`GroupStop::stop`] before it returns to user space.
    pub fn is_asked(&self) -> bool {
        self.asked
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped
    }
}

impl GroupStop {
    /// Whether a thread may be asked to stop, or be stopped: false, and all run.
    #[inline]
    pub fn concerns_threads(&self) -> bool {
        matches!(self.state, State::Stopping { .. } | State::Stopped { .. })
    }

    /// To be taken when a stop signal is dequeued, before the lock is dropped to look for an orphaned process group.
    pub fn ticket(&self) -> Ticket {
        Ticket(self.resumed)
    }

    /// Starts a stop: asks all threads, the caller among them, which then goes on to [`stop`](Self::stop); wake the others. False
    /// when a SIGCONT or death came after the ticket.
    pub fn request<'a>(
        &mut self,
        signal: Signal,
        ticket: Ticket,
        threads: impl IntoIterator<Item = &'a mut ThreadStop>,
    ) -> bool {
        if ticket != self.ticket() || self.state == State::Exiting {
            return false;
        }
        if matches!(self.state, State::Stopping { .. }) {
            return true;
        }
        let mut remaining = 0;
        for thread in threads {
            if !thread.stopped && !thread.asked {
                thread.asked = true;
                remaining += 1;
            }
        }
        if self.state == State::Running {
            self.state = State::Stopping { signal, remaining };
        }
        true
    }

    /// The thread stops now: it sleeps until [`ThreadStop::is_stopped`] is false. The event is for the parent, once the lock is
    /// dropped.
    pub fn stop(&mut self, thread: &mut ThreadStop) -> Option<StopEvent> {
        if !thread.asked {
            return None;
        }
        thread.stopped = true;
        self.leave(thread)
    }

    /// The thread exits; it may have been the last to be waited for.
    pub fn thread_exits(&mut self, thread: &mut ThreadStop) -> Option<StopEvent> {
        thread.stopped = false;
        if thread.asked { self.leave(thread) } else { None }
    }

    fn leave(&mut self, thread: &mut ThreadStop) -> Option<StopEvent> {
        thread.asked = false;
        let State::Stopping { signal, remaining } = self.state else { return None };
        let remaining = remaining.saturating_sub(1);
        if remaining != 0 {
            self.state = State::Stopping { signal, remaining };
            return None;
        }
        self.state = State::Stopped { signal };
        self.waitable = Some(StopEvent::Stopped(signal));
        self.waitable
    }

    /// A new thread joins a stop in progress that its creator has yet to follow.
    pub fn thread_starts(&mut self, creator: &ThreadStop) -> ThreadStop {
        let mut thread = ThreadStop::default();
        if let (State::Stopping { remaining, .. }, true) = (&mut self.state, creator.asked) {
            *remaining += 1;
            thread.asked = true;
        }
        thread
    }

    /// SIGCONT is being sent, whatever becomes of the signal itself. Wake all threads that were stopped. The parent is told by
    /// the first that runs: [`take_event`](Self::take_event).
    pub fn resume<'a>(&mut self, threads: impl IntoIterator<Item = &'a mut ThreadStop>) {
        self.resumed = self.resumed.wrapping_add(1);
        self.release(threads);
        self.event = match self.state {
            State::Stopped { .. } => Some(StopEvent::Continued),
            // As if it had been completed first; the parent hears of that only.
            State::Stopping { signal, .. } => Some(StopEvent::Stopped(signal)),
            State::Running | State::Exiting => return,
        };
        self.waitable = Some(StopEvent::Continued);
        self.state = State::Running;
    }

    /// The process dies: no stop holds any thread any more. Wake all.
    pub fn exit<'a>(&mut self, threads: impl IntoIterator<Item = &'a mut ThreadStop>) {
        self.release(threads);
        *self = Self { state: State::Exiting, resumed: self.resumed, event: None, waitable: None };
    }

    fn release<'a>(&self, threads: impl IntoIterator<Item = &'a mut ThreadStop>) {
        for thread in threads {
            *thread = ThreadStop::default();
        }
    }

    /// What a thread that is about to look for signals has to tell the parent, after dropping the lock.
    pub fn take_event(&mut self) -> Option<StopEvent> {
        self.event.take()
    }

    /// What `wait` with WUNTRACED or WCONTINUED finds.
    pub fn waitable(&self) -> Option<StopEvent> {
        self.waitable
    }

    /// `wait` reported it (not with WNOWAIT).
    pub fn waited(&mut self) {
        self.waitable = None;
    }

    pub fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped { .. })
    }

    pub fn is_exiting(&self) -> bool {
        self.state == State::Exiting
    }
}
