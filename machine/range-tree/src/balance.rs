//! Insertion, removal and building, keeping the AVL balance (Adelson-Velsky and Landis, 1962). Depth is at most 1.44 log2 n,
//! so recursion is harmless.
use crate::OutOfMemory;
use crate::node::{Link, Owned, height};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Range;

fn rotate_right<T>(mut node: Owned<T>) -> Owned<T> {
    let Some(mut left) = node.left.take() else { return node };
    node.left = left.right.take();
    node.summarise();
    left.right = Some(node);
    left.summarise();
    left
}

fn rotate_left<T>(mut node: Owned<T>) -> Owned<T> {
    let Some(mut right) = node.right.take() else { return node };
    node.right = right.left.take();
    node.summarise();
    right.left = Some(node);
    right.summarise();
    right
}

/// Restores the balance of a node whose children are balanced and differ by at most 2, and its summary.
fn rebalance<T>(mut node: Owned<T>) -> Owned<T> {
    let (left, right) = (height(&node.left), height(&node.right));
    if left > right + 1 {
        if let Some(child) = node.left.take_if(|child| height(&child.right) > height(&child.left)) {
            node.left = Some(rotate_left(child));
        }
        return rotate_right(node);
    }
    if right > left + 1 {
        if let Some(child) = node.right.take_if(|child| height(&child.left) > height(&child.right)) {
            node.right = Some(rotate_right(child));
        }
        return rotate_left(node);
    }
    node.summarise();
    node
}

pub(crate) fn insert<T>(link: Link<T>, new: Owned<T>) -> Owned<T> {
    let Some(mut node) = link else { return new };
    if new.start < node.start {
        node.left = Some(insert(node.left.take(), new));
    } else {
        node.right = Some(insert(node.right.take(), new));
    }
    rebalance(node)
}

/// What is left, and the node that started at `start`, without children.
pub(crate) fn remove<T>(link: Link<T>, start: usize) -> (Link<T>, Link<T>) {
    let Some(mut node) = link else { return (None, None) };
    let found;
    match start.cmp(&node.start) {
        Ordering::Less => (node.left, found) = remove(node.left.take(), start),
        Ordering::Greater => (node.right, found) = remove(node.right.take(), start),
        Ordering::Equal => return (join(node.left.take(), node.right.take()), Some(node)),
    }
    (Some(rebalance(node)), found)
}

/// One tree of two that differ in height by at most 1, all of `left` before all of `right`.
fn join<T>(left: Link<T>, right: Link<T>) -> Link<T> {
    let Some(right) = right else { return left };
    let (rest, mut first) = take_first(right);
    first.left = left;
    first.right = rest;
    Some(rebalance(first))
}

fn take_first<T>(mut node: Owned<T>) -> (Link<T>, Owned<T>) {
    match node.left.take() {
        None => (node.right.take(), node),
        Some(left) => {
            let (rest, first) = take_first(left);
            node.left = rest;
            (Some(rebalance(node)), first)
        }
    }
}

/// Balances `count` ranges as they come; `length` counts those that came.
pub(crate) fn build<T>(
    count: usize,
    ranges: &mut impl Iterator<Item = (Range<usize>, T)>,
    length: &mut usize,
) -> Result<Link<T>, OutOfMemory> {
    if count == 0 {
        return Ok(None);
    }
    let left = build(count / 2, ranges, length)?;
    let Some((range, value)) = ranges.next() else { return Ok(left) };
    let mut node = Owned::new(Vec::new(), range, value)?;
    *length += 1;
    node.left = left;
    node.right = build(count - count / 2 - 1, ranges, length)?;
    node.summarise();
    Ok(Some(node))
}
