//! A sequence lock: writers never wait for readers, and readers retry.
use crate::atomic_context::{Context, Preempt};
use crate::rank::Rank;
use crate::spin::SpinLock;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering, fence};

/// A small value that is copied out by readers without a lock.
pub struct SequenceLock<T: Copy, C: Context = Preempt> {
    sequence: AtomicU32,
    writers: SpinLock<(), C>,
    value: UnsafeCell<T>,
}

// SAFETY: readers copy bytes and use the copy only if no writer was there meanwhile.
unsafe impl<T: Copy + Send, C: Context> Sync for SequenceLock<T, C> {}

impl<T: Copy, C: Context> SequenceLock<T, C> {
    pub const fn new(rank: Rank, value: T) -> Self {
        Self { sequence: AtomicU32::new(0), writers: SpinLock::new(rank, ()), value: UnsafeCell::new(value) }
    }

    /// A copy that no writer changed halfway. From any context that the writers exclude.
    #[inline]
    pub fn read(&self) -> T {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            // SAFETY: a volatile copy; it may be torn, and is then thrown away unseen.
            let copy = unsafe { core::ptr::read_volatile(self.value.get().cast::<core::mem::MaybeUninit<T>>()) };
            fence(Ordering::Acquire);
            if before & 1 == 0 && self.sequence.load(Ordering::Relaxed) == before {
                // SAFETY: a whole value, since no writer came between.
                return unsafe { copy.assume_init() };
            }
            core::hint::spin_loop();
        }
    }

    /// Changes the value, and answers what `change` answers.
    pub fn write<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let _writer = self.writers.lock();
        let mut value = self.read();
        let answer = change(&mut value);
        self.sequence.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::Release);
        // SAFETY: writers exclude each other; readers discard what they copy meanwhile.
        unsafe { core::ptr::write_volatile(self.value.get(), value) };
        self.sequence.fetch_add(1, Ordering::Release);
        answer
    }
}
