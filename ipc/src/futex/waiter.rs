//! A thread as futexes know it.
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use sync::{Thread, unpark};

/// In no bucket: woken, or never queued.
const NOWHERE: u64 = u64::MAX;

/// Where a waiter is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub bucket: u32,
    pub slot: u32,
}

/// A thread's ability to wait: one per thread, made once.
pub struct Waiter {
    thread: Arc<Thread>,
    place: AtomicU64,
}

impl Waiter {
    /// For `thread`, and for no other to wait with.
    pub fn new(thread: Arc<Thread>) -> Arc<Self> {
        Arc::new(Self { thread, place: AtomicU64::new(NOWHERE) })
    }

    /// `None` once it was woken. The place may be another one until its bucket is locked.
    pub(super) fn place(&self) -> Option<Place> {
        let place = self.place.load(Ordering::Acquire);
        (place != NOWHERE).then_some(Place { bucket: (place >> 32) as u32, slot: place as u32 })
    }

    /// Under the lock of the bucket.
    pub(super) fn set_place(&self, place: Place) {
        self.place.store(u64::from(place.bucket) << 32 | u64::from(place.slot), Ordering::Release);
    }

    /// Under the lock of the bucket that it was in.
    pub(super) fn leave(&self) {
        self.place.store(NOWHERE, Ordering::Release);
    }

    pub(super) fn wake(&self) {
        unpark(&self.thread);
    }
}
