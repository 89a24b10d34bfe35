//! The counter behind eventfd (`eventfd(2)`).
//!
//! One 64-bit count, changed by compare-and-exchange: no lock to hold. Adding wakes one reader, or as many as a semaphore
//! has units; taking makes room, so all writers that wait for room look again.
use crate::{Failure, Readiness};
use abi::Errno;
use abi::raw::general::{POLLERR, POLLIN, POLLOUT};
use core::sync::atomic::{AtomicU64, Ordering};
use sync::thread::Sleep;
use sync::{Registrations, WaitQueue};

/// The largest count: one below the value that means an overflow.
const MAXIMUM: u64 = u64::MAX - 1;

/// A count that is added to and taken from.
pub struct EventCounter {
    count: AtomicU64,
    semaphore: bool,
    readers: WaitQueue,
    writers: WaitQueue,
    readiness: Readiness,
}

impl EventCounter {
    /// With `semaphore` (EFD_SEMAPHORE) each read takes one unit, else all.
    pub fn new(initial: u32, semaphore: bool) -> Self {
        Self {
            count: AtomicU64::new(u64::from(initial)),
            semaphore,
            readers: WaitQueue::new(),
            writers: WaitQueue::new(),
            readiness: Readiness::new(),
        }
    }

    /// The count now, for /proc/PID/fdinfo.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Takes what a read takes. EAGAIN where nothing is there and `nonblocking`; else sleeps.
    pub fn read(&self, nonblocking: bool) -> Result<u64, Failure> {
        let taken = match self.take() {
            Some(taken) => taken,
            None if nonblocking => return Err(Errno::EAGAIN.into()),
            None => self.readers.wait_exclusive(Sleep::Interruptible, None, || self.take())?,
        };
        self.writers.wake_all();
        self.readiness.notify();
        Ok(taken)
    }

    fn take(&self) -> Option<u64> {
        let taken = |count: u64| if self.semaphore { count.min(1) } else { count };
        self.count
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| (count > 0).then(|| count - taken(count)))
            .ok()
            .map(taken)
    }

    /// Adds `value`. EINVAL for the one value that cannot be added; EAGAIN where it does not fit and `nonblocking`; else sleeps.
    pub fn write(&self, value: u64, nonblocking: bool) -> Result<(), Failure> {
        if value == u64::MAX {
            return Err(Errno::EINVAL.into());
        }
        if !self.add(value) {
            if nonblocking {
                return Err(Errno::EAGAIN.into());
            }
            self.writers.wait(Sleep::Interruptible, None, || self.add(value).then_some(()))?;
        }
        if value > 0 {
            let readers = if self.semaphore { usize::try_from(value).unwrap_or(usize::MAX) } else { 1 };
            self.readers.wake_many(readers);
            self.readiness.notify();
        }
        Ok(())
    }

    /// Adds as the kernel does for its own events: never sleeps, stops at the overflow mark. Any context but NMI.
    pub fn signal(&self) {
        let _ = self.count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_add(1));
        self.readers.wake_one();
        self.readiness.notify();
    }

    fn add(&self, value: u64) -> bool {
        self.count
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
                count.checked_add(value).filter(|sum| *sum <= MAXIMUM)
            })
            .is_ok()
    }

    /// The poll mask; joins the pollers first where `registrations` are given. ENOMEM.
    pub fn poll(&self, registrations: Option<&mut Registrations>) -> Result<u32, Errno> {
        if let Some(registrations) = registrations {
            self.readiness.register(registrations)?;
        }
        let count = self.count.load(Ordering::SeqCst);
        let when = |condition: bool, bit: u32| if condition { bit } else { 0 };
        Ok(when(count > 0, POLLIN) | when(count == u64::MAX, POLLERR) | when(count < MAXIMUM, POLLOUT))
    }
}

#[cfg(test)]
mod tests;
