//! Spinlocks: tickets, so that waiters are served in order.
use crate::ambient;
use crate::atomic_context::{Context, Preempt};
use crate::rank::Rank;
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU16, Ordering};

/// The lock word without its value: two counters as at a counter desk.
#[derive(Debug)]
pub(crate) struct RawSpin {
    next: AtomicU16,
    serving: AtomicU16,
}

impl RawSpin {
    pub(crate) const fn new() -> Self {
        Self { next: AtomicU16::new(0), serving: AtomicU16::new(0) }
    }

    #[inline(always)]
    fn acquire(&self) {
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        if self.serving.load(Ordering::Acquire) != ticket {
            self.wait(ticket);
        }
    }

    #[cold]
    fn wait(&self, ticket: u16) {
        while self.serving.load(Ordering::Acquire) != ticket {
            ambient::relax();
        }
    }

    #[inline(always)]
    fn try_acquire(&self) -> bool {
        let serving = self.serving.load(Ordering::Relaxed);
        self.next.compare_exchange(serving, serving.wrapping_add(1), Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[inline(always)]
    pub(crate) fn release(&self) {
        let serving = self.serving.load(Ordering::Relaxed);
        self.serving.store(serving.wrapping_add(1), Ordering::Release);
    }

    fn is_locked(&self) -> bool {
        self.serving.load(Ordering::Relaxed) != self.next.load(Ordering::Relaxed)
    }
}

/// A value behind a spinlock, used in context `C`. May be taken wherever `C` is the strongest context that uses it.
pub struct SpinLock<T: ?Sized, C: Context = Preempt> {
    raw: RawSpin,
    #[cfg(debug_assertions)]
    rank: Rank,
    context: PhantomData<fn() -> C>,
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives one holder at a time the value.
unsafe impl<T: ?Sized + Send, C: Context> Sync for SpinLock<T, C> {}
// SAFETY: as any owner.
unsafe impl<T: ?Sized + Send, C: Context> Send for SpinLock<T, C> {}

impl<T, C: Context> SpinLock<T, C> {
    /// A free lock of `rank` around `value`.
    pub const fn new(rank: Rank, value: T) -> Self {
        #[cfg(not(debug_assertions))]
        let _ = rank;
        Self {
            raw: RawSpin::new(),
            #[cfg(debug_assertions)]
            rank,
            context: PhantomData,
            value: UnsafeCell::new(value),
        }
    }

    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized, C: Context> SpinLock<T, C> {
    /// Takes the lock, spinning while another CPU holds it.
    #[inline(always)]
    pub fn lock(&self) -> SpinGuard<'_, T, C> {
        C::enter();
        self.check(false);
        self.raw.acquire();
        SpinGuard { lock: self, unsendable: PhantomData }
    }

    /// Takes the lock if it is free. Outside the lock order, since it never waits.
    #[inline]
    pub fn try_lock(&self) -> Option<SpinGuard<'_, T, C>> {
        C::enter();
        if self.raw.try_acquire() {
            self.check(true);
            return Some(SpinGuard { lock: self, unsendable: PhantomData });
        }
        C::leave();
        None
    }

    /// Takes the lock inside another of the same rank, in an order that the caller states.
    #[inline]
    pub fn lock_inside(&self) -> SpinGuard<'_, T, C> {
        C::enter();
        self.check(true);
        self.raw.acquire();
        SpinGuard { lock: self, unsendable: PhantomData }
    }

    #[inline(always)]
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Whether somebody held it a moment ago. For dumps.
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    #[inline(always)]
    fn check(&self, same: bool) {
        #[cfg(debug_assertions)]
        ambient::rank_acquire(self.rank, same);
        #[cfg(not(debug_assertions))]
        let _ = same;
    }

    #[inline(always)]
    fn unlock(&self) {
        #[cfg(debug_assertions)]
        ambient::rank_release(self.rank);
        self.raw.release();
    }
}

/// Takes two locks of one rank, in the order of their addresses.
///
/// # Panics
/// Where both are the same lock.
pub fn lock_pair<'a, T: ?Sized, C: Context>(
    first: &'a SpinLock<T, C>,
    second: &'a SpinLock<T, C>,
) -> (SpinGuard<'a, T, C>, SpinGuard<'a, T, C>) {
    let address = |lock: &'a SpinLock<T, C>| core::ptr::from_ref(lock).cast::<()>() as usize;
    assert_ne!(address(first), address(second), "a lock taken twice");
    let same_rank = |lock: &'a SpinLock<T, C>| {
        C::enter();
        lock.check(true);
        lock.raw.acquire();
        SpinGuard { lock, unsendable: PhantomData }
    };
    if address(first) < address(second) {
        let first = first.lock();
        (first, same_rank(second))
    } else {
        let second = second.lock();
        (same_rank(first), second)
    }
}

/// The value, while the lock is held.
#[must_use]
pub struct SpinGuard<'a, T: ?Sized, C: Context = Preempt> {
    lock: &'a SpinLock<T, C>,
    unsendable: PhantomData<*const ()>,
}

#[cfg(target_os = "none")]
impl<'a, T: ?Sized, C: Context> SpinGuard<'a, T, C> {
    /// Gives up the guard but not the lock, for [`crate::switch`]; the rank is dropped, the context stays entered.
    pub(crate) fn into_raw(self) -> &'a RawSpin {
        #[cfg(debug_assertions)]
        ambient::rank_release(self.lock.rank);
        let raw = &self.lock.raw;
        core::mem::forget(self);
        raw
    }
}

impl<T: ?Sized, C: Context> Deref for SpinGuard<'_, T, C> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: this guard holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized, C: Context> DerefMut for SpinGuard<'_, T, C> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard holds the lock.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized, C: Context> Drop for SpinGuard<'_, T, C> {
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.unlock();
        C::leave();
    }
}

impl<T: ?Sized + fmt::Debug, C: Context> fmt::Debug for SpinLock<T, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(value) => value.fmt(formatter),
            None => formatter.write_str("<locked>"),
        }
    }
}
