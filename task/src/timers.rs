//! A process's own timers: ITIMER_REAL, which alarm(2) uses too, and the table of all others ([`crate::clock_timers`]).
//!
//! Expiries in between two looks of the thread that sends ([`crate::due`]) are one signal, as SIGALRM is queued once anyway.
//!
//! **Locks.** `Process::timers` before the state of a timer in the table, and that before the CPU's timers. The scheduler's timer owns its expiry,
//! which knows its process weakly: a process's end takes all away.
use crate::clock_timers::Table;
use crate::due::{self, Due};
use crate::process::Process;
use crate::signals::{Information, send_to_process};
use abi::Errno;
use abi::raw::general::SIGALRM;
use alloc::sync::{Arc, Weak};
use scheduler::Timer;
use time::{Interval, Start};

/// The timers that a process has of its own. A fork's child begins with none set; an exec keeps them.
#[derive(Debug, Default)]
pub struct ProcessTimers {
    real: Interval,
    /// The scheduler's side, from the first use on.
    timer: Option<Timer>,
    pub(crate) others: Table,
}

/// What setitimer(2) sets and getitimer(2) tells, in nanoseconds: until the next expiry (0 where it is not set), and from
/// one to the next (0 for once).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    pub remaining: u64,
    pub period: u64,
}

impl ProcessTimers {
    fn setting(&self, now: u64) -> Setting {
        Setting { remaining: self.real.remaining(now), period: self.real.period() }
    }

    fn arm(&self, deadline: Option<u64>) {
        match (&self.timer, deadline) {
            (Some(timer), Some(deadline)) => timer.arm(deadline),
            (Some(timer), None) => {
                timer.disarm();
            }
            (None, _) => {}
        }
    }
}

/// How ITIMER_REAL stands.
pub fn real(process: &Process) -> Setting {
    process.timers.lock().setting(sync::now())
}

/// Sets ITIMER_REAL, and answers how it stood. ENOMEM, only where it is set for the first time.
pub fn set_real(process: &Arc<Process>, wanted: Setting) -> Result<Setting, Errno> {
    let mut spare = None;
    if wanted.remaining != 0 && process.timers.lock().timer.is_none() {
        let target: Weak<Process> = Arc::downgrade(process);
        spare = Some(due::timer(target)?);
    }
    let mut timers = process.timers.lock();
    if timers.timer.is_none() {
        timers.timer = spare.take();
    }
    let now = sync::now();
    let old = timers.setting(now);
    let start = (wanted.remaining != 0).then_some(Start::After(wanted.remaining));
    let deadline = timers.real.set(start, if start.is_some() { wanted.period } else { 0 }, now);
    timers.arm(deadline);
    drop(timers);
    Ok(old)
}

/// Takes a process's timers away: at the end of its last thread. What has expired already sends no signal any more.
pub(crate) fn end(process: &Process) {
    let timers = core::mem::take(&mut *process.timers.lock());
    drop(timers);
}

/// ITIMER_REAL has expired.
impl Due for Process {
    fn due(self: Arc<Self>) {
        let due = {
            let mut timers = self.timers.lock();
            let due = timers.real.expire(sync::now()) != 0;
            timers.arm(timers.real.deadline());
            due
        };
        if due {
            let _ = send_to_process(&self, SIGALRM, Information::kernel());
        }
    }
}
