//! Iteration in ascending order.
use crate::node::{Link, Node};
use core::ops::Range;

/// Deeper than any AVL tree that fits into an address space of 48 bits of pages (1.44 × 36).
const DEPTH: usize = 53;

/// Ranges in ascending order.
pub struct Iter<'a, T> {
    /// Nodes whose own turn and right subtree are still to come.
    pending: [Option<&'a Node<T>>; DEPTH],
    depth: usize,
}

impl<'a, T> Iter<'a, T> {
    pub(crate) fn new(root: &'a Link<T>, address: usize) -> Self {
        let mut iterator = Self { pending: [None; DEPTH], depth: 0 };
        iterator.descend(root, address);
        iterator
    }

    fn descend(&mut self, mut link: &'a Link<T>, address: usize) {
        while let Some(node) = link {
            if node.end <= address {
                link = &node.right;
                continue;
            }
            if let Some(slot) = self.pending.get_mut(self.depth) {
                *slot = Some(node);
                self.depth += 1;
            }
            link = &node.left;
        }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (Range<usize>, &'a T);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.depth = self.depth.checked_sub(1)?;
        let node = self.pending[self.depth]?;
        self.descend(&node.right, 0);
        Some((node.start..node.end, &node.value))
    }
}
