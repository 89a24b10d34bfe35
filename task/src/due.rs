//! What is due because a timer has expired, and cannot be done in the interrupt: sending a signal takes the tree's lock and allocates.
//!
//! The interrupt only links what expired into a list and wakes a thread of the kernel's own, which does the rest. Timers are armed
//! again there and not in the interrupt, which bounds what a period of a microsecond can cost to that thread's fair share.
//!
//! **Locks.** The list's lock takes nothing but the link of the entry that goes in.
use crate::kernel_threads::Role;
use abi::Errno;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};
use scheduler::{Expire, Timer};
use sync::{InterruptsOff, Rank, Sleep, SpinLock, WaitQueue};

/// Has something to do when a timer expires.
pub(crate) trait Due: Send + Sync {
    /// In process context. The timer may have been set anew since the interrupt, so the state as it is now counts.
    fn due(self: Arc<Self>);
}

/// A timer that has `target` do what is due, not armed; it goes with `target`, which owns it. ENOMEM.
pub(crate) fn timer(target: Weak<dyn Due>) -> Result<Timer, Errno> {
    start_sender()?;
    Timer::calling(Expiry::new(target)).ok_or(Errno::ENOMEM)
}

/// The expiry of one timer, as the interrupt sees it.
struct Expiry {
    target: Weak<dyn Due>,
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
    fn new(target: Weak<dyn Due>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            target,
            this: this.clone(),
            listed: AtomicBool::new(false),
            next: SpinLock::new(Rank::Leaf, None),
        })
    }

    fn send(&self) {
        if let Some(target) = self.target.upgrade() {
            target.due();
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
    let thread = crate::kernel_threads::spawn(format_args!("posix-timers"), Role::Free, || send_expired());
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
