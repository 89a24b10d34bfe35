//! Reader–writer semaphores: many readers or one writer, all of whom may sleep. A waiting writer holds new readers back.
use crate::ambient;
use crate::rank::Rank;
use crate::wait::WaitQueue;
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};

/// Set while a writer holds it.
const WRITER: u32 = 1 << 31;
/// Set while a writer waits.
const WRITER_WAITS: u32 = 1 << 30;
/// Number of readers.
const READERS: u32 = WRITER_WAITS - 1;

/// A value for many readers or one writer. Process context only.
pub struct RwSemaphore<T: ?Sized> {
    state: AtomicU32,
    #[cfg(debug_assertions)]
    rank: Rank,
    waiters: WaitQueue,
    value: UnsafeCell<T>,
}

// SAFETY: readers share the value, a writer has it alone.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwSemaphore<T> {}
// SAFETY: as any owner.
unsafe impl<T: ?Sized + Send> Send for RwSemaphore<T> {}

impl<T> RwSemaphore<T> {
    pub const fn new(rank: Rank, value: T) -> Self {
        #[cfg(not(debug_assertions))]
        let _ = rank;
        Self {
            state: AtomicU32::new(0),
            #[cfg(debug_assertions)]
            rank,
            waiters: WaitQueue::new(),
            value: UnsafeCell::new(value),
        }
    }

    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwSemaphore<T> {
    /// The value, for its only owner.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[inline(always)]
    fn check(&self, same: bool) {
        ambient::might_sleep();
        #[cfg(debug_assertions)]
        ambient::rank_acquire(self.rank, same);
        #[cfg(not(debug_assertions))]
        let _ = same;
    }

    /// Takes it for reading, sleeping while a writer has or awaits it.
    #[inline]
    pub fn read(&self) -> ReadGuard<'_, T> {
        self.check(false);
        if !self.try_read_once() {
            self.sleep(|| self.try_read_once());
        }
        ReadGuard { semaphore: self, unsendable: PhantomData }
    }

    #[inline]
    fn try_read_once(&self) -> bool {
        // Only a writer, whose end wakes, is a reason to wait: an exchange lost to another reader is tried again.
        let one_more = |state: u32| (state & (WRITER | WRITER_WAITS) == 0).then_some(state + 1);
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more).is_ok()
    }

    /// Takes it for writing, sleeping while anybody has it.
    #[inline]
    pub fn write(&self) -> WriteGuard<'_, T> {
        self.write_ranked(false)
    }

    /// Takes it for writing inside another of the same rank, in an order that the caller states.
    pub fn write_nested(&self) -> WriteGuard<'_, T> {
        self.write_ranked(true)
    }

    #[inline]
    fn write_ranked(&self, same: bool) -> WriteGuard<'_, T> {
        self.check(same);
        if self.state.compare_exchange(0, WRITER, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.sleep(|| self.try_write_once());
        }
        WriteGuard { semaphore: self, unsendable: PhantomData }
    }

    /// Takes it, or marks that a writer waits. The mark goes with the writer that gets it; others set it again.
    fn try_write_once(&self) -> bool {
        // One exchange for the look and the mark: a holder that was seen sees the mark when it goes.
        let next = |state: u32| Some(if state & !WRITER_WAITS == 0 { WRITER } else { state | WRITER_WAITS });
        let before = self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, next);
        before.is_ok_and(|state| state & !WRITER_WAITS == 0)
    }

    #[cold]
    fn sleep(&self, attempt: impl FnMut() -> bool) {
        self.waiters.wait_until(attempt);
    }

    fn release_read(&self) {
        let before = self.state.fetch_sub(1, Ordering::Release);
        if before & READERS == 1 && before & WRITER_WAITS != 0 {
            self.waiters.wake_all();
        }
    }

    fn release_write(&self) {
        self.state.fetch_and(!(WRITER | WRITER_WAITS), Ordering::Release);
        self.waiters.wake_all();
    }
}

/// Shared access.
#[must_use]
pub struct ReadGuard<'a, T: ?Sized> {
    semaphore: &'a RwSemaphore<T>,
    unsendable: PhantomData<*const ()>,
}

/// Exclusive access.
#[must_use]
pub struct WriteGuard<'a, T: ?Sized> {
    semaphore: &'a RwSemaphore<T>,
    unsendable: PhantomData<*const ()>,
}

impl<T: ?Sized> Deref for ReadGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: held for reading.
        unsafe { &*self.semaphore.value.get() }
    }
}

impl<T: ?Sized> Deref for WriteGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: held for writing.
        unsafe { &*self.semaphore.value.get() }
    }
}

impl<T: ?Sized> DerefMut for WriteGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: held for writing.
        unsafe { &mut *self.semaphore.value.get() }
    }
}

impl<T: ?Sized> Drop for ReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        #[cfg(debug_assertions)]
        ambient::rank_release(self.semaphore.rank);
        self.semaphore.release_read();
    }
}

impl<T: ?Sized> Drop for WriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        #[cfg(debug_assertions)]
        ambient::rank_release(self.semaphore.rank);
        self.semaphore.release_write();
    }
}
