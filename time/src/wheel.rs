//! Coarse time-outs, counted in ticks: constant time to arm and to cancel, and up to an eighth late.
//!
//! Nine levels of 64 buckets; a bucket of level *n* is 8^n ticks wide. A timer goes into the finest level that reaches its
//! expiry, rounded up to that level's width, and stays there until it fires: timers are not moved to finer levels as they
//! come near (nearly all are cancelled first). Hence the lateness: at most 8/63 of the delay, never early.

use crate::slots::{Slots, TimerId};
use alloc::collections::TryReserveError;

const BUCKETS: usize = 64;
const LEVELS: usize = 9;
/// log2 of how much wider each level's buckets are than those of the one below.
const WIDEN: u32 = 3;
/// The list of timers that have expired and not been taken out yet.
const EXPIRED: u16 = (LEVELS * BUCKETS) as u16;
/// The furthest that the wheel reaches; a timer beyond goes round again.
const REACH: u64 = (BUCKETS as u64 - 1) << (WIDEN * (LEVELS as u32 - 1));

#[derive(Debug)]
struct Timer<T> {
    /// The bucket that it hangs in, if armed, and its neighbours there.
    bucket: Option<u16>,
    previous: Option<u32>,
    next: Option<u32>,
    expires: u64,
    payload: T,
}

/// Time-outs that carry a `T`. Ticks are counted from boot and do not wrap around within its lifetime (2^64 of them).
///
/// INVARIANT: a bit of `pending` is set if and only if its bucket has timers; all timers in buckets fire at `clock` or
/// later, and at `earliest` or later.
#[derive(Debug)]
pub struct TimerWheel<T> {
    timers: Slots<Timer<T>>,
    heads: [Option<u32>; LEVELS * BUCKETS + 1],
    pending: [u64; LEVELS],
    /// The next tick to process.
    clock: u64,
    /// Nothing fires before this.
    earliest: u64,
}

impl<T> TimerWheel<T> {
    /// An empty wheel at tick `now`.
    #[must_use]
    pub const fn new(now: u64) -> Self {
        Self {
            timers: Slots::new(),
            heads: [None; LEVELS * BUCKETS + 1],
            pending: [0; LEVELS],
            clock: now,
            earliest: u64::MAX,
        }
    }

    /// Makes room for `more` timers. Allocates.
    pub fn try_reserve(&mut self, more: usize) -> Result<(), TryReserveError> {
        self.timers.try_reserve(more)
    }

    /// Adds a timer, not armed. Hands the payload back if there is no room. Does not allocate.
    pub fn add(&mut self, payload: T) -> Result<TimerId, T> {
        let timer = Timer { bucket: None, previous: None, next: None, expires: 0, payload };
        self.timers.insert(timer).map_err(|timer| timer.payload)
    }

    /// Removes a timer, armed or not, with what it carried.
    pub fn release(&mut self, id: TimerId) -> Option<T> {
        self.disarm(id);
        self.timers.remove(id).map(|timer| timer.payload)
    }

    /// Arms a timer for the tick `expires`, or changes its expiry; `now` is the present tick. A delay that began in the
    /// middle of a tick needs one tick more than its length.
    pub fn arm(&mut self, id: TimerId, expires: u64, now: u64) {
        self.disarm(id);
        let Some(timer) = self.timers.get_mut(id) else {
            return;
        };
        timer.expires = expires;
        // A wheel that has been idle catches up, so that the delay is measured from now.
        self.clock = self.clock.max(now.min(self.earliest));
        self.place(id.index, expires);
    }

    /// Disarms a timer; whether it was armed.
    pub fn disarm(&mut self, id: TimerId) -> bool {
        let armed = self.timers.get(id).is_some_and(|timer| timer.bucket.is_some());
        if armed {
            self.unlink(id.index);
        }
        armed
    }

    #[must_use]
    pub fn is_armed(&self, id: TimerId) -> bool {
        self.timers.get(id).is_some_and(|timer| timer.bucket.is_some())
    }

    /// The first tick at which something may fire; for a CPU that wants to sleep through ticks.
    #[must_use]
    pub fn next_expiry(&self) -> Option<u64> {
        let ready = self.heads[usize::from(EXPIRED)].is_some();
        if ready { Some(self.clock) } else { self.next_pending() }
    }

    /// Goes on to tick `now`. What has expired is to be taken by [`TimerWheel::pop_expired`].
    pub fn advance(&mut self, now: u64) {
        while self.earliest <= now {
            self.clock = self.earliest;
            self.collect();
            self.clock += 1;
            self.earliest = self.next_pending().unwrap_or(u64::MAX);
        }
        self.clock = self.clock.max(now.saturating_add(1)).min(self.earliest);
    }

    /// Takes out an expired timer, which may be armed again. The lock may be dropped between two calls.
    pub fn pop_expired(&mut self) -> Option<(TimerId, &mut T)> {
        let index = self.heads[usize::from(EXPIRED)]?;
        self.unlink(index);
        self.timers.at(index).map(|(id, timer)| (id, &mut timer.payload))
    }

    /// Moves the buckets that are due at `clock` to the list of the expired.
    fn collect(&mut self) {
        for level in 0..LEVELS {
            let shift = WIDEN * level as u32;
            if self.clock & ((1 << shift) - 1) != 0 {
                return;
            }
            let bucket = level * BUCKETS + (self.clock >> shift) as usize % BUCKETS;
            while let Some(index) = self.heads[bucket] {
                self.unlink(index);
                match self.timers.at(index).map(|(_, timer)| timer.expires) {
                    // It was beyond the wheel's reach.
                    Some(expires) if expires > self.clock => self.place(index, expires),
                    _ => self.link(index, EXPIRED),
                }
            }
        }
    }

    /// The first tick from `clock` on at which a bucket with timers is due.
    fn next_pending(&self) -> Option<u64> {
        let first = |level: usize| {
            let shift = WIDEN * level as u32;
            let pending = self.pending[level];
            // A bucket that began before `clock` has been processed: what is in it belongs to the next round.
            let base = self.clock.div_ceil(1 << shift);
            let distance = pending.rotate_right((base % BUCKETS as u64) as u32).trailing_zeros();
            (pending != 0).then(|| (base + u64::from(distance)) << shift)
        };
        (0..LEVELS).filter_map(first).min()
    }

    fn place(&mut self, index: u32, expires: u64) {
        let delay = expires.saturating_sub(self.clock).min(REACH - 1);
        let expires = self.clock.saturating_add(delay);
        let level = (0..LEVELS).find(|&level| delay < (BUCKETS as u64 - 1) << (WIDEN * level as u32));
        let level = level.unwrap_or(LEVELS - 1);
        let shift = WIDEN * level as u32;
        let due = expires.div_ceil(1 << shift);
        self.earliest = self.earliest.min(due << shift);
        self.link(index, (level * BUCKETS + (due % BUCKETS as u64) as usize) as u16);
    }

    fn link(&mut self, index: u32, bucket: u16) {
        let head = self.heads[usize::from(bucket)].replace(index);
        if let Some((_, timer)) = self.timers.at(index) {
            (timer.bucket, timer.previous, timer.next) = (Some(bucket), None, head);
        }
        if let Some((_, second)) = head.and_then(|head| self.timers.at(head)) {
            second.previous = Some(index);
        }
        if bucket != EXPIRED {
            self.pending[usize::from(bucket) / BUCKETS] |= 1 << (usize::from(bucket) % BUCKETS);
        }
    }

    fn unlink(&mut self, index: u32) {
        let Some((_, timer)) = self.timers.at(index) else {
            return;
        };
        let Some(bucket) = timer.bucket.take() else {
            return;
        };
        let (previous, next) = (timer.previous.take(), timer.next.take());
        if let Some((_, next)) = next.and_then(|next| self.timers.at(next)) {
            next.previous = previous;
        }
        if let Some((_, previous)) = previous.and_then(|previous| self.timers.at(previous)) {
            previous.next = next;
            return;
        }
        self.heads[usize::from(bucket)] = next;
        if next.is_none() && bucket != EXPIRED {
            self.pending[usize::from(bucket) / BUCKETS] &= !(1 << (usize::from(bucket) % BUCKETS));
        }
    }
}
