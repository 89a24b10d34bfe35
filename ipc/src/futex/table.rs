//! The operations, over the table of buckets.
use super::bucket::{Bucket, Room};
use super::waiter::Waiter;
use super::{Fault, Key, MATCH_ANY, WakeOperation};
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use smallvec::SmallVec;
use sync::thread::Sleep;
use sync::{Rank, SpinGuard, SpinLock, WaitError, lock_pair, park};

/// How many waiters to wake or move: an argument of the program's.
pub type Count = u32;

/// Why a futex operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FutexFailure {
    /// With an error for the program.
    Error(Errno),
    /// The word's page must be brought in first; then call again, with a new key.
    Fault,
    /// The wait ended early.
    Wait(WaitError),
}

impl From<Fault> for FutexFailure {
    fn from(Fault: Fault) -> Self {
        Self::Fault
    }
}

impl From<Errno> for FutexFailure {
    fn from(error: Errno) -> Self {
        Self::Error(error)
    }
}

/// What a requeue did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requeued {
    pub woken: usize,
    pub moved: usize,
}

/// All futexes there are.
pub struct Futexes {
    buckets: Box<[SpinLock<Bucket>]>,
    seed: u64,
}

/// Waiters to wake once the locks are dropped.
struct Batch(SmallVec<[Arc<Waiter>; 8]>);

impl Batch {
    fn new() -> Self {
        Self(SmallVec::new())
    }

    fn add(&mut self, waiter: Arc<Waiter>) {
        waiter.leave();
        if self.0.len() == self.0.inline_size() {
            self.flush();
        }
        self.0.push(waiter);
    }

    fn flush(&mut self) {
        self.0.drain(..).for_each(|waiter| waiter.wake());
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The locked buckets of two keys, which may be one bucket.
struct Pair<'a> {
    first: SpinGuard<'a, Bucket>,
    second: Option<SpinGuard<'a, Bucket>>,
}

impl Pair<'_> {
    fn second(&mut self) -> &mut Bucket {
        self.second.as_deref_mut().unwrap_or(&mut self.first)
    }
}

impl Futexes {
    /// A table of about `buckets` buckets (Linux takes 256 for each CPU), hashed with `seed`. `None` without memory.
    pub fn new(buckets: usize, seed: u64) -> Option<Self> {
        let count = buckets.clamp(1, 1 << 20).next_power_of_two();
        let mut table = Vec::new();
        table.try_reserve_exact(count).ok()?;
        table.extend((0..count as u32).map(|number| SpinLock::new(Rank::Futex, Bucket::new(number))));
        Some(Self { buckets: table.into_boxed_slice(), seed: seed | 1 })
    }

    fn number(&self, key: Key) -> usize {
        let (owner, place) = match key {
            Key::Private { space, address } => (space.wrapping_mul(2), address),
            Key::Shared { object, offset } => (object.wrapping_mul(2) | 1, offset),
        };
        let mixed = (owner.rotate_left(32) ^ place >> 2 ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(self.seed);
        (mixed >> 32) as usize & (self.buckets.len() - 1)
    }

    fn bucket(&self, key: Key) -> &SpinLock<Bucket> {
        &self.buckets[self.number(key)]
    }

    /// Gives back what buckets keep for the next waiters.
    pub fn give_back(&self) {
        for bucket in &self.buckets {
            let room = bucket.lock().give_back();
            drop(room);
        }
    }

    /// Waits until somebody wakes `waiter`, which is the current thread's, through a bit of `bitset`: FUTEX_WAIT and
    /// FUTEX_WAIT_BITSET. `deadline` is in nanoseconds of [`sync::now`]. EAGAIN where the word is not `expected`; EINVAL for
    /// an empty bitset; ENOMEM. May sleep; `read` must not.
    pub fn wait(
        &self,
        waiter: &Arc<Waiter>,
        key: Key,
        bitset: u32,
        expected: u32,
        deadline: Option<u64>,
        mut read: impl FnMut() -> Result<u32, Fault>,
    ) -> Result<(), FutexFailure> {
        if bitset == 0 {
            return Err(Errno::EINVAL.into());
        }
        let mut bucket = self.bucket(key).lock();
        while let Some(size) = bucket.lacks(1) {
            drop(bucket);
            let room = Room::new(size).ok_or(Errno::ENOMEM)?;
            bucket = self.bucket(key).lock();
            let old = bucket.grow(room);
            drop(bucket);
            drop(old);
            bucket = self.bucket(key).lock();
        }
        if read()? != expected {
            return Err(Errno::EAGAIN.into());
        }
        if !bucket.append(key, bitset, waiter.clone()) {
            return Err(Errno::ENOMEM.into());
        }
        drop(bucket);
        let woken = || waiter.place().is_none().then_some(());
        match park(Sleep::Interruptible, deadline, woken) {
            Err(reason) if self.withdraw(waiter) => Err(FutexFailure::Wait(reason)),
            _ => Ok(()),
        }
    }

    /// Takes a waiter out wherever it is queued by now; false where it was woken.
    fn withdraw(&self, waiter: &Waiter) -> bool {
        while let Some(place) = waiter.place() {
            let Some(lock) = self.buckets.get(place.bucket as usize) else { return false };
            let mut bucket = lock.lock();
            if waiter.place() == Some(place) {
                let removed = bucket.remove(place.slot);
                waiter.leave();
                let room = bucket.shrink();
                drop(bucket);
                drop((removed, room));
                return true;
            }
        }
        false
    }

    /// Wakes up to `count` waiters (and at least one, as Linux does) that wait for a bit of `bitset`: FUTEX_WAKE and
    /// FUTEX_WAKE_BITSET; answers how many. EINVAL for an empty bitset. Any context but interrupts.
    pub fn wake(&self, key: Key, count: Count, bitset: u32) -> Result<usize, FutexFailure> {
        if bitset == 0 {
            return Err(Errno::EINVAL.into());
        }
        let mut batch = Batch::new();
        let mut bucket = self.bucket(key).lock();
        let woken = wake_in(&mut bucket, key, count, bitset, &mut batch);
        let room = if woken > 0 { bucket.shrink() } else { None };
        drop(bucket);
        drop((batch, room));
        Ok(woken)
    }

    /// Wakes up to `wake` waiters of `from` and moves up to `requeue` more to `to`: FUTEX_REQUEUE, and with `compare` (the
    /// expected value of the first word and how to read it) FUTEX_CMP_REQUEUE. EAGAIN where the word is another; ENOMEM.
    /// May sleep; the closure must not.
    pub fn requeue<R: FnMut() -> Result<u32, Fault>>(
        &self,
        from: Key,
        to: Key,
        wake: Count,
        requeue: Count,
        mut compare: Option<(u32, R)>,
    ) -> Result<Requeued, FutexFailure> {
        let mut batch = Batch::new();
        let mut pair = self.lock_pair(from, to);
        loop {
            // The places are reserved before anything is done. One bucket's own slots serve where both keys share it.
            let moving = if from == to { 0 } else { pair.waiting(from, wake, requeue) };
            let Some(size) = pair.second().lacks(moving).filter(|_| moving > 0) else { break };
            drop(pair);
            let room = Room::new(size).ok_or(Errno::ENOMEM)?;
            pair = self.lock_pair(from, to);
            let old = pair.second().grow(room);
            drop(pair);
            drop(old);
            pair = self.lock_pair(from, to);
        }
        if let Some((expected, read)) = &mut compare
            && read()? != *expected
        {
            return Err(Errno::EAGAIN.into());
        }
        let mut done = Requeued::default();
        if wake > 0 {
            done.woken = wake_in(&mut pair.first, from, wake, MATCH_ANY, &mut batch);
        }
        done.moved = pair.move_waiters(from, to, requeue);
        let room = pair.first.shrink();
        drop(pair);
        drop((batch, room));
        Ok(done)
    }

    /// Changes the second word by `update` (which applies `operation` atomically and answers the old value), wakes up to
    /// `first_count` waiters of the first and, where the comparison holds, `second_count` of the second: FUTEX_WAKE_OP.
    /// Answers how many it woke. `update` must not sleep.
    pub fn wake_operation(
        &self,
        first: (Key, Count),
        second: (Key, Count),
        operation: WakeOperation,
        update: impl FnOnce(WakeOperation) -> Result<u32, Fault>,
    ) -> Result<usize, FutexFailure> {
        let mut batch = Batch::new();
        let mut pair = self.lock_pair(first.0, second.0);
        let old = update(operation)?;
        let mut woken = wake_in(&mut pair.first, first.0, first.1, MATCH_ANY, &mut batch);
        if operation.holds(old) {
            woken += wake_in(pair.second(), second.0, second.1, MATCH_ANY, &mut batch);
        }
        drop(pair);
        drop(batch);
        Ok(woken)
    }

    fn lock_pair(&self, first: Key, second: Key) -> Pair<'_> {
        let (first, second) = (self.bucket(first), self.bucket(second));
        if core::ptr::eq(first, second) {
            return Pair { first: first.lock(), second: None };
        }
        let (first, second) = lock_pair(first, second);
        Pair { first, second: Some(second) }
    }
}

/// Wakes up to `count` waiters, at least one.
fn wake_in(bucket: &mut Bucket, key: Key, count: Count, bits: u32, batch: &mut Batch) -> usize {
    let limit = count.max(1) as usize;
    let mut woken = 0;
    let mut slot = bucket.first(key);
    while let Some(current) = slot {
        slot = bucket.next(current);
        if !bucket.matches(current, bits) {
            continue;
        }
        if let Some((waiter, _)) = bucket.remove(current) {
            batch.add(waiter);
            woken += 1;
        }
        if woken == limit {
            break;
        }
    }
    woken
}

impl Pair<'_> {
    /// How many waiters a requeue would move.
    fn waiting(&self, key: Key, wake: Count, requeue: Count) -> usize {
        let mut count = 0;
        let mut slot = self.first.first(key);
        let limit = (wake as usize).saturating_add(requeue as usize);
        while let Some(current) = slot.filter(|_| count < limit) {
            count += 1;
            slot = self.first.next(current);
        }
        count.saturating_sub(wake as usize)
    }

    fn move_waiters(&mut self, from: Key, to: Key, limit: Count) -> usize {
        let mut moved = 0;
        let mut slot = self.first.first(from);
        while let Some(current) = slot.filter(|_| moved < limit as usize) {
            slot = self.first.next(current);
            // Onto itself a queue keeps its order: the waiters only count as moved.
            if from != to
                && let Some((waiter, bitset)) = self.first.remove(current)
                && !self.second().append(to, bitset, waiter.clone())
            {
                // Cannot happen, room was reserved; a spurious wake-up is always allowed.
                waiter.leave();
                waiter.wake();
            }
            moved += 1;
        }
        moved
    }
}

impl core::fmt::Debug for Futexes {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Futexes").field("buckets", &self.buckets.len()).finish()
    }
}
