//! An index from names to values, by hash: sixteen ways a level, four bits of the hash each.
//!
//! Unlike a hash table it never pauses to grow, and needs no memory larger than a node: folders grow to any size under a
//! spinlock without a bad moment. Nodes come from a [`Spare`] that is filled outside of the lock. Values come in the order of
//! their hashes, so that a sweep can stop anywhere and go on later.
//!
//! Which nodes there are depends on the values that are there, not on those that came and went: a node has at least two below it, and goes
//! when one is left.
use crate::name::Name;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::array;

const BITS: u32 = 4;
const WAYS: usize = 1 << BITS;
const LEVELS: u32 = u64::BITS / BITS;

/// A value that has a name.
pub trait Named {
    fn hash(&self) -> u64;
    /// Whether this is its name; asked only where the hashes are equal.
    fn is_named(&self, name: &Name<'_>) -> bool;
}

enum Slot<V> {
    Empty,
    One(V),
    Node(Box<Node<V>>),
    /// All bits of their hashes are equal.
    Same(Box<Same<V>>),
}

struct Same<V>(Vec<V>);

struct Node<V> {
    slots: [Slot<V>; WAYS],
    /// How many slots are not empty.
    used: u32,
}

impl<V> Slot<V> {
    /// To be called when something was taken out below way `at`: a single value that is left there takes the node's place.
    #[inline]
    fn close(&mut self, at: usize) {
        let Slot::Node(node) = self else { return };
        if let Slot::Empty = node.slots[at] {
            node.used -= 1;
        }
        if node.used > 1 {
            return;
        }
        // A node that is left has two or more, and values whose hashes are equal stay at the bottom.
        if let Some(only) = node.slots.iter_mut().find(|slot| matches!(slot, Slot::One(_))) {
            *self = core::mem::replace(only, Slot::Empty);
        }
    }
}

impl<V> Same<V> {
    /// What is left when one was taken out: a single one needs no list.
    fn left(&mut self) -> Option<V> {
        if self.0.len() == 1 { self.0.pop() } else { None }
    }
}

/// The index.
pub struct NameTrie<V> {
    root: Slot<V>,
    count: usize,
}

/// Nodes made in advance.
pub struct Spare<V> {
    nodes: Vec<Box<Node<V>>>,
    same: Option<Box<Same<V>>>,
    wanted: usize,
}

impl<V> Spare<V> {
    pub const fn new() -> Self {
        Self { nodes: Vec::new(), same: None, wanted: 0 }
    }

    /// Allocates what the last insertion lacked. May sleep.
    pub fn fill(&mut self) {
        while self.nodes.len() < self.wanted {
            self.nodes.push(Box::new(Node { slots: array::from_fn(|_| Slot::Empty), used: 0 }));
        }
        if self.same.is_none() && self.wanted >= LEVELS as usize {
            self.same = Some(Box::new(Same(Vec::with_capacity(4))));
        }
    }
}

impl<V> Default for Spare<V> {
    fn default() -> Self {
        Self::new()
    }
}

/// The value was not inserted for want of nodes: fill the spare, and try again.
#[derive(Debug)]
pub struct NeedsNodes<V>(pub V);

/// The way that a hash takes at a level, the topmost being 0.
#[inline(always)]
fn way(hash: u64, level: u32) -> usize {
    ((hash >> (u64::BITS - BITS - BITS * level)) & (WAYS as u64 - 1)) as usize
}

impl<V: Named> NameTrie<V> {
    pub const fn new() -> Self {
        Self { root: Slot::Empty, count: 0 }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    #[inline]
    pub fn get(&self, name: &Name<'_>) -> Option<&V> {
        let (mut slot, mut hash) = (&self.root, name.hash());
        loop {
            match slot {
                Slot::One(value) => return (value.hash() == name.hash() && value.is_named(name)).then_some(value),
                Slot::Node(node) => slot = &node.slots[(hash >> (u64::BITS - BITS)) as usize],
                Slot::Empty => return None,
                Slot::Same(same) => {
                    return same.0.iter().find(|value| value.hash() == name.hash() && value.is_named(name));
                }
            }
            hash <<= BITS;
        }
    }

    /// Puts a value whose name is not there.
    pub fn insert(&mut self, value: V, spare: &mut Spare<V>) -> Result<(), NeedsNodes<V>> {
        let hash = value.hash();
        let needs = self.needs(hash);
        if spare.nodes.len() < needs || (needs == LEVELS as usize && spare.same.is_none()) {
            spare.wanted = needs;
            return Err(NeedsNodes(value));
        }
        let (mut slot, mut level) = (&mut self.root, 0);
        loop {
            match slot {
                Slot::Node(_) => {}
                Slot::Empty => {
                    *slot = Slot::One(value);
                    break;
                }
                Slot::Same(same) => {
                    same.0.push(value);
                    break;
                }
                Slot::One(_) if level == LEVELS => {
                    let Some(mut same) = spare.same.take() else { return Err(NeedsNodes(value)) };
                    if let Slot::One(old) = core::mem::replace(slot, Slot::Empty) {
                        same.0.push(old);
                    }
                    same.0.push(value);
                    *slot = Slot::Same(same);
                    break;
                }
                Slot::One(_) => {
                    let Some(mut node) = spare.nodes.pop() else { return Err(NeedsNodes(value)) };
                    if let Slot::One(old) = core::mem::replace(slot, Slot::Empty) {
                        let to = way(old.hash(), level);
                        node.slots[to] = Slot::One(old);
                        node.used = 1;
                    }
                    *slot = Slot::Node(node);
                }
            }
            let Slot::Node(node) = slot else { return Err(NeedsNodes(value)) };
            slot = &mut node.slots[way(hash, level)];
            if let Slot::Empty = slot {
                node.used += 1;
            }
            level += 1;
        }
        self.count += 1;
        Ok(())
    }

    /// How many nodes an insertion adds: one for each level on which the new hash still agrees with the one that it meets.
    fn needs(&self, hash: u64) -> usize {
        let (mut slot, mut level) = (&self.root, 0);
        while let Slot::Node(node) = slot {
            slot = &node.slots[way(hash, level)];
            level += 1;
        }
        let Slot::One(old) = slot else { return 0 };
        match (old.hash() ^ hash).leading_zeros() / BITS {
            LEVELS => LEVELS as usize,
            agreeing => (agreeing - level + 1) as usize,
        }
    }

    pub fn remove(&mut self, name: &Name<'_>) -> Option<V> {
        let removed = Self::remove_from(&mut self.root, 0, name)?;
        self.count -= 1;
        Some(removed)
    }

    fn remove_from(slot: &mut Slot<V>, level: u32, name: &Name<'_>) -> Option<V> {
        match slot {
            Slot::Empty => None,
            Slot::One(value) if value.hash() == name.hash() && value.is_named(name) => {
                match core::mem::replace(slot, Slot::Empty) {
                    Slot::One(value) => Some(value),
                    _ => None,
                }
            }
            Slot::One(_) => None,
            Slot::Node(node) => {
                let at = way(name.hash(), level);
                let removed = Self::remove_from(&mut node.slots[at], level + 1, name)?;
                slot.close(at);
                Some(removed)
            }
            Slot::Same(same) => {
                let at = same.0.iter().position(|value| value.hash() == name.hash() && value.is_named(name))?;
                let removed = same.0.swap_remove(at);
                if let Some(left) = same.left() {
                    *slot = Slot::One(left);
                }
                Some(removed)
            }
        }
    }

    /// The first value whose hash is at least `from`.
    pub fn next(&self, from: u64) -> Option<&V> {
        Self::next_in(&self.root, 0, from)
    }

    fn next_in(slot: &Slot<V>, level: u32, from: u64) -> Option<&V> {
        match slot {
            Slot::Empty => None,
            Slot::One(value) => (value.hash() >= from).then_some(value),
            Slot::Same(same) => same.0.iter().find(|value| value.hash() >= from),
            Slot::Node(node) => {
                let first = way(from, level);
                Self::next_in(&node.slots[first], level + 1, from)
                    .or_else(|| node.slots[first + 1..].iter().find_map(|slot| Self::next_in(slot, 0, 0)))
            }
        }
    }

    /// Takes any value out.
    pub fn pop(&mut self) -> Option<V> {
        let value = Self::pop_from(&mut self.root)?;
        self.count -= 1;
        Some(value)
    }

    fn pop_from(slot: &mut Slot<V>) -> Option<V> {
        match slot {
            Slot::Node(node) => {
                let at = node.slots.iter().position(|slot| !matches!(slot, Slot::Empty))?;
                let value = Self::pop_from(&mut node.slots[at])?;
                slot.close(at);
                Some(value)
            }
            Slot::Same(same) => {
                let value = same.0.pop();
                if let Some(left) = same.left() {
                    *slot = Slot::One(left);
                }
                value
            }
            Slot::Empty => None,
            Slot::One(_) => match core::mem::replace(slot, Slot::Empty) {
                Slot::One(value) => Some(value),
                _ => None,
            },
        }
    }
}

impl<V: Named> Default for NameTrie<V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
