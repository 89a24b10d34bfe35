//! Sleeping locks.
use crate::ambient;
use crate::rank::Rank;
use crate::thread::Sleep;
use crate::wait::{WaitError, WaitQueue};
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// A lock whose holder may sleep. Process context only.
pub struct Mutex<T: ?Sized> {
    state: AtomicU32,
    #[cfg(debug_assertions)]
    rank: Rank,
    waiters: WaitQueue,
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives one holder at a time the value.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
// SAFETY: as any owner.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}

impl<T> Mutex<T> {
    pub const fn new(rank: Rank, value: T) -> Self {
        #[cfg(not(debug_assertions))]
        let _ = rank;
        Self {
            state: AtomicU32::new(FREE),
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

impl<T: ?Sized> Mutex<T> {
    /// Takes the lock, sleeping while another thread holds it.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.lock_ranked(false)
    }

    /// Takes the lock inside another of the same rank, where the caller has an order of its own (parent before child,
    /// lower address first), which it states at the call.
    pub fn lock_nested(&self) -> MutexGuard<'_, T> {
        self.lock_ranked(true)
    }

    /// Takes the lock, unless a signal comes first while another thread holds it.
    pub fn lock_interruptible(&self) -> Result<MutexGuard<'_, T>, WaitError> {
        ambient::might_sleep();
        if self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.waiters.wait_exclusive(Sleep::Interruptible, None, || {
                (self.state.swap(CONTENDED, Ordering::Acquire) == FREE).then_some(())
            })?;
        }
        #[cfg(debug_assertions)]
        ambient::rank_acquire(self.rank, false);
        Ok(MutexGuard { mutex: self, unsendable: PhantomData })
    }

    #[inline]
    fn lock_ranked(&self, same: bool) -> MutexGuard<'_, T> {
        ambient::might_sleep();
        #[cfg(debug_assertions)]
        ambient::rank_acquire(self.rank, same);
        #[cfg(not(debug_assertions))]
        let _ = same;
        if self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.lock_slowly();
        }
        MutexGuard { mutex: self, unsendable: PhantomData }
    }

    #[cold]
    fn lock_slowly(&self) {
        let taken = self.waiters.wait_exclusive(Sleep::Uninterruptible, None, || {
            (self.state.swap(CONTENDED, Ordering::Acquire) == FREE).then_some(())
        });
        debug_assert!(taken.is_ok());
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).ok()?;
        #[cfg(debug_assertions)]
        ambient::rank_acquire(self.rank, true);
        Some(MutexGuard { mutex: self, unsendable: PhantomData })
    }

    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

/// The value, while the lock is held.
#[must_use]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    unsendable: PhantomData<*const ()>,
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: this guard holds the lock.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard holds the lock.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        #[cfg(debug_assertions)]
        ambient::rank_release(self.mutex.rank);
        if self.mutex.state.swap(FREE, Ordering::Release) == CONTENDED {
            self.mutex.waiters.wake_one();
        }
    }
}
