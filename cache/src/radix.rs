//! A radix tree from 64-bit indexes to values: 64 ways at each level, as deep as its largest index needs.
//!
//! Every operation costs one step per level and never moves more than one value, so there is no pause when it grows, and no
//! allocation is larger than a page. Masks of what is present (and of what is marked dirty) stand in every node, so that the
//! next or previous one is found without visiting what is not there.
//!
//! It is meant to be changed under a spinlock: nodes come from a [`Spare`] that the caller fills before taking the lock.
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::array;

const SHIFT: u32 = 6;
const WAYS: usize = 1 << SHIFT;
const MASK: u64 = WAYS as u64 - 1;

/// What is looked for by [`Radix::next`] and [`Radix::previous`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Any value.
    Present = 0,
    /// A value marked by [`Radix::set_dirty`].
    Dirty = 1,
}

struct Leaf<T> {
    values: [Option<T>; WAYS],
    masks: [u64; 2],
}

struct Branch<T> {
    children: [Option<Node<T>>; WAYS],
    masks: [u64; 2],
}

enum Node<T> {
    Leaf(Box<Leaf<T>>),
    Branch(Box<Branch<T>>),
}

/// The tree. Nodes are never empty.
pub struct Radix<T> {
    root: Option<Node<T>>,
    /// Levels of branches above the leaves.
    height: u32,
    count: u64,
}

/// Nodes made in advance, outside of the lock that guards the tree.
pub struct Spare<T> {
    leaf: Option<Box<Leaf<T>>>,
    #[expect(clippy::vec_box, reason = "boxes move into the tree as they are")]
    branches: Vec<Box<Branch<T>>>,
    wanted: usize,
}

/// Why a value was not inserted; it is given back.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused<T> {
    /// There is a value already.
    Occupied(T),
    /// [`Spare::fill`] first.
    NeedsNodes(T),
}

impl<T> Spare<T> {
    pub const fn new() -> Self {
        Self { leaf: None, branches: Vec::new(), wanted: 0 }
    }

    /// Allocates what the last insertion lacked. May sleep.
    pub fn fill(&mut self) {
        if self.leaf.is_none() {
            self.leaf = Some(Box::new(Leaf { values: array::from_fn(|_| None), masks: [0; 2] }));
        }
        while self.branches.len() < self.wanted {
            self.branches.push(Box::new(Branch { children: array::from_fn(|_| None), masks: [0; 2] }));
        }
    }
}

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self::new()
    }
}

fn slot_at(index: u64, level: u32) -> usize {
    ((index >> (SHIFT * level)) & MASK) as usize
}

/// Levels of branches that an index needs.
fn height_for(index: u64) -> u32 {
    (64 - index.leading_zeros()).saturating_sub(1) / SHIFT
}

impl<T> Node<T> {
    fn masks(&self) -> [u64; 2] {
        match self {
            Self::Leaf(leaf) => leaf.masks,
            Self::Branch(branch) => branch.masks,
        }
    }

    /// The first tagged index at or after `from`, all within this node.
    fn next(&self, level: u32, from: u64, tag: Tag) -> Option<u64> {
        let first = slot_at(from, level);
        let mut candidates = self.masks()[tag as usize] & (!0 << first);
        let Self::Branch(branch) = self else {
            return (candidates != 0).then(|| u64::from(candidates.trailing_zeros()));
        };
        while candidates != 0 {
            let slot = candidates.trailing_zeros() as usize;
            let start = if slot == first { from } else { 0 };
            if let Some(found) = branch.children[slot].as_ref().and_then(|child| child.next(level - 1, start, tag)) {
                return Some(((slot as u64) << (SHIFT * level)) | found);
            }
            candidates &= candidates - 1;
        }
        None
    }

    /// The last tagged index at or before `to`, all within this node.
    fn previous(&self, level: u32, to: u64, tag: Tag) -> Option<u64> {
        let last = slot_at(to, level);
        let mut candidates = self.masks()[tag as usize] & (!0 >> (WAYS - 1 - last));
        let Self::Branch(branch) = self else {
            return (candidates != 0).then(|| u64::from(63 - candidates.leading_zeros()));
        };
        while candidates != 0 {
            let slot = 63 - candidates.leading_zeros() as usize;
            let end = if slot == last { to } else { u64::MAX };
            if let Some(found) = branch.children[slot].as_ref().and_then(|child| child.previous(level - 1, end, tag)) {
                return Some(((slot as u64) << (SHIFT * level)) | found);
            }
            candidates &= !(1 << slot);
        }
        None
    }

    /// Takes a value out; prunes nodes that become empty.
    fn remove(&mut self, level: u32, index: u64) -> Option<T> {
        let slot = slot_at(index, level);
        match self {
            Self::Leaf(leaf) => {
                let value = leaf.values[slot].take()?;
                leaf.masks.iter_mut().for_each(|mask| *mask &= !(1 << slot));
                Some(value)
            }
            Self::Branch(branch) => {
                let child = branch.children[slot].as_mut()?;
                let value = child.remove(level - 1, index)?;
                let masks = child.masks();
                if masks[Tag::Present as usize] == 0 {
                    branch.children[slot] = None;
                }
                branch.note(slot, masks);
                Some(value)
            }
        }
    }

    fn set_dirty(&mut self, level: u32, index: u64, dirty: bool) -> bool {
        let slot = slot_at(index, level);
        match self {
            Self::Leaf(leaf) => {
                let present = leaf.values[slot].is_some();
                let mask = &mut leaf.masks[Tag::Dirty as usize];
                *mask = if dirty && present { *mask | 1 << slot } else { *mask & !(1 << slot) };
                present
            }
            Self::Branch(branch) => {
                let Some(child) = branch.children[slot].as_mut() else { return false };
                let present = child.set_dirty(level - 1, index, dirty);
                let masks = child.masks();
                branch.note(slot, masks);
                present
            }
        }
    }
}

impl<T> Branch<T> {
    /// Brings this node's bits for a child up to date.
    fn note(&mut self, slot: usize, child: [u64; 2]) {
        for (mask, child) in self.masks.iter_mut().zip(child) {
            *mask = if child == 0 { *mask & !(1 << slot) } else { *mask | 1 << slot };
        }
    }
}

impl<T> Radix<T> {
    pub const fn new() -> Self {
        Self { root: None, height: 0, count: 0 }
    }

    /// How many values there are.
    pub fn len(&self) -> u64 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn leaf(&self, index: u64) -> Option<&Leaf<T>> {
        if height_for(index) > self.height {
            return None;
        }
        let mut node = self.root.as_ref()?;
        let mut level = self.height;
        loop {
            match node {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Branch(branch) => node = branch.children[slot_at(index, level)].as_ref()?,
            }
            level -= 1;
        }
    }

    fn leaf_mut(&mut self, index: u64) -> Option<&mut Leaf<T>> {
        if height_for(index) > self.height {
            return None;
        }
        let mut node = self.root.as_mut()?;
        let mut level = self.height;
        loop {
            match node {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Branch(branch) => node = branch.children[slot_at(index, level)].as_mut()?,
            }
            level -= 1;
        }
    }

    pub fn get(&self, index: u64) -> Option<&T> {
        self.leaf(index)?.values[slot_at(index, 0)].as_ref()
    }

    pub fn get_mut(&mut self, index: u64) -> Option<&mut T> {
        self.leaf_mut(index)?.values[slot_at(index, 0)].as_mut()
    }

    /// Puts a value where there is none, with nodes from `spare`.
    pub fn insert(&mut self, index: u64, value: T, spare: &mut Spare<T>) -> Result<(), Refused<T>> {
        if self.leaf(index).is_none() {
            let (branches, leaf) = self.needs(index);
            if spare.branches.len() < branches || (leaf && spare.leaf.is_none()) {
                spare.wanted = branches;
                return Err(Refused::NeedsNodes(value));
            }
            self.grow(index, spare);
        }
        let slot = slot_at(index, 0);
        match self.leaf_mut(index) {
            Some(leaf) if leaf.values[slot].is_none() => {
                leaf.values[slot] = Some(value);
                leaf.masks[Tag::Present as usize] |= 1 << slot;
                self.count += 1;
                Ok(())
            }
            _ => Err(Refused::Occupied(value)),
        }
    }

    /// How many branches, and whether a leaf, must be added for `index`.
    fn needs(&self, index: u64) -> (usize, bool) {
        let height = height_for(index);
        let Some(root) = &self.root else { return (height as usize, true) };
        if height > self.height {
            // New roots above the old one; below the topmost, a path of its own down to the new leaf.
            return ((height - self.height) as usize + height as usize - 1, true);
        }
        let (mut node, mut level) = (root, self.height);
        while let Node::Branch(branch) = node {
            match &branch.children[slot_at(index, level)] {
                Some(child) => node = child,
                None => return (level as usize - 1, true),
            }
            level -= 1;
        }
        (0, false)
    }

    /// Adds the nodes for `index`; `spare` has enough.
    fn grow(&mut self, index: u64, spare: &mut Spare<T>) {
        let height = height_for(index);
        if self.root.is_none() {
            self.height = height;
        }
        while self.height < height {
            let (Some(mut branch), Some(root)) = (spare.branches.pop(), self.root.take()) else { return };
            branch.note(0, root.masks());
            branch.children[0] = Some(root);
            self.root = Some(Node::Branch(branch));
            self.height += 1;
        }
        let mut level = self.height;
        let mut place = &mut self.root;
        loop {
            if place.is_none() {
                *place = match level {
                    0 => spare.leaf.take().map(Node::Leaf),
                    _ => spare.branches.pop().map(Node::Branch),
                };
            }
            let Some(Node::Branch(branch)) = place else { return };
            let slot = slot_at(index, level);
            branch.masks[Tag::Present as usize] |= 1 << slot;
            place = &mut branch.children[slot];
            level -= 1;
        }
    }

    pub fn remove(&mut self, index: u64) -> Option<T> {
        if height_for(index) > self.height {
            return None;
        }
        let root = self.root.as_mut()?;
        let value = root.remove(self.height, index)?;
        self.count -= 1;
        if self.count == 0 {
            (self.root, self.height) = (None, 0);
        }
        self.lower();
        Some(value)
    }

    /// Drops roots that only lead to their first child.
    fn lower(&mut self) {
        while let Some(Node::Branch(branch)) = &mut self.root {
            if branch.masks[Tag::Present as usize] != 1 {
                return;
            }
            self.root = branch.children[0].take();
            self.height -= 1;
        }
    }

    /// The first tagged index at or after `from`.
    pub fn next(&self, from: u64, tag: Tag) -> Option<u64> {
        if height_for(from) > self.height {
            return None;
        }
        self.root.as_ref()?.next(self.height, from, tag)
    }

    /// The last tagged index at or before `to`.
    pub fn previous(&self, to: u64, tag: Tag) -> Option<u64> {
        let to = if height_for(to) > self.height { u64::MAX } else { to };
        self.root.as_ref()?.previous(self.height, to, tag)
    }

    /// Marks a value dirty or clean; false where there is none.
    pub fn set_dirty(&mut self, index: u64, dirty: bool) -> bool {
        let height = self.height;
        height_for(index) <= height && self.root.as_mut().is_some_and(|root| root.set_dirty(height, index, dirty))
    }

    pub fn is_dirty(&self, index: u64) -> bool {
        self.leaf(index).is_some_and(|leaf| leaf.masks[Tag::Dirty as usize] & (1 << slot_at(index, 0)) != 0)
    }
}

impl<T> Default for Radix<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
