//! A queue of pollers that costs nothing while nobody polls.
use abi::Errno;
use core::sync::atomic::{AtomicBool, Ordering, fence};
use sync::{PollQueue, Registrations};

/// The pollers of an object. Until the first one comes, a change of the object costs one look at a flag.
pub struct Readiness {
    polled: AtomicBool,
    queue: PollQueue,
}

impl Readiness {
    pub fn new() -> Self {
        Self { polled: AtomicBool::new(false), queue: PollQueue::new() }
    }

    /// Joins the queue; the caller looks at the object's state afterwards. ENOMEM.
    pub fn register(&self, registrations: &mut Registrations) -> Result<(), Errno> {
        self.polled.store(true, Ordering::Relaxed);
        let joined = registrations.add(&self.queue);
        fence(Ordering::SeqCst);
        if joined { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// Tells all pollers that the state has changed. Any context but NMI.
    #[inline]
    pub fn notify(&self) {
        fence(Ordering::SeqCst);
        if self.polled.load(Ordering::Relaxed) {
            self.queue.wake_all();
        }
    }

    /// The same from within [`sync::Notify::notify`].
    pub fn notify_inside(&self) {
        fence(Ordering::SeqCst);
        if self.polled.load(Ordering::Relaxed) {
            self.queue.wake_all_inside();
        }
    }
}

impl core::fmt::Debug for Readiness {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("Readiness")
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}
