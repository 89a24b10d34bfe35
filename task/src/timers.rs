//! A process's own timers: ITIMER_REAL, which alarm(2) uses too.
//!
//! A timer expires in an interrupt, where no signal can be sent: sending takes the tree's lock and allocates. So the
//! interrupt only links what expired into a list and wakes a thread of the kernel's own, which sends SIGALRM and arms the
//! timer for its next period. Re-arming there and not in the interrupt bounds what a period of a microsecond can cost to
//! that thread's fair share; expiries in between are one signal, as SIGALRM is queued once anyway.
//!
//! **Locks.** `Process::timers` before the CPU's timers; the list's lock takes nothing but the link of the entry that goes
//! in. The scheduler's timer owns the expiry, which knows its process weakly: a process's end takes all away.
use crate::process::Process;
use crate::signals::{Information, send_to_process};
use abi::Errno;
use abi::raw::general::SIGALRM;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};
use scheduler::{Expire, Timer};
use sync::{InterruptsOff, Rank, Sleep, SpinLock, WaitQueue};
use time::{Interval, Start};

/// The timers that a process has of its own. A fork's child begins with none set; an exec keeps them.
#[derive(Debug, Default)]
pub struct ProcessTimers {
    real: Interval,
    /// The scheduler's side, from the first use on.
    timer: Option<Timer>,
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
        start_sender()?;
        spare = Some(Timer::calling(Expiry::new(process)).ok_or(Errno::ENOMEM)?);
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

/// The expiry of one process's timer, as the interrupt sees it.
struct Expiry {
    process: Weak<Process>,
    this: Weak<Self>,
    /// In the list: set by the interrupt, cleared by the sender before it looks at the timer.
    listed: AtomicBool,
    next: SpinLock<Option<Arc<Self>>, InterruptsOff>,
}

/// Expiries that the sender has not seen, the newest first.
static EXPIRED: SpinLock<Option<Arc<Expiry>>, InterruptsOff> = SpinLock::new(Rank::Leaf, None);
static ARRIVED: WaitQueue = WaitQueue::new();
static SENDER_RUNS: AtomicBool = AtomicBool::new(false);

impl Expiry {
    fn new(process: &Arc<Process>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            process: Arc::downgrade(process),
            this: this.clone(),
            listed: AtomicBool::new(false),
            next: SpinLock::new(Rank::Leaf, None),
        })
    }

    /// Sends what is due, by the state of the timer as it is now: it may have been set anew since the interrupt.
    fn send(&self) {
        let Some(process) = self.process.upgrade() else { return };
        let due = {
            let mut timers = process.timers.lock();
            let due = timers.real.expire(sync::now()) != 0;
            timers.arm(timers.real.deadline());
            due
        };
        if due {
            let _ = send_to_process(&process, SIGALRM, Information::kernel());
        }
    }
}

impl Expire for Expiry {
    fn expire(&self, _: u64) -> Option<u64> {
        if !self.listed.swap(true, Ordering::AcqRel)
            && let Some(this) = self.this.upgrade()
        {
            let mut first = EXPIRED.lock();
            // The entry's link is free: it is in no list.
            *self.next.lock_inside() = first.take();
            *first = Some(this);
            drop(first);
            ARRIVED.wake_all();
        }
        None
    }
}

/// Has the sender run, from the first timer that is set.
fn start_sender() -> Result<(), Errno> {
    if SENDER_RUNS.swap(true, Ordering::AcqRel) {
        return Ok(());
    }
    let thread = scheduler::spawn(|| send_expired());
    if thread.is_none() {
        SENDER_RUNS.store(false, Ordering::Release);
    }
    thread.map(drop).ok_or(Errno::ENOMEM)
}

/// The sender's life. It takes the whole list each time, so that no timer can keep others waiting.
fn send_expired() -> ! {
    loop {
        let Ok(mut first) = ARRIVED.wait(Sleep::Interruptible, None, || EXPIRED.lock().take().map(Some)) else {
            continue;
        };
        while let Some(expiry) = first {
            first = expiry.next.lock().take();
            expiry.listed.store(false, Ordering::Release);
            expiry.send();
        }
    }
}
