//! Slots that timers live in: named by an index and a generation, so that a stale name finds nothing.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// A timer's name in the queue that made it. Outlives the timer harmlessly.
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

/// Slots of a chunk: memory is found in small pieces, and slots never move.
const CHUNK: usize = 64;

type Chunk<S> = Vec<Slot<S>>;

#[derive(Debug)]
pub(crate) struct Slots<S> {
    /// Each with room for [`CHUNK`]; all full up to `made`.
    chunks: Vec<Chunk<S>>,
    /// Slots that have been used before.
    made: usize,
    free: Option<u32>,
}

/// What full slots want: made without a lock, and taken in under it.
#[derive(Debug)]
pub(crate) struct MoreSlots<S> {
    chunks: Vec<Chunk<S>>,
}

impl<S> MoreSlots<S> {
    /// Room for `more` slots beside `present` ones. Allocates.
    pub fn new(present: usize, more: usize) -> Result<Self, TryReserveError> {
        let (present, more) = (present.div_ceil(CHUNK), more.div_ceil(CHUNK));
        let mut chunks = Vec::new();
        chunks.try_reserve_exact(present + more)?;
        for _ in 0..more {
            let mut chunk = Vec::new();
            chunk.try_reserve_exact(CHUNK)?;
            chunks.push(chunk);
        }
        Ok(Self { chunks })
    }
}

impl<S> Slots<S> {
    pub const fn new() -> Self {
        Self { chunks: Vec::new(), made: 0, free: None }
    }

    pub fn capacity(&self) -> usize {
        self.chunks.len() * CHUNK
    }

    /// Whether the next insertion would find no room.
    pub fn is_full(&self) -> bool {
        self.free.is_none() && self.made == self.capacity()
    }

    /// Takes more slots in, unless they were made for fewer than there are; the old memory is left in their place. Does not allocate.
    pub fn grow(&mut self, more: &mut MoreSlots<S>) {
        let present = self.chunks.len();
        if more.chunks.capacity() >= present + more.chunks.len() {
            more.chunks.append(&mut self.chunks);
            more.chunks.rotate_right(present);
            core::mem::swap(&mut self.chunks, &mut more.chunks);
        }
    }

    #[inline]
    fn slot(&self, index: u32) -> Option<&Slot<S>> {
        self.chunks.get(index as usize / CHUNK)?.get(index as usize % CHUNK)
    }

    #[inline]
    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<S>> {
        self.chunks.get_mut(index as usize / CHUNK)?.get_mut(index as usize % CHUNK)
    }

    /// Does not allocate: hands the state back if there is no room.
    pub fn insert(&mut self, state: S) -> Result<TimerId, S> {
        if self.is_full() || self.made >= u32::MAX as usize - 1 {
            return Err(state);
        }
        let Some(index) = self.free else {
            let index = self.made as u32;
            let Some(chunk) = self.chunks.get_mut(self.made / CHUNK) else { return Err(state) };
            chunk.push(Slot { generation: 0, state: State::Used(state) });
            self.made += 1;
            return Ok(TimerId { index, generation: 0 });
        };
        let Some(slot) = self.slot_mut(index) else { return Err(state) };
        let State::Free { next } = core::mem::replace(&mut slot.state, State::Used(state)) else {
            unreachable!("a slot in the list of free ones is free");
        };
        let generation = slot.generation;
        self.free = next;
        Ok(TimerId { index, generation })
    }

    pub fn remove(&mut self, id: TimerId) -> Option<S> {
        self.get(id)?;
        let free = State::Free { next: self.free };
        let slot = self.slot_mut(id.index)?;
        slot.generation = slot.generation.wrapping_add(1);
        let freed = core::mem::replace(&mut slot.state, free);
        self.free = Some(id.index);
        match freed {
            State::Used(state) => Some(state),
            State::Free { .. } => None,
        }
    }

    #[inline]
    pub fn get(&self, id: TimerId) -> Option<&S> {
        match self.slot(id.index) {
            Some(Slot { generation, state: State::Used(state) }) if *generation == id.generation => Some(state),
            _ => None,
        }
    }

    #[inline]
    pub fn get_mut(&mut self, id: TimerId) -> Option<&mut S> {
        match self.slot_mut(id.index) {
            Some(Slot { generation, state: State::Used(state) }) if *generation == id.generation => Some(state),
            _ => None,
        }
    }

    /// The state in a slot that is known to be used, and its name.
    #[inline]
    pub fn at(&mut self, index: u32) -> Option<(TimerId, &mut S)> {
        match self.slot_mut(index) {
            Some(Slot { generation, state: State::Used(state) }) => {
                Some((TimerId { index, generation: *generation }, state))
            }
            _ => None,
        }
    }
}
