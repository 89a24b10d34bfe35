//! The ordered tree of a fair queue: a treap whose links are the entities' own boxes.
//!
//! Ordered by [`Position`] from left to right, and by a random priority from the root down, which keeps the expected depth
//! at 1.39 · log2 n whatever the order of insertion. User space can neither see nor choose the priorities.
//!
//! The first entity, which all decisions look at, stands outside the tree: it is its own cache, and a queue of one, the
//! commonest by far, never touches the tree.

use crate::entity::{Entity, Position, Runnable};
use alloc::boxed::Box;

pub type Link<T> = Option<Runnable<T>>;

/// See the module. Never allocates.
///
/// INVARIANT: `front` comes before everything below `root`, and is there if anything is.
#[derive(Debug)]
pub struct Tree<T> {
    front: Link<T>,
    root: Link<T>,
    len: usize,
    random: u32,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { front: None, root: None, len: 0, random: 0x9E37_79B9 }
    }
}

impl<T> Tree<T> {
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The position of the first entity.
    #[inline]
    #[must_use]
    pub fn first(&self) -> Option<Position> {
        self.front.as_ref().map(|front| front.entity.position)
    }

    /// Takes an entity in. Its position must differ from all others (ids do).
    #[inline]
    pub fn insert(&mut self, new: Runnable<T>) {
        self.len += 1;
        match &mut self.front {
            None => self.front = Some(new),
            Some(front) if new.entity.position.before(front.entity.position) => {
                let old = core::mem::replace(front, new);
                self.hang(old);
            }
            Some(_) => self.hang(new),
        }
    }

    fn hang(&mut self, mut new: Runnable<T>) {
        new.entity.priority = self.next_random();
        insert_below(&mut self.root, new);
    }

    /// Takes the first entity out.
    #[inline]
    pub fn pop_first(&mut self) -> Option<Runnable<T>> {
        let popped = self.front.take()?;
        self.len -= 1;
        if self.root.is_some() {
            self.front = pop_leftmost(&mut self.root);
        }
        Some(popped)
    }

    /// Takes out the entity at `position`, if it is here.
    pub fn remove(&mut self, position: Position) -> Option<Runnable<T>> {
        if self.first() == Some(position) {
            return self.pop_first();
        }
        let removed = remove_below(&mut self.root, position)?;
        self.len -= 1;
        Some(removed)
    }

    /// Whether an entity is queued here at `position`.
    pub fn contains(&self, position: Position) -> bool {
        if self.first() == Some(position) {
            return true;
        }
        let mut place = self.root.as_ref();
        while let Some(node) = place {
            if node.entity.position == position {
                return true;
            }
            let left = position.before(node.entity.position);
            place = if left { node.entity.left.as_ref() } else { node.entity.right.as_ref() };
        }
        false
    }

    /// The entity at `position`, to change anything but its position.
    pub(crate) fn get_mut(&mut self, position: Position) -> Option<&mut Box<Entity<T>>> {
        if self.first() == Some(position) {
            return self.front.as_mut().map(|front| &mut front.entity);
        }
        let mut link = &mut self.root;
        while let Some(node) = link {
            if node.entity.position == position {
                return Some(&mut node.entity);
            }
            link = node.entity.child_towards(position);
        }
        None
    }

    /// The last position, looking at no more than `budget` entities from the end, whose entity `wanted` accepts.
    pub fn find_last(&self, mut budget: usize, wanted: &mut dyn FnMut(&Runnable<T>) -> bool) -> Option<Position> {
        let mut found = None;
        let mut visit = |runnable: &Runnable<T>| {
            if budget == 0 {
                return true;
            }
            budget -= 1;
            if wanted(runnable) {
                found = Some(runnable.entity.position);
            }
            found.is_some()
        };
        if !walk_back(&self.root, &mut visit)
            && let Some(front) = &self.front
        {
            visit(front);
        }
        found
    }

    fn next_random(&mut self) -> u32 {
        // Marsaglia's xorshift of 32 bits: never zero, period 2^32 − 1.
        let mut value = self.random;
        value ^= value << 13;
        value ^= value >> 17;
        value ^= value << 5;
        self.random = value;
        value
    }
}

impl<T> Entity<T> {
    fn child_towards(&mut self, position: Position) -> &mut Link<T> {
        if position.before(self.position) { &mut self.left } else { &mut self.right }
    }
}

// A loop cannot say these walks in safe code (a link would stay borrowed on the way out); as tail calls they are loops again.

fn insert_below<T>(link: &mut Link<T>, mut new: Runnable<T>) {
    match link {
        Some(node) if node.entity.priority >= new.entity.priority => {
            insert_below(node.entity.child_towards(new.entity.position), new);
        }
        _ => {
            split(link.take(), &mut new.entity);
            *link = Some(new);
        }
    }
}

fn pop_leftmost<T>(link: &mut Link<T>) -> Option<Runnable<T>> {
    match link {
        Some(node) if node.entity.left.is_some() => pop_leftmost(&mut node.entity.left),
        _ => {
            let mut popped = link.take()?;
            *link = popped.entity.right.take();
            Some(popped)
        }
    }
}

fn remove_below<T>(link: &mut Link<T>, position: Position) -> Option<Runnable<T>> {
    match link {
        Some(node) if node.entity.position != position => remove_below(node.entity.child_towards(position), position),
        _ => {
            let mut removed = link.take()?;
            merge(link, removed.entity.left.take(), removed.entity.right.take());
            Some(removed)
        }
    }
}

/// Hangs the entities of `whole` below `new`, each on its side.
fn split<T>(mut whole: Link<T>, new: &mut Entity<T>) {
    let position = new.position;
    let (mut before, mut after) = (&mut new.left, &mut new.right);
    while let Some(mut node) = whole {
        if node.entity.position.before(position) {
            whole = node.entity.right.take();
            before = &mut before.insert(node).entity.right;
        } else {
            whole = node.entity.left.take();
            after = &mut after.insert(node).entity.left;
        }
    }
}

/// Joins two trees, all of `left` before all of `right`, at `link`.
fn merge<T>(mut link: &mut Link<T>, mut left: Link<T>, mut right: Link<T>) {
    loop {
        match (left, right) {
            (rest, None) | (None, rest) => {
                *link = rest;
                return;
            }
            (Some(mut upper), Some(lower)) if upper.entity.priority >= lower.entity.priority => {
                left = upper.entity.right.take();
                right = Some(lower);
                link = &mut link.insert(upper).entity.right;
            }
            (Some(lower), Some(mut upper)) => {
                right = upper.entity.left.take();
                left = Some(lower);
                link = &mut link.insert(upper).entity.left;
            }
        }
    }
}

/// Visits from the last to the first until `visit` says that it is enough. Recursion is as deep as the tree.
fn walk_back<T>(link: &Link<T>, visit: &mut dyn FnMut(&Runnable<T>) -> bool) -> bool {
    let Some(node) = link else { return false };
    walk_back(&node.entity.right, visit) || visit(node) || walk_back(&node.entity.left, visit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Nice, Policy};
    use proptest::prelude::*;

    fn runnable(vruntime: u64, id: u64) -> Runnable<u64> {
        let mut entity = Box::new(Entity::new(id, Nice::default(), Policy::Normal));
        entity.position.vruntime = vruntime;
        Runnable { entity, owner: id }
    }

    fn depth<T>(link: &Link<T>) -> usize {
        link.as_ref().map_or(0, |node| 1 + depth(&node.entity.left).max(depth(&node.entity.right)))
    }

    #[test]
    fn ascending_insertions_stay_shallow() {
        let mut tree = Tree::default();
        for id in 0..30_000 {
            tree.insert(runnable(id, id));
        }
        assert!(depth(&tree.root) < 60, "{}", depth(&tree.root));
    }

    #[test]
    fn order_survives_wrapping_around() {
        let mut tree = Tree::default();
        for (id, vruntime) in [5, u64::MAX, 0, u64::MAX - 7].into_iter().enumerate() {
            tree.insert(runnable(vruntime, id as u64));
        }
        let order: Vec<_> = core::iter::from_fn(|| tree.pop_first()).map(|popped| popped.owner).collect();
        assert_eq!(order, [3, 1, 2, 0]);
    }

    proptest! {
        #[test]
        fn agrees_with_a_sorted_vector(steps in prop::collection::vec((0u8..5, 0u64..50), 0..300)) {
            let mut tree = Tree::default();
            let mut model: Vec<(u64, u64)> = Vec::new();
            for (serial, (kind, value)) in steps.into_iter().enumerate() {
                match kind {
                    0..=2 => {
                        tree.insert(runnable(value, serial as u64));
                        model.push((value, serial as u64));
                        model.sort_unstable();
                    }
                    3 => {
                        let expected = (!model.is_empty()).then(|| model.remove(0).1);
                        prop_assert_eq!(tree.pop_first().map(|popped| popped.owner), expected);
                    }
                    _ => {
                        let index = value as usize;
                        let expected = (index < model.len()).then(|| model.remove(index));
                        let (vruntime, id) = expected.unwrap_or((value, u64::MAX));
                        let removed = tree.remove(Position { vruntime, id });
                        prop_assert_eq!(removed.map(|removed| removed.owner), expected.map(|pair| pair.1));
                    }
                }
                prop_assert_eq!(tree.len(), model.len());
                prop_assert_eq!(tree.first().map(|first| (first.vruntime, first.id)), model.first().copied());
                let last_even = model.iter().rev().take(4).find(|pair| pair.1 % 2 == 0).map(|pair| pair.1);
                prop_assert_eq!(tree.find_last(4, &mut |found| found.owner % 2 == 0).map(|found| found.id), last_even);
            }
        }
    }
}
