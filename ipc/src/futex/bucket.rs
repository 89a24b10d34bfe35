//! One bucket: a queue of waiters per key, linked by index through one array of slots.
use super::Key;
use super::waiter::{Place, Waiter};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// No slot.
const NONE: u32 = u32::MAX;
/// Slots that an empty bucket keeps.
const KEPT: usize = 16;

struct Slot {
    /// `None` in a free slot, whose `next` is the next free one.
    waiter: Option<Arc<Waiter>>,
    key: Key,
    bitset: u32,
    next: u32,
    previous: u32,
}

struct Queue {
    key: Key,
    first: u32,
    last: u32,
}

/// Waiters of all keys with one hash.
pub(super) struct Bucket {
    number: u32,
    slots: Vec<Slot>,
    free: u32,
    queues: Vec<Queue>,
}

/// Memory for a bucket, taken with its lock dropped.
pub(super) struct Room {
    slots: Vec<Slot>,
    queues: Vec<Queue>,
}

impl Room {
    /// For `count` waiters. `None` without memory.
    pub fn new(count: usize) -> Option<Self> {
        let mut room = Self { slots: Vec::new(), queues: Vec::new() };
        room.slots.try_reserve_exact(count).ok()?;
        room.queues.try_reserve_exact(count).ok()?;
        Some(room)
    }
}

impl Bucket {
    pub const fn new(number: u32) -> Self {
        Self { number, slots: Vec::new(), free: NONE, queues: Vec::new() }
    }

    /// How many waiters [`Room`] is needed for before `more` can be queued; `None` where there is room.
    pub fn lacks(&self, more: usize) -> Option<usize> {
        let mut free = self.slots.capacity() - self.slots.len();
        let mut slot = self.free;
        while free < more && slot != NONE {
            free += 1;
            slot = self.slots.get(slot as usize).map_or(NONE, |slot| slot.next);
        }
        if free >= more && self.queues.len() < self.queues.capacity() {
            return None;
        }
        // Generous with the queues, which are at most as many as slots.
        Some((self.slots.len() + more).max(8).next_power_of_two())
    }

    /// Moves into larger memory; answers the old, to be dropped without the lock. Does nothing where others have grown the
    /// bucket further meanwhile.
    pub fn grow(&mut self, mut room: Room) -> Room {
        if room.slots.capacity() > self.slots.capacity() {
            room.slots.append(&mut self.slots);
            core::mem::swap(&mut self.slots, &mut room.slots);
        }
        if room.queues.capacity() > self.queues.capacity() {
            room.queues.append(&mut self.queues);
            core::mem::swap(&mut self.queues, &mut room.queues);
        }
        room
    }

    /// Large memory that an empty bucket no longer needs, to be dropped without the lock.
    pub fn shrink(&mut self) -> Option<Room> {
        if self.slots.capacity() > KEPT { self.give_back() } else { None }
    }

    /// All memory of an empty bucket, to be dropped without the lock.
    pub fn give_back(&mut self) -> Option<Room> {
        if !self.queues.is_empty() {
            return None;
        }
        self.free = NONE;
        Some(Room { slots: core::mem::take(&mut self.slots), queues: core::mem::take(&mut self.queues) })
    }

    fn queue(&self, key: Key) -> Option<usize> {
        self.queues.iter().position(|queue| queue.key == key)
    }

    fn slot(&mut self, slot: u32) -> Option<&mut Slot> {
        self.slots.get_mut(slot as usize)
    }

    /// The first waiter for `key`, as a position for [`Bucket::next`] and [`Bucket::remove`].
    pub fn first(&self, key: Key) -> Option<u32> {
        self.queue(key).and_then(|queue| self.queues.get(queue)).map(|queue| queue.first)
    }

    /// The waiter of the same key behind `slot`.
    pub fn next(&self, slot: u32) -> Option<u32> {
        self.slots.get(slot as usize).map(|slot| slot.next).filter(|&next| next != NONE)
    }

    /// Whether the waiter there waits for one of `bits`.
    pub fn matches(&self, slot: u32, bits: u32) -> bool {
        self.slots.get(slot as usize).is_some_and(|slot| slot.bitset & bits != 0)
    }

    /// Queues a waiter as the last for its key. False where [`Bucket::lacks`] was not asked for room.
    pub fn append(&mut self, key: Key, bitset: u32, waiter: Arc<Waiter>) -> bool {
        let queue = self.queue(key);
        if queue.is_none() && self.queues.len() == self.queues.capacity() {
            return false;
        }
        let previous = queue.and_then(|queue| self.queues.get(queue)).map_or(NONE, |queue| queue.last);
        let number = self.number;
        let fresh = Slot { waiter: None, key, bitset, next: NONE, previous };
        let index = match self.free {
            NONE if self.slots.len() == self.slots.capacity() => return false,
            NONE => {
                self.slots.push(fresh);
                self.slots.len() as u32 - 1
            }
            free => {
                let Some(slot) = self.slot(free) else { return false };
                let next_free = core::mem::replace(slot, fresh).next;
                self.free = next_free;
                free
            }
        };
        waiter.set_place(Place { bucket: number, slot: index });
        if let Some(slot) = self.slot(index) {
            slot.waiter = Some(waiter);
        }
        if let Some(previous) = self.slot(previous) {
            previous.next = index;
        }
        match queue.and_then(|queue| self.queues.get_mut(queue)) {
            Some(queue) => queue.last = index,
            None => self.queues.push(Queue { key, first: index, last: index }),
        }
        true
    }

    /// Takes a waiter out. Its place is for the caller to change, under the same lock.
    pub fn remove(&mut self, index: u32) -> Option<(Arc<Waiter>, u32)> {
        let free = self.free;
        let slot = self.slot(index)?;
        let waiter = slot.waiter.take()?;
        let (key, bitset, previous, next) = (slot.key, slot.bitset, slot.previous, slot.next);
        slot.next = free;
        self.free = index;
        if let Some(previous) = self.slot(previous) {
            previous.next = next;
        }
        if let Some(next) = self.slot(next) {
            next.previous = previous;
        }
        let position = self.queue(key)?;
        let queue = self.queues.get_mut(position)?;
        if queue.first == index {
            queue.first = next;
        }
        if queue.last == index {
            queue.last = previous;
        }
        if queue.first == NONE {
            self.queues.swap_remove(position);
        }
        Some((waiter, bitset))
    }
}
