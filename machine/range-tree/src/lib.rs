//! Ranges of addresses that never overlap, ordered, each with a value: the areas of an address space, the kernel's
//! virtual ranges.
//!
//! **Problem.** Find the range at an address, insert, remove, and find a gap of some length nearest to one end, all
//! in O(log n) with tens of thousands of ranges; and never fail half way for want of memory.
//!
//! **Model.** An AVL tree. Each node also knows its subtree's first start, last end, and largest gap between two
//! neighbours inside: a summary that follows from its children alone, so that a change repairs it on the way back up
//! and neighbours need no links to each other. A gap search leaves out every subtree whose summary is too small.
//!
//! **Memory.** [`RangeTree::reserve`] sets nodes aside before anything is changed; that many insertions then cannot
//! fail. Removed nodes refill the reserve, [`RangeTree::give_back`] empties it.
//!
//! **Why not** `BTreeMap`: it allocates without a way to refuse, and knows nothing of gaps.
//!
//! No locks here: the owner has one.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod balance;
mod gap;
mod iterate;
mod node;

pub use iterate::Iter;

use alloc::vec::Vec;
use core::ops::Range;
use node::{Link, Node, Owned};

/// There was no memory for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// The most nodes that [`RangeTree::reserve`] sets aside.
pub const SPARES: usize = 4;

/// Disjoint, non-empty ranges of `usize`, each with a `T`.
pub struct RangeTree<T> {
    root: Link<T>,
    length: usize,
    /// Memory for nodes: vectors of capacity 1 and length 0, or nothing.
    spares: [Vec<Node<T>>; SPARES],
}

impl<T> Default for RangeTree<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> RangeTree<T> {
    pub const fn new() -> Self {
        Self { root: None, length: 0, spares: [const { Vec::new() }; SPARES] }
    }

    /// How many ranges there are.
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Makes sure that the next `count` insertions (at most [`SPARES`]) find memory.
    pub fn reserve(&mut self, count: usize) -> Result<(), OutOfMemory> {
        debug_assert!(count <= SPARES);
        for spare in self.spares.iter_mut().take(count) {
            if spare.capacity() == 0 {
                spare.try_reserve_exact(1).map_err(|_| OutOfMemory)?;
            }
        }
        Ok(())
    }

    /// Gives back the memory that was set aside.
    pub fn give_back(&mut self) {
        self.spares = [const { Vec::new() }; SPARES];
    }

    fn new_node(&mut self, range: Range<usize>, value: T) -> Result<Owned<T>, OutOfMemory> {
        // The last first, so that the first ones stay filled and `reserve` finds them so.
        let spare = self.spares.iter_mut().rev().find(|spare| spare.capacity() != 0);
        let memory = spare.map(core::mem::take).unwrap_or_default();
        Owned::new(memory, range, value)
    }

    fn keep_spare(&mut self, memory: Vec<Node<T>>) {
        if let Some(empty) = self.spares.iter_mut().find(|spare| spare.capacity() == 0) {
            *empty = memory;
        }
    }

    /// Adds a range. The caller has seen to it that it is not empty and overlaps no other.
    pub fn insert(&mut self, range: Range<usize>, value: T) -> Result<(), OutOfMemory> {
        debug_assert!(
            range.start < range.end && self.find(range.start).is_none_or(|(next, _)| next.start >= range.end)
        );
        let node = self.new_node(range, value)?;
        self.root = Some(balance::insert(self.root.take(), node));
        self.length += 1;
        Ok(())
    }

    /// Takes out the range that starts at `start`.
    pub fn remove(&mut self, start: usize) -> Option<(Range<usize>, T)> {
        let (root, found) = balance::remove(self.root.take(), start);
        self.root = root;
        let (node, memory) = found?.into_parts();
        self.keep_spare(memory);
        self.length -= 1;
        Some((node.start..node.end, node.value))
    }

    /// Gives the range that starts at `start` new bounds, which leave it between its neighbours. False where there is none.
    pub fn resize(&mut self, start: usize, bounds: Range<usize>) -> bool {
        debug_assert!(bounds.start < bounds.end);
        node::change(&mut self.root, start, &mut |node| (node.start, node.end) = (bounds.start, bounds.end))
    }

    /// The first range that ends beyond `address`: the one that covers it, or else the next one.
    #[inline]
    pub fn find(&self, address: usize) -> Option<(Range<usize>, &T)> {
        let mut link = &self.root;
        let mut best = None;
        while let Some(node) = link {
            if node.end > address {
                best = Some(node);
                if node.start <= address {
                    break;
                }
                link = &node.left;
            } else {
                link = &node.right;
            }
        }
        best.map(|node| (node.start..node.end, &node.value))
    }

    /// The range that covers `address`.
    #[inline]
    pub fn get(&self, address: usize) -> Option<(Range<usize>, &T)> {
        self.find(address).filter(|(range, _)| range.start <= address)
    }

    /// The last range that ends at or before `address`.
    pub fn before(&self, address: usize) -> Option<(Range<usize>, &T)> {
        let mut link = &self.root;
        let mut best = None;
        while let Some(node) = link {
            if node.end <= address {
                best = Some(node);
                link = &node.right;
            } else {
                link = &node.left;
            }
        }
        best.map(|node| (node.start..node.end, &node.value))
    }

    /// The value of the range that covers `address`, to be changed.
    pub fn get_mut(&mut self, address: usize) -> Option<(Range<usize>, &mut T)> {
        let mut link = &mut self.root;
        while let Some(node) = link {
            if address < node.start {
                link = &mut node.left;
            } else if address >= node.end {
                link = &mut node.right;
            } else {
                return Some((node.start..node.end, &mut node.value));
            }
        }
        None
    }

    /// The highest start of `length` free addresses inside `within`.
    pub fn highest_gap(&self, within: Range<usize>, length: usize) -> Option<usize> {
        gap::highest(&self.root, 0..usize::MAX, &within, length)
    }

    /// The lowest start of `length` free addresses inside `within`.
    pub fn lowest_gap(&self, within: Range<usize>, length: usize) -> Option<usize> {
        gap::lowest(&self.root, 0..usize::MAX, &within, length)
    }

    /// The ranges that end beyond `address`, in ascending order.
    pub fn iter_from(&self, address: usize) -> Iter<'_, T> {
        Iter::new(&self.root, address)
    }

    /// All ranges in ascending order.
    pub fn iter(&self) -> Iter<'_, T> {
        self.iter_from(0)
    }

    /// A tree of `count` ranges that come in ascending order: balanced at once, without a search.
    pub fn from_sorted(
        count: usize,
        ranges: &mut impl Iterator<Item = (Range<usize>, T)>,
    ) -> Result<Self, OutOfMemory> {
        let mut length = 0;
        let root = balance::build(count, ranges, &mut length)?;
        Ok(Self { root, length, spares: [const { Vec::new() }; SPARES] })
    }
}

#[cfg(test)]
mod tests;
