//! Kernel memory that is contiguous for the kernel but not physically, each piece with an unmapped page after it.
//!
//! Ranges of the window lie in a tree that finds gaps in O(log n). A freed range gives its pages back at once, but stays
//! taken until all CPUs have flushed: one flush serves many ranges ([`DEAD_LIMIT`]). It happens in [`Area::new`], so
//! freeing never waits.
use crate::page_table::kernel::{self, KernelAccess, VMALLOC};
use crate::{PAGE_SIZE, tlb};
use alloc::vec::Vec;
use core::mem::ManuallyDrop;
use core::ops::Range;
use range_tree::RangeTree;
use sync::{Preempt, Rank, SpinGuard, SpinLock};

/// Freed ranges that wait for one flush.
const DEAD_LIMIT: usize = 32;

struct Ranges {
    used: RangeTree<()>,
    /// Starts of freed ranges. Has room for all that are in use, so that freeing needs no memory.
    dead: Vec<usize>,
    /// Pages of live areas, for /proc/meminfo.
    pages: usize,
}

static RANGES: SpinLock<Ranges, Preempt> =
    SpinLock::new(Rank::Vmalloc, Ranges { used: RangeTree::new(), dead: Vec::new(), pages: 0 });

/// Pages for which there are addresses.
pub const TOTAL_PAGES: usize = (VMALLOC.end - VMALLOC.start) / PAGE_SIZE;

/// Pages in use by areas.
pub fn pages() -> usize {
    RANGES.lock().pages
}

/// Freed ranges whose addresses wait for a flush.
pub fn waiting() -> usize {
    RANGES.lock().dead.len()
}

/// Takes addresses for `pages` pages; an unmapped page lies before them and after them.
fn reserve(pages: usize) -> Option<Range<usize>> {
    let length = pages.checked_mul(PAGE_SIZE)?;
    let mut ranges = RANGES.lock();
    let wanted = ranges.used.len().checked_add(1)?.checked_sub(ranges.dead.len())?;
    ranges.dead.try_reserve(wanted).ok()?;
    // What is taken starts with the guard page, so every area has one before it, and its neighbour's after it.
    let start = ranges.used.lowest_gap(VMALLOC, length.checked_add(2 * PAGE_SIZE)?)?;
    let range = start + PAGE_SIZE..start + PAGE_SIZE + length;
    ranges.used.insert(start..range.end, ()).ok()?;
    ranges.pages += pages;
    Some(range)
}

fn release(range: &Range<usize>) {
    let mut ranges = RANGES.lock();
    ranges.pages -= range.len() / PAGE_SIZE;
    ranges.dead.push(range.start - PAGE_SIZE);
}

/// Flushes, and gives dead ranges back, where there are more than `limit`.
fn purge(limit: usize) {
    let ranges = RANGES.lock();
    if ranges.dead.len() > limit {
        give_dead_back(ranges);
    }
}

fn give_dead_back(mut ranges: SpinGuard<'_, Ranges>) {
    let dead = core::mem::take(&mut ranges.dead);
    // Until the list is back, freed ranges need room in a new one; where there is none, they wait for the old one.
    let room = ranges.used.len() - dead.len();
    if ranges.dead.try_reserve(room).is_err() {
        ranges.dead = dead;
        return;
    }
    drop(ranges);
    tlb::flush_kernel(VMALLOC);
    let mut ranges = RANGES.lock();
    for &start in &dead {
        ranges.used.remove(start);
    }
}

/// Gives back what freed areas still keep: their addresses, and page tables that map nothing any more.
pub(crate) fn give_back() {
    give_dead_back(RANGES.lock());
    let mut address = VMALLOC.start;
    while let Some(leaf) = kernel::next_leaf(address..VMALLOC.end) {
        address = leaf.end;
        free_leaf_table(leaf);
    }
    RANGES.lock().used.give_back();
}

/// Frees the page table for `span` where nothing has addresses there. Until all CPUs have forgotten it nobody gets any: a CPU that still
/// went by the old table would miss what is mapped in a new one.
fn free_leaf_table(span: Range<usize>) {
    let mut ranges = RANGES.lock();
    if ranges.used.find(span.start).is_some_and(|(range, _)| range.start < span.end)
        || ranges.used.insert(span.clone(), ()).is_err()
    {
        return;
    }
    drop(ranges);
    if let Some(table) = kernel::take_leaf(span.start) {
        tlb::flush_kernel(span.clone());
        // SAFETY: nothing points to it any more, and no CPU remembers it.
        unsafe { table.free() };
    }
    RANGES.lock().used.remove(span.start);
}

/// An area of kernel memory, readable and writable, never executable. Contents start as anything. Process context.
#[derive(Debug)]
pub struct Area {
    range: Range<usize>,
}

impl Area {
    /// Maps `pages` fresh pages. `None` without memory or addresses. May wait for other CPUs: interrupts are on.
    pub fn new(pages: usize) -> Option<Self> {
        #[cfg(not(target_os = "none"))]
        kernel::host_root();
        purge(DEAD_LIMIT);
        let range = reserve(pages)?;
        if kernel::map_fresh(range.clone(), KernelAccess::ReadWrite).is_err() {
            release(&range);
            return None;
        }
        Some(Self { range })
    }

    /// Addresses of the area.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The area's bytes.
    #[cfg(target_os = "none")]
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: mapped, ours alone, and any bytes are fine.
        unsafe { core::slice::from_raw_parts_mut(self.range.start as *mut u8, self.range.len()) }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        kernel::unmap_fresh(self.range.clone());
        release(&self.range);
    }
}

/// Whether an address is one of an area's.
#[inline]
#[cfg_attr(not(target_os = "none"), allow(dead_code, reason = "the host has a heap of its own"))]
pub(crate) fn contains(address: usize) -> bool {
    VMALLOC.contains(&address)
}

/// An area of at least `bytes` for the heap. `None` without memory; all of it is not taken for what cannot be had. Process context.
#[cfg_attr(not(target_os = "none"), allow(dead_code, reason = "the host has a heap of its own"))]
pub(crate) fn allocate(bytes: usize) -> Option<usize> {
    let pages = bytes.div_ceil(PAGE_SIZE);
    if pages > crate::zones::available() {
        return None;
    }
    let area = ManuallyDrop::new(Area::new(pages)?);
    Some(area.range.start)
}

/// Frees an area of the heap.
///
/// # Safety
/// It is from [`allocate`] with the same `bytes`, and nobody uses it any more.
#[cfg_attr(not(target_os = "none"), allow(dead_code, reason = "the host has a heap of its own"))]
pub(crate) unsafe fn free(address: usize, bytes: usize) {
    drop(Area { range: address..address + bytes.next_multiple_of(PAGE_SIZE) });
}

/// Addresses for a device's registers, for ever.
pub(crate) fn reserve_for_device(pages: usize) -> Option<Range<usize>> {
    #[cfg(not(target_os = "none"))]
    kernel::host_root();
    reserve(pages)
}

/// Gives back what [`reserve_for_device`] took and nothing was mapped at.
pub(crate) fn release_unused(range: &Range<usize>) {
    release(range);
}

/// Tests that count tables run one after another.
#[cfg(test)]
pub(crate) static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page_table::kernel::walk;

    #[test]
    fn the_heap_gets_large_pieces_back() {
        let _alone = ALONE.lock().unwrap();
        crate::zones::host_arena();
        let bytes = 9 << 20;
        let address = allocate(bytes + 1).unwrap();
        assert!(contains(address) && contains(address + bytes) && !contains(VMALLOC.end));
        // Tables above are writable too; dirty is only what maps a page.
        assert!(walk(address + bytes).unwrap().to_string().contains("dirty"), "its last page");
        // SAFETY: allocated above, with as many bytes.
        unsafe { free(address, bytes + 1) };
        assert!(!walk(address + bytes).unwrap().to_string().contains("dirty"));
        assert_eq!(allocate(usize::MAX >> 1), None);
    }

    #[test]
    fn areas_are_mapped_apart_and_freed_in_batches() {
        let _alone = ALONE.lock().unwrap();
        let areas: Vec<Area> = (0..100).map(|index| Area::new(1 + index % 4).unwrap()).collect();
        let mut ranges: Vec<_> = areas.iter().map(Area::range).collect();
        ranges.sort_by_key(|range| range.start);
        assert!(ranges.windows(2).all(|pair| pair[1].start - pair[0].end >= PAGE_SIZE), "guard pages");
        let first = ranges[0].clone();
        let text = walk(first.start).unwrap().to_string();
        assert!(text.contains("level 1") && text.contains("writable") && text.contains("no-execute"), "{text}");
        assert!(!walk(first.start - PAGE_SIZE).unwrap().to_string().contains("level 1: 0x00000000000000 present"));
        drop(areas);
        assert!(!walk(first.start).unwrap().to_string().contains("dirty"));
        let again: Vec<Area> = (0..100).map(|_| Area::new(4).unwrap()).collect();
        drop(again);
        // A device of another test's may be mapped by the first table for ever.
        let others = kernel::next_leaf(VMALLOC).unwrap().end..VMALLOC.end;
        let kept = Area::new(600).unwrap();
        give_back();
        assert_eq!(RANGES.lock().dead.len(), 0);
        assert!(kernel::next_leaf(others.clone()).is_some(), "a table with pages stays");
        drop(kept);
        give_back();
        assert_eq!(kernel::next_leaf(others), None, "one without goes");
        assert!(RANGES.lock().used.len() <= 1, "and nobody has addresses there");
    }
}
