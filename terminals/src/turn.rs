//! One at a time, for as long as it takes.
use abi::Errno;
use core::sync::atomic::{AtomicBool, Ordering};
use sync::{Sleep, WaitQueue};

/// A place that one caller has at a time, sleeping or not: two readers at once would share lines.
#[derive(Default)]
pub struct Turn {
    taken: AtomicBool,
    waiting: WaitQueue,
}

/// Having it.
pub struct Taken<'a>(&'a Turn);

impl Turn {
    /// Waits for it. EAGAIN where it is taken and the caller may not wait; EINTR.
    pub fn take(&self, may_wait: bool) -> Result<Taken<'_>, Errno> {
        let take = || (!self.taken.swap(true, Ordering::Acquire)).then_some(Taken(self));
        if !may_wait {
            return take().ok_or(Errno::EAGAIN);
        }
        self.waiting.wait_exclusive(Sleep::Interruptible, None, take).map_err(|_| Errno::EINTR)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::Release);
        self.0.waiting.wake_one();
    }
}
