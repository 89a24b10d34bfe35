//! Searches for free addresses. `around` runs from the end of the area before a subtree to the start of the one after it.
use crate::node::Link;
use core::ops::Range;

/// The free part of `around` that lies in `within`, if `length` fits.
fn fitting(around: &Range<usize>, within: &Range<usize>, length: usize) -> Option<Range<usize>> {
    let free = around.start.max(within.start)..around.end.min(within.end);
    (free.start < free.end && free.end - free.start >= length).then_some(free)
}

/// Whether the summary leaves a chance of `length` free addresses in a subtree and beside it.
fn hopeless<T>(link: &Link<T>, around: &Range<usize>, within: &Range<usize>, length: usize) -> bool {
    let inner = link
        .as_ref()
        .map_or(around.end - around.start, |node| node.gap.max(node.first - around.start).max(around.end - node.last));
    inner < length || around.start >= within.end || around.end <= within.start
}

pub(crate) fn highest<T>(link: &Link<T>, around: Range<usize>, within: &Range<usize>, length: usize) -> Option<usize> {
    if hopeless(link, &around, within, length) {
        return None;
    }
    let Some(node) = link else { return fitting(&around, within, length).map(|free| free.end - length) };
    highest(&node.right, node.end..around.end, within, length)
        .or_else(|| highest(&node.left, around.start..node.start, within, length))
}

pub(crate) fn lowest<T>(link: &Link<T>, around: Range<usize>, within: &Range<usize>, length: usize) -> Option<usize> {
    if hopeless(link, &around, within, length) {
        return None;
    }
    let Some(node) = link else { return fitting(&around, within, length).map(|free| free.start) };
    lowest(&node.left, around.start..node.start, within, length)
        .or_else(|| lowest(&node.right, node.end..around.end, within, length))
}
