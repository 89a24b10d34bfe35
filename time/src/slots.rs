//! Slots that timers live in: named by an index and a generation, so that a stale name finds nothing.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// A timer's name in the queue or wheel that made it. Outlives the timer harmlessly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimerId {
    pub(crate) index: u32,
    generation: u32,
}

#[derive(Debug)]
struct Slot<S> {
    generation: u32,
    state: State<S>,
}

#[derive(Debug)]
enum State<S> {
    Free { next: Option<u32> },
    Used(S),
}

#[derive(Debug)]
pub(crate) struct Slots<S> {
    slots: Vec<Slot<S>>,
    free: Option<u32>,
    used: usize,
}

impl<S> Slots<S> {
    pub const fn new() -> Self {
        Self { slots: Vec::new(), free: None, used: 0 }
    }

    pub fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    pub fn used(&self) -> usize {
        self.used
    }

    /// Whether the next insertion would find no room.
    pub fn is_full(&self) -> bool {
        self.free.is_none() && self.slots.len() == self.slots.capacity()
    }

    /// Makes room for `more` insertions. Allocates.
    pub fn try_reserve(&mut self, more: usize) -> Result<(), TryReserveError> {
        let spare = self.slots.len() - self.used;
        self.slots.try_reserve(more.saturating_sub(spare))
    }

    /// Moves into the `roomier` vacant slots, if they are; the old memory is left in their place. Does not allocate.
    pub fn move_into(&mut self, roomier: &mut Self) {
        if roomier.slots.is_empty() && roomier.slots.capacity() >= self.slots.len() {
            roomier.slots.append(&mut self.slots);
            core::mem::swap(&mut self.slots, &mut roomier.slots);
        }
    }

    /// Does not allocate: hands the state back if there is no room.
    pub fn insert(&mut self, state: S) -> Result<TimerId, S> {
        if self.is_full() || self.slots.len() >= u32::MAX as usize - 1 {
            return Err(state);
        }
        self.used += 1;
        let Some(index) = self.free else {
            let index = self.slots.len() as u32;
            self.slots.push(Slot { generation: 0, state: State::Used(state) });
            return Ok(TimerId { index, generation: 0 });
        };
        let slot = &mut self.slots[index as usize];
        if let State::Free { next } = slot.state {
            self.free = next;
        }
        slot.state = State::Used(state);
        Ok(TimerId { index, generation: slot.generation })
    }

    pub fn remove(&mut self, id: TimerId) -> Option<S> {
        self.get(id)?;
        let slot = &mut self.slots[id.index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        let freed = core::mem::replace(&mut slot.state, State::Free { next: self.free });
        self.free = Some(id.index);
        self.used -= 1;
        match freed {
            State::Used(state) => Some(state),
            State::Free { .. } => None,
        }
    }

    pub fn get(&self, id: TimerId) -> Option<&S> {
        match self.slots.get(id.index as usize) {
            Some(Slot { generation, state: State::Used(state) }) if *generation == id.generation => Some(state),
            _ => None,
        }
    }

    pub fn get_mut(&mut self, id: TimerId) -> Option<&mut S> {
        match self.slots.get_mut(id.index as usize) {
            Some(Slot { generation, state: State::Used(state) }) if *generation == id.generation => Some(state),
            _ => None,
        }
    }

    /// The state in a slot that is known to be used, and its name.
    pub fn at(&mut self, index: u32) -> Option<(TimerId, &mut S)> {
        match self.slots.get_mut(index as usize) {
            Some(Slot { generation, state: State::Used(state) }) => {
                Some((TimerId { index, generation: *generation }, state))
            }
            _ => None,
        }
    }
}
