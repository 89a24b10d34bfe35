//! High-resolution timers: exact deadlines in nanoseconds, one queue per CPU, constant time however many are armed.
//!
//! **Model.** A radix queue. A deadline belongs to the level of the highest digit (of six bits) in which it differs from
//! `base`, an instant that follows the clock, and there to the bucket of that digit. So all of a level comes before all of
//! the next, and all of a bucket before all of the next: two bitmaps find the earliest one. When its time has come, a bucket's
//! timers move to levels below, at last to level 0, where those of a bucket have the same deadline.
//!
//! Each bucket knows a bound before which none of its timers is due. It is exact until the timer that it is due to leaves;
//! from then on it is the bucket's start, and at worst the hardware comes once too early.
//!
//! **Bounds on work.** A timer moves down at most once a level, and most are disarmed before. A crowded bucket moves in batches, with
//! the lock and the interrupt given up in between.

mod bucket;

use crate::TimerId;
use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use bucket::{Bucket, COUNT, DIGIT_BITS, Place, level_of, start_of};
use slots::Slots;

/// Timers that memory is found for at a time.
const CHUNK: usize = 64;
/// Timers that move down in one go.
const BATCH: usize = 64;

#[derive(Debug)]
struct Timer<T> {
    /// The bucket, if armed, and the neighbours there.
    bucket: Option<Place>,
    previous: Option<u32>,
    next: Option<u32>,
    deadline: u64,
    payload: T,
}

/// Timers that carry a `T`, ordered by deadline. Each is added once (which needs room), then armed and disarmed at will
/// (which needs none), and released in the end.
///
/// INVARIANT: `base` is before all deadlines that are armed, as far as they are not in the past, and each armed timer hangs in the
/// bucket that its deadline and `base` say, but for those in `draining`, the bucket that `base` is in. Bits of the maps are set
/// for buckets with timers.
#[derive(Debug)]
pub struct TimerQueue<T> {
    timers: Slots<Timer<T>, CHUNK>,
    buckets: Vec<Bucket>,
    /// Levels that have timers, and their buckets that do.
    levels: u16,
    pending: [u64; bucket::LEVELS],
    draining: Option<Place>,
    base: u64,
    armed: usize,
}

/// How much room a full queue wants.
#[derive(Clone, Copy, Debug)]
pub struct RoomWanted {
    present: usize,
    more: usize,
}

/// Room for more timers, made without the lock.
#[derive(Debug)]
pub struct Room<T> {
    timers: slots::More<Timer<T>, CHUNK>,
    buckets: Vec<Bucket>,
}

impl<T> Room<T> {
    /// Allocates.
    pub fn new(wanted: RoomWanted) -> Result<Self, TryReserveError> {
        let mut buckets = Vec::new();
        if wanted.present == 0 && wanted.more > 0 {
            buckets.try_reserve_exact(COUNT)?;
            buckets.resize(COUNT, Bucket::EMPTY);
        }
        Ok(Self { timers: slots::More::new(wanted.present, wanted.more)?, buckets })
    }
}

/// Memory of a queue's, to be dropped without the lock.
#[derive(Debug)]
pub struct Surplus<T> {
    _chunk: slots::Chunk<Timer<T>>,
}

impl<T> Default for TimerQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> TimerQueue<T> {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            timers: Slots::new(),
            buckets: Vec::new(),
            levels: 0,
            pending: [0; bucket::LEVELS],
            draining: None,
            base: 0,
            armed: 0,
        }
    }

    /// How much room to make if the queue is full, without the lock, for [`TimerQueue::grow`].
    #[must_use]
    pub fn room_wanted(&self) -> Option<RoomWanted> {
        let present = self.timers.capacity();
        self.timers.is_full().then(|| RoomWanted { present, more: (present / 8).max(1) })
    }

    /// Takes room in, unless the queue has grown meanwhile. What is left in it is old memory, to be dropped without the lock. Does
    /// not allocate.
    pub fn grow(&mut self, room: &mut Room<T>) {
        if self.buckets.is_empty() {
            core::mem::swap(&mut self.buckets, &mut room.buckets);
        }
        if !self.buckets.is_empty() {
            self.timers.grow(&mut room.timers);
        }
    }

    /// Takes out memory that no timer uses; call until there is no more. Does not allocate.
    pub fn give_back(&mut self) -> Option<Surplus<T>> {
        self.timers.give_back().map(|chunk| Surplus { _chunk: chunk })
    }

    /// What room to make, without the lock, so that [`TimerQueue::grow`] leaves a larger one in its place.
    #[must_use]
    pub fn surplus(&self) -> Option<RoomWanted> {
        self.timers.has_surplus().then(|| RoomWanted { present: self.timers.capacity(), more: 0 })
    }

    /// Adds a timer, not armed. Hands the payload back if there is no room. Does not allocate.
    pub fn add(&mut self, payload: T) -> Result<TimerId, T> {
        let timer = Timer { bucket: None, previous: None, next: None, deadline: 0, payload };
        self.timers.insert(timer).map_err(|timer| timer.payload)
    }

    /// Removes a timer, armed or not, with what it carried.
    pub fn release(&mut self, id: TimerId) -> Option<T> {
        self.disarm(id);
        self.timers.remove(id).map(|timer| timer.payload)
    }

    /// Arms a timer, or changes its deadline; the hardware must be told if it would come later. A released timer's name does nothing.
    pub fn arm(&mut self, id: TimerId, deadline: u64) {
        self.disarm(id);
        let Some(timer) = self.timers.get_mut(id) else { return };
        timer.deadline = deadline;
        self.armed += 1;
        self.link(id.index(), deadline);
    }

    /// Disarms a timer; whether it was armed.
    pub fn disarm(&mut self, id: TimerId) -> bool {
        let armed = self.timers.get(id).is_some_and(|timer| timer.bucket.is_some());
        if armed {
            self.unlink(id.index());
            self.armed -= 1;
        }
        armed
    }

    /// The deadline that a timer is armed for.
    #[must_use]
    pub fn deadline(&self, id: TimerId) -> Option<u64> {
        self.timers.get(id).filter(|timer| timer.bucket.is_some()).map(|timer| timer.deadline)
    }

    /// The earliest deadline, or an instant before it at which the queue wants to be looked at.
    #[inline]
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        if self.draining.is_some() {
            return Some(self.base);
        }
        self.earliest().map(|place| self.bucket(place).bound)
    }

    /// Disarms the first timer whose deadline is not after `now`, and says which, when it was due, and what it carries.
    /// Call until there are no more; the lock may be dropped in between. Where many are due at about the same time it may say that there
    /// are no more while [`TimerQueue::next_deadline`] still says that there are.
    pub fn pop_expired(&mut self, now: u64) -> Option<(TimerId, u64, &mut T)> {
        let index = loop {
            if !self.drain() {
                return None;
            }
            let place = self.earliest();
            let Some(place) = place.filter(|&place| start_of(place, self.base) <= now) else {
                // No timer's place changes: none is in a bucket that has begun.
                self.base = self.base.max(now);
                return None;
            };
            let bucket = *self.bucket(place);
            if place.level() == 0 {
                self.base = start_of(place, self.base);
                break bucket.first?;
            }
            self.base = bucket.bound.min(now);
            self.draining = Some(place);
        };
        self.unlink(index);
        self.armed -= 1;
        self.timers.at(index).map(|(id, timer)| (id, timer.deadline, &mut timer.payload))
    }

    /// Timers that are armed.
    #[must_use]
    pub fn armed(&self) -> usize {
        self.armed
    }

    /// Moves the timers of the bucket that `base` is in to where they belong. False where there are more.
    fn drain(&mut self) -> bool {
        let Some(place) = self.draining else { return true };
        for _ in 0..BATCH {
            let Some(index) = self.bucket(place).first else { break };
            let deadline = self.unlink(index);
            self.link(index, deadline);
        }
        self.draining.is_none()
    }

    /// The earliest bucket that has timers.
    #[inline]
    fn earliest(&self) -> Option<Place> {
        let level = self.levels.trailing_zeros() as usize;
        let pending = self.pending.get(level)?;
        Some(Place::new(level, pending.trailing_zeros() as usize))
    }

    #[inline]
    fn bucket(&self, place: Place) -> &Bucket {
        &self.buckets[place.index()]
    }

    /// Hangs a timer into the bucket for its deadline, or for now if that has passed.
    fn link(&mut self, index: u32, deadline: u64) {
        let due = deadline.max(self.base);
        let level = level_of(due, self.base);
        let place = Place::new(level, (due >> (DIGIT_BITS * level as u32)) as usize % bucket::BUCKETS);
        let bucket = &mut self.buckets[place.index()];
        let last = bucket.last.replace(index);
        bucket.bound = if last.is_some() { bucket.bound.min(due) } else { due };
        if last.is_none() {
            bucket.first = Some(index);
            self.levels |= 1 << level;
            self.pending[level] |= 1 << place.digit();
        }
        if let Some((_, timer)) = self.timers.at(index) {
            (timer.bucket, timer.previous, timer.next) = (Some(place), last, None);
        }
        if let Some((_, last)) = last.and_then(|last| self.timers.at(last)) {
            last.next = Some(index);
        }
    }

    /// Takes an armed timer out of its bucket; answers its deadline.
    fn unlink(&mut self, index: u32) -> u64 {
        let Some((_, timer)) = self.timers.at(index) else { return 0 };
        let Some(place) = timer.bucket.take() else { return 0 };
        let (previous, next, deadline) = (timer.previous, timer.next, timer.deadline);
        if let Some((_, previous)) = previous.and_then(|previous| self.timers.at(previous)) {
            previous.next = next;
        }
        if let Some((_, next)) = next.and_then(|next| self.timers.at(next)) {
            next.previous = previous;
        }
        let bucket = &mut self.buckets[place.index()];
        if previous.is_none() {
            bucket.first = next;
        }
        if next.is_none() {
            bucket.last = previous;
        }
        if bucket.first.is_none() {
            if self.draining == Some(place) {
                self.draining = None;
            }
            let pending = &mut self.pending[place.level()];
            *pending &= !(1 << place.digit());
            if *pending == 0 {
                self.levels &= !(1 << place.level());
            }
        } else if bucket.bound == deadline {
            bucket.bound = start_of(place, self.base).max(self.base);
        }
        deadline
    }
}
