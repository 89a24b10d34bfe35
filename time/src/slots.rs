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
    state: Option<S>,
}

/// Slots of a chunk: memory is found in small pieces, and slots never move.
const CHUNK: usize = 64;

#[derive(Debug)]
pub(crate) struct Chunk<S> {
    /// Those that have been used before, with room for [`CHUNK`].
    slots: Vec<Slot<S>>,
    /// A bit for each slot that is not used.
    free: u64,
}

/// A bit for each chunk.
type Chunks = Vec<u64>;

/// The lowest slot is taken first, so that the last chunks are soon unused where there were many timers once.
#[derive(Debug)]
pub(crate) struct Slots<S> {
    chunks: Vec<Chunk<S>>,
    /// Those with free slots.
    open: Chunks,
    /// Of slots that are made now: beyond all of those that were given back.
    generation: u32,
}

/// What full slots want: made without a lock, and taken in under it.
#[derive(Debug)]
pub(crate) struct MoreSlots<S> {
    chunks: Vec<Chunk<S>>,
    open: Chunks,
}

impl<S> MoreSlots<S> {
    /// Room for `more` slots beside `present` ones. Allocates.
    pub fn new(present: usize, more: usize) -> Result<Self, TryReserveError> {
        let (present, more) = (present.div_ceil(CHUNK), more.div_ceil(CHUNK));
        let (mut chunks, mut open) = (Vec::new(), Vec::new());
        chunks.try_reserve_exact(present + more)?;
        open.try_reserve_exact((present + more).div_ceil(64))?;
        for _ in 0..more {
            let mut slots = Vec::new();
            slots.try_reserve_exact(CHUNK)?;
            chunks.push(Chunk { slots, free: u64::MAX });
        }
        Ok(Self { chunks, open })
    }
}

/// Where a slot is: its chunk, and its place there.
fn split(index: u32) -> (usize, usize) {
    (index as usize / CHUNK, index as usize % CHUNK)
}

impl<S> Slots<S> {
    pub const fn new() -> Self {
        Self { chunks: Vec::new(), open: Vec::new(), generation: 0 }
    }

    pub fn capacity(&self) -> usize {
        self.chunks.len() * CHUNK
    }

    /// Whether the next insertion would find no room.
    pub fn is_full(&self) -> bool {
        self.open.iter().all(|&word| word == 0)
    }

    /// Takes more slots in, unless they were made for fewer than there are; the old memory is left in their place. Does not allocate.
    pub fn grow(&mut self, more: &mut MoreSlots<S>) {
        let present = self.chunks.len();
        if more.chunks.capacity() >= present + more.chunks.len() {
            more.chunks.append(&mut self.chunks);
            more.chunks.rotate_right(present);
            core::mem::swap(&mut self.chunks, &mut more.chunks);
            more.open.resize(self.chunks.len().div_ceil(64), 0);
            core::mem::swap(&mut self.open, &mut more.open);
            self.open.fill(0);
            for (number, chunk) in self.chunks.iter().enumerate() {
                self.open[number / 64] |= u64::from(chunk.free != 0) << (number % 64);
            }
        }
    }

    /// Takes out the last chunk where none of its slots is used. Does not allocate.
    pub fn give_back(&mut self) -> Option<Chunk<S>> {
        let chunk = self.chunks.pop_if(|chunk| chunk.free == u64::MAX)?;
        let number = self.chunks.len();
        self.open[number / 64] &= !(1 << (number % 64));
        let beyond = chunk.slots.iter().map(|slot| slot.generation.wrapping_add(1));
        self.generation = beyond.fold(self.generation, u32::max);
        Some(chunk)
    }

    /// Whether the list of chunks has more room than it takes.
    pub fn has_surplus(&self) -> bool {
        self.chunks.capacity() > self.chunks.len()
    }

    #[inline]
    fn slot(&self, index: u32) -> Option<&Slot<S>> {
        let (chunk, place) = split(index);
        self.chunks.get(chunk)?.slots.get(place)
    }

    #[inline]
    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<S>> {
        let (chunk, place) = split(index);
        self.chunks.get_mut(chunk)?.slots.get_mut(place)
    }

    /// Does not allocate: hands the state back if there is no room.
    pub fn insert(&mut self, state: S) -> Result<TimerId, S> {
        let open = self.open.iter_mut().enumerate().find(|(_, word)| **word != 0);
        let Some((word, open)) = open else { return Err(state) };
        let number = word * 64 + open.trailing_zeros() as usize;
        let (Some(chunk), Ok(base)) = (self.chunks.get_mut(number), u32::try_from(number * CHUNK)) else {
            return Err(state);
        };
        let place = chunk.free.trailing_zeros();
        chunk.free &= chunk.free - 1;
        if chunk.free == 0 {
            *open &= *open - 1;
        }
        // Since the lowest is taken first, slots that have never been used are the last.
        let generation = match chunk.slots.get_mut(place as usize) {
            Some(slot) => {
                slot.state = Some(state);
                slot.generation
            }
            None => {
                chunk.slots.push(Slot { generation: self.generation, state: Some(state) });
                self.generation
            }
        };
        Ok(TimerId { index: base + place, generation })
    }

    pub fn remove(&mut self, id: TimerId) -> Option<S> {
        let (number, place) = split(id.index);
        let chunk = self.chunks.get_mut(number)?;
        let slot = chunk.slots.get_mut(place).filter(|slot| slot.generation == id.generation)?;
        let state = slot.state.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        chunk.free |= 1 << place;
        self.open[number / 64] |= 1 << (number % 64);
        Some(state)
    }

    #[inline]
    pub fn get(&self, id: TimerId) -> Option<&S> {
        self.slot(id.index).filter(|slot| slot.generation == id.generation)?.state.as_ref()
    }

    #[inline]
    pub fn get_mut(&mut self, id: TimerId) -> Option<&mut S> {
        self.slot_mut(id.index).filter(|slot| slot.generation == id.generation)?.state.as_mut()
    }

    /// The state in a slot that is known to be used, and its name.
    #[inline]
    pub fn at(&mut self, index: u32) -> Option<(TimerId, &mut S)> {
        let slot = self.slot_mut(index)?;
        Some((TimerId { index, generation: slot.generation }, slot.state.as_mut()?))
    }
}
