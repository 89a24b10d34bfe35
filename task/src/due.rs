//! What is due because a timer has expired, and cannot be done in the interrupt: sending a signal takes the tree's lock and allocates.
//!
//! The interrupt only queues the work, and a worker of its CPU does it ([`crate::work`]). Timers are armed again there and not in the
//! interrupt, which bounds what a period of a microsecond can cost to the worker's fair share. Work that is queued already when its timer
//! expires again is done once: whoever does it looks at the timer as it is then.
use crate::work::{Place, Work};
use abi::Errno;
use alloc::sync::{Arc, Weak};
use scheduler::{Expire, Timer};

/// Has something to do when a timer expires.
pub(crate) trait Due: Send + Sync {
    /// In process context. The timer may have been set anew since the interrupt, so the state as it is now counts.
    fn due(self: Arc<Self>);
}

/// A timer that has `target` do what is due, not armed; it goes with `target`, which owns it. ENOMEM.
pub(crate) fn timer(target: Weak<dyn Due>) -> Result<Timer, Errno> {
    let work = Work::new(move || {
        if let Some(target) = target.upgrade() {
            target.due();
        }
    });
    Timer::calling(Arc::new(Expiry(work))).ok_or(Errno::ENOMEM)
}

/// The expiry of one timer, as the interrupt sees it.
struct Expiry(Arc<Work>);

impl Expire for Expiry {
    fn expire(&self, _: u64) -> Option<u64> {
        self.0.queue(Place::ThisCpu);
        None
    }
}
