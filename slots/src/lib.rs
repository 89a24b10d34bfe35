//! Things by small numbers: each is named by its slot and a generation, so that a stale name finds nothing.
//!
//! **Problem.** Found, put in and taken out in constant time, under a lock under which nothing may be allocated; and no more memory kept
//! than what is there needs, however much there was once.
//!
//! **Model.** Chunks of `CHUNK` slots (at most 64), each with a bit for every slot that is free, and a bit for every chunk that has such.
//! Slots do not move. The lowest free one is taken, so that the last chunks are soon unused, and the last one that is may go. Room is
//! made without the lock and handed in ([`More`]).
//!
//! No locks here: the owner has one.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// A slot's name. Outlives what is there harmlessly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotId {
    index: u32,
    generation: u32,
}

impl SlotId {
    /// Which slot it is, for [`Slots::at`].
    #[inline]
    pub fn index(self) -> u32 {
        self.index
    }
}

#[derive(Debug)]
struct Slot<S> {
    generation: u32,
    state: Option<S>,
}

/// Memory for some slots.
#[derive(Debug)]
pub struct Chunk<S> {
    /// Those that have been used before, with room for all of a chunk.
    slots: Vec<Slot<S>>,
    /// A bit for each slot that is not used.
    free: u64,
}

/// A bit for each chunk.
type Chunks = Vec<u64>;

/// See the module.
#[derive(Debug)]
pub struct Slots<S, const CHUNK: usize> {
    chunks: Vec<Chunk<S>>,
    /// Those with free slots.
    open: Chunks,
    /// Of slots that are made now: beyond all of those that were given back.
    generation: u32,
}

/// What full slots want: made without a lock, and taken in under it.
#[derive(Debug)]
pub struct More<S, const CHUNK: usize> {
    chunks: Vec<Chunk<S>>,
    open: Chunks,
}

impl<S, const CHUNK: usize> More<S, CHUNK> {
    /// Room for `more` slots beside `present` ones. Allocates.
    pub fn new(present: usize, more: usize) -> Result<Self, TryReserveError> {
        let (present, more) = (present.div_ceil(CHUNK), more.div_ceil(CHUNK));
        let (mut chunks, mut open) = (Vec::new(), Vec::new());
        chunks.try_reserve_exact(present + more)?;
        open.try_reserve_exact((present + more).div_ceil(64))?;
        for _ in 0..more {
            let mut slots = Vec::new();
            slots.try_reserve_exact(CHUNK)?;
            chunks.push(Chunk { slots, free: all_free(CHUNK) });
        }
        Ok(Self { chunks, open })
    }
}

/// Of a chunk of which nothing is used.
const fn all_free(chunk: usize) -> u64 {
    u64::MAX >> (64 - chunk)
}

impl<S, const CHUNK: usize> Default for Slots<S, CHUNK> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, const CHUNK: usize> Slots<S, CHUNK> {
    /// Without room.
    pub const fn new() -> Self {
        Self { chunks: Vec::new(), open: Vec::new(), generation: 0 }
    }

    /// Where a slot is: its chunk, and its place there.
    fn split(index: u32) -> (usize, usize) {
        (index as usize / CHUNK, index as usize % CHUNK)
    }

    /// Slots that there is room for.
    pub fn capacity(&self) -> usize {
        self.chunks.len() * CHUNK
    }

    /// Whether the next insertion would find no room.
    pub fn is_full(&self) -> bool {
        self.open.iter().all(|&word| word == 0)
    }

    /// Takes more slots in, unless they were made for fewer than there are; the old memory is left in their place. Does not allocate.
    pub fn grow(&mut self, more: &mut More<S, CHUNK>) {
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
        let chunk = self.chunks.pop_if(|chunk| chunk.free == all_free(CHUNK))?;
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
        let (chunk, place) = Self::split(index);
        self.chunks.get(chunk)?.slots.get(place)
    }

    #[inline]
    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<S>> {
        let (chunk, place) = Self::split(index);
        self.chunks.get_mut(chunk)?.slots.get_mut(place)
    }

    /// Does not allocate: hands the state back if there is no room.
    pub fn insert(&mut self, state: S) -> Result<SlotId, S> {
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
        Ok(SlotId { index: base + place, generation })
    }

    /// Takes out what is there.
    pub fn remove(&mut self, id: SlotId) -> Option<S> {
        let (number, place) = Self::split(id.index);
        let chunk = self.chunks.get_mut(number)?;
        let slot = chunk.slots.get_mut(place).filter(|slot| slot.generation == id.generation)?;
        let state = slot.state.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        chunk.free |= 1 << place;
        self.open[number / 64] |= 1 << (number % 64);
        Some(state)
    }

    /// What is there.
    #[inline]
    pub fn get(&self, id: SlotId) -> Option<&S> {
        self.slot(id.index).filter(|slot| slot.generation == id.generation)?.state.as_ref()
    }

    /// What is there, to be changed.
    #[inline]
    pub fn get_mut(&mut self, id: SlotId) -> Option<&mut S> {
        self.slot_mut(id.index).filter(|slot| slot.generation == id.generation)?.state.as_mut()
    }

    /// What is in a slot that is known to be used, and its name.
    #[inline]
    pub fn at(&mut self, index: u32) -> Option<(SlotId, &mut S)> {
        let slot = self.slot_mut(index)?;
        Some((SlotId { index, generation: slot.generation }, slot.state.as_mut()?))
    }

    /// The first slot from `from` on that is used, and what is there. Time: as there are chunks.
    pub fn first_from(&self, from: u32) -> Option<(u32, &S)> {
        let (first, place) = Self::split(from);
        for (number, chunk) in self.chunks.iter().enumerate().skip(first) {
            let skipped = if number == first { (1 << place) - 1 } else { 0 };
            let used = !chunk.free & all_free(CHUNK) & !skipped;
            if used != 0 {
                let place = used.trailing_zeros() as usize;
                let state = chunk.slots.get(place)?.state.as_ref()?;
                return Some(((number * CHUNK + place) as u32, state));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const CHUNK: usize = 4;

    fn insert(slots: &mut Slots<u32, CHUNK>, value: u32) -> SlotId {
        match slots.insert(value) {
            Ok(name) => name,
            Err(back) => {
                assert!(slots.is_full());
                let mut more = More::new(slots.capacity(), 1).unwrap();
                slots.grow(&mut more);
                slots.insert(back).unwrap()
            }
        }
    }

    proptest! {
        #[test]
        fn like_a_map_of_the_lowest_numbers(steps in prop::collection::vec((0u8..4, 0usize..20), 0..300)) {
            let mut slots = Slots::new();
            let mut model: BTreeMap<u32, (SlotId, u32)> = BTreeMap::new();
            let mut gone: Vec<SlotId> = Vec::new();
            for (value, (what, which)) in steps.into_iter().enumerate() {
                let value = value as u32;
                if what < 2 {
                    let lowest = (0..).find(|number| !model.contains_key(number)).unwrap();
                    let name = insert(&mut slots, value);
                    prop_assert_eq!(name.index(), lowest);
                    prop_assert!(!gone.contains(&name));
                    model.insert(lowest, (name, value));
                } else if let Some((&index, &(name, value))) = model.iter().nth(which) {
                    prop_assert_eq!(slots.remove(name), Some(value));
                    model.remove(&index);
                    gone.push(name);
                    while slots.give_back().is_some() {}
                    prop_assert_eq!(slots.capacity(), model.last_key_value().map_or(0, |(last, _)| *last as usize / CHUNK * CHUNK + CHUNK));
                    let mut exact = More::new(slots.capacity(), 0).unwrap();
                    slots.grow(&mut exact);
                    prop_assert!(!slots.has_surplus());
                }
                for stale in &gone {
                    prop_assert_eq!(slots.get(*stale), None);
                    prop_assert_eq!(slots.remove(*stale), None);
                }
                for (index, (name, value)) in &mut model {
                    prop_assert_eq!(slots.get_mut(*name), Some(&mut *value));
                    prop_assert_eq!(slots.at(*index), Some((*name, value)));
                }
                let mut from = Some(0);
                let all = core::iter::from_fn(|| {
                    let (index, value) = slots.first_from(from?)?;
                    from = index.checked_add(1);
                    Some((index, *value))
                });
                prop_assert_eq!(all.collect::<Vec<_>>(), model.iter().map(|(index, (_, value))| (*index, *value)).collect::<Vec<_>>());
            }
        }
    }
}
