//! High-resolution timers: exact deadlines in nanoseconds, one queue per CPU.

use crate::slots::{Slots, TimerId};
use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// Children per node of the heap: four neighbours share a cache line or two, and the depth is half of a binary heap's.
const CHILDREN: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Armed {
    deadline: u64,
    /// Among equal deadlines, who was armed first.
    sequence: u64,
    slot: u32,
}

impl Armed {
    fn before(&self, other: &Self) -> bool {
        (self.deadline, self.sequence) < (other.deadline, other.sequence)
    }
}

#[derive(Debug)]
struct Timer<T> {
    /// Where in the heap, if armed.
    place: Option<u32>,
    payload: T,
}

/// Timers that carry a `T`, ordered by deadline. Each is added once (which needs room), then armed and disarmed at will
/// (which needs none), and released in the end.
///
/// INVARIANT: a timer whose `place` is `Some(i)` is the slot of `heap[i]`, and the heap can hold as many as there are slots.
#[derive(Debug)]
pub struct TimerQueue<T> {
    timers: Slots<Timer<T>>,
    heap: Vec<Armed>,
    sequence: u64,
}

impl<T> Default for TimerQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> TimerQueue<T> {
    #[must_use]
    pub const fn new() -> Self {
        Self { timers: Slots::new(), heap: Vec::new(), sequence: 0 }
    }

    /// Makes room for `more` timers. Allocates: for queues not yet under a lock that forbids it.
    pub fn try_reserve(&mut self, more: usize) -> Result<(), TryReserveError> {
        self.timers.try_reserve(more)?;
        self.heap.try_reserve(self.timers.capacity().saturating_sub(self.heap.len()))
    }

    /// How much room to ask for if the queue is full: make a new queue, `try_reserve` that much without the lock, and hand
    /// it to [`TimerQueue::move_into`] under the lock.
    #[must_use]
    pub fn room_wanted(&self) -> Option<usize> {
        self.timers.is_full().then(|| (self.timers.capacity() * 2).max(64))
    }

    /// Moves all timers into the empty queue `roomier`, which becomes this one; if it is not empty or not roomier, nothing
    /// happens. What is left in `roomier` is the old memory, to be dropped without the lock. Does not allocate.
    pub fn move_into(&mut self, roomier: &mut Self) {
        let fits =
            roomier.timers.capacity() >= self.timers.capacity() && roomier.heap.capacity() >= self.heap.capacity();
        if fits && roomier.timers.used() == 0 && roomier.heap.is_empty() {
            self.timers.move_into(&mut roomier.timers);
            roomier.heap.append(&mut self.heap);
            core::mem::swap(&mut self.heap, &mut roomier.heap);
        }
    }

    /// Adds a timer, not armed. Hands the payload back if there is no room. Does not allocate.
    pub fn add(&mut self, payload: T) -> Result<TimerId, T> {
        if self.heap.capacity() <= self.timers.used() {
            return Err(payload);
        }
        self.timers.insert(Timer { place: None, payload }).map_err(|timer| timer.payload)
    }

    /// Removes a timer, armed or not, with what it carried.
    pub fn release(&mut self, id: TimerId) -> Option<T> {
        self.disarm(id);
        self.timers.remove(id).map(|timer| timer.payload)
    }

    /// Arms a timer, or changes its deadline. Whether it is now the first, so that the hardware must be told.
    /// A released timer's name does nothing.
    pub fn arm(&mut self, id: TimerId, deadline: u64) -> bool {
        let Some(timer) = self.timers.get(id) else {
            return false;
        };
        let place = match timer.place {
            Some(place) => place as usize,
            None => self.heap.len(),
        };
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        let armed = Armed { deadline, sequence, slot: id.index };
        match self.heap.get_mut(place) {
            Some(entry) => *entry = armed,
            // There is capacity, by the invariant.
            None => self.heap.push(armed),
        }
        self.settle(place) == 0
    }

    /// Disarms a timer; whether it was armed.
    pub fn disarm(&mut self, id: TimerId) -> bool {
        let place = self.timers.get_mut(id).and_then(|timer| timer.place.take());
        if let Some(place) = place {
            self.take_out(place as usize);
        }
        place.is_some()
    }

    /// The deadline that a timer is armed for.
    #[must_use]
    pub fn deadline(&self, id: TimerId) -> Option<u64> {
        let place = self.timers.get(id)?.place?;
        self.heap.get(place as usize).map(|armed| armed.deadline)
    }

    /// The earliest deadline.
    #[inline]
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        self.heap.first().map(|first| first.deadline)
    }

    /// Disarms the first timer whose deadline is not after `now`, and says which, when it was due, and what it carries.
    /// Call until there are no more; the lock may be dropped in between.
    pub fn pop_expired(&mut self, now: u64) -> Option<(TimerId, u64, &mut T)> {
        let first = *self.heap.first()?;
        if first.deadline > now {
            return None;
        }
        self.take_out(0);
        let (id, timer) = self.timers.at(first.slot)?;
        timer.place = None;
        Some((id, first.deadline, &mut timer.payload))
    }

    /// Timers that are armed.
    #[must_use]
    pub fn armed(&self) -> usize {
        self.heap.len()
    }

    /// Visits all armed timers in no particular order (`/proc/timer_list`).
    pub fn for_each(&mut self, mut visit: impl FnMut(u64, &T)) {
        for armed in &self.heap {
            if let Some((_, timer)) = self.timers.at(armed.slot) {
                visit(armed.deadline, &timer.payload);
            }
        }
    }

    fn take_out(&mut self, place: usize) {
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.settle(place);
        }
    }

    /// Moves the entry at `place` up or down to where it belongs, and says where that is.
    fn settle(&mut self, place: usize) -> usize {
        let entry = self.heap[place];
        let hole = self.sift_up(place, &entry);
        let hole = if hole == place { self.sift_down(place, &entry) } else { hole };
        self.put(hole, entry);
        hole
    }

    fn sift_up(&mut self, mut hole: usize, entry: &Armed) -> usize {
        while hole > 0 {
            let parent = (hole - 1) / CHILDREN;
            let above = self.heap[parent];
            if !entry.before(&above) {
                break;
            }
            self.put(hole, above);
            hole = parent;
        }
        hole
    }

    fn sift_down(&mut self, mut hole: usize, entry: &Armed) -> usize {
        loop {
            let first = hole * CHILDREN + 1;
            let last = (first + CHILDREN).min(self.heap.len());
            let children = first.min(last)..last;
            let Some(child) = children.reduce(|a, b| if self.heap[b].before(&self.heap[a]) { b } else { a }) else {
                return hole;
            };
            let below = self.heap[child];
            if !below.before(entry) {
                return hole;
            }
            self.put(hole, below);
            hole = child;
        }
    }

    fn put(&mut self, place: usize, entry: Armed) {
        self.heap[place] = entry;
        if let Some((_, timer)) = self.timers.at(entry.slot) {
            timer.place = Some(place as u32);
        }
    }
}
