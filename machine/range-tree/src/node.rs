//! Nodes, their summaries, and memory for them.
use crate::OutOfMemory;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut, Range};

pub(crate) type Link<T> = Option<Owned<T>>;

pub(crate) struct Node<T> {
    pub start: usize,
    pub end: usize,
    pub left: Link<T>,
    pub right: Link<T>,
    /// First start and last end in the subtree, and the largest gap between neighbours in it.
    pub first: usize,
    pub last: usize,
    pub gap: usize,
    pub height: u8,
    pub value: T,
}

/// A node on the heap. An array of one, because a vector's memory turns into that without another allocation, and only a
/// vector's can be asked for in a way that may be refused.
pub(crate) struct Owned<T>(Box<[Node<T>; 1]>);

impl<T> Deref for Owned<T> {
    type Target = Node<T>;

    #[inline(always)]
    fn deref(&self) -> &Node<T> {
        let [node] = &*self.0;
        node
    }
}

impl<T> DerefMut for Owned<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Node<T> {
        let [node] = &mut *self.0;
        node
    }
}

impl<T> Owned<T> {
    /// A leaf in `memory`, or in new memory where that has no room.
    pub fn new(mut memory: Vec<Node<T>>, range: Range<usize>, value: T) -> Result<Self, OutOfMemory> {
        memory.try_reserve_exact(1).map_err(|_| OutOfMemory)?;
        let Range { start, end } = range;
        memory.push(Node { start, end, left: None, right: None, first: start, last: end, gap: 0, height: 1, value });
        memory.try_into().map(Self).map_err(|_| OutOfMemory)
    }

    /// The node, which has no children any more, and its memory.
    pub fn into_parts(self) -> (Node<T>, Vec<Node<T>>) {
        let boxed: Box<[Node<T>]> = self.0;
        let mut memory = Vec::from(boxed);
        match memory.pop() {
            Some(node) => (node, memory),
            None => unreachable!("an array of one has an element"),
        }
    }
}

pub(crate) fn height<T>(link: &Link<T>) -> u8 {
    link.as_ref().map_or(0, |node| node.height)
}

impl<T> Node<T> {
    /// Derives height and summary from the children.
    pub fn summarise(&mut self) {
        (self.first, self.last, self.gap) = (self.start, self.end, 0);
        if let Some(left) = &self.left {
            self.first = left.first;
            self.gap = left.gap.max(self.start - left.last);
        }
        if let Some(right) = &self.right {
            self.last = right.last;
            self.gap = self.gap.max(right.gap).max(right.first - self.end);
        }
        self.height = 1 + height(&self.left).max(height(&self.right));
    }
}

/// Changes the bounds of the node that starts at `start`, and repairs the summaries above it.
pub(crate) fn change<T>(link: &mut Link<T>, start: usize, body: &mut impl FnMut(&mut Node<T>)) -> bool {
    let Some(node) = link else { return false };
    let found = match start.cmp(&node.start) {
        core::cmp::Ordering::Less => change(&mut node.left, start, body),
        core::cmp::Ordering::Greater => change(&mut node.right, start, body),
        core::cmp::Ordering::Equal => {
            body(node);
            true
        }
    };
    node.summarise();
    found
}
