//! Unmapping: entries first, translations next, frames last.
use super::entry::Entry;
use super::table::{Step, Table, Tables};
use super::{Counts, PageTable, leaf_end};
use crate::batch::Batch;
use crate::tlb::{self, Touched};
use crate::{PAGE_SIZE, descriptor, zones};
use core::ops::Range;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{AcqRel, Relaxed};
use smallvec::SmallVec;

/// Frames that are kept between two flushes.
const BATCH: usize = 192;

/// Collects what is unmapped (Linux's `mmu_gather`): frames, emptied tables, and the range of addresses. Frames and tables
/// are given back only after every CPU that has the address space loaded has flushed the range: when the batch is full,
/// and at the end. Interrupts are on.
#[must_use]
pub struct Gather<'a> {
    owner: &'a PageTable,
    touched: Touched,
    frames: Batch<BATCH>,
    emptied: SmallVec<[Table; 16]>,
    counts: Counts,
}

impl<'a> Gather<'a> {
    pub fn new(owner: &'a PageTable) -> Self {
        Self {
            owner,
            touched: Touched::NOTHING,
            frames: Batch::new(),
            emptied: SmallVec::new_const(),
            counts: Counts::default(),
        }
    }

    /// Clears all entries in a range, and frees tables that have none left.
    pub fn unmap(&mut self, range: Range<usize>) {
        let mut address = range.start;
        while address < range.end {
            let mut tables = self.owner.tables.lock();
            while address < range.end && !self.is_full() {
                address = self.unmap_leaf(&mut tables, address, range.end);
            }
            drop(tables);
            if self.is_full() {
                self.release();
            }
        }
    }

    fn is_full(&self) -> bool {
        self.frames.is_full() || self.emptied.len() > 12
    }

    /// Clears what one leaf table maps from `address` on; answers where to go on.
    #[inline]
    fn unmap_leaf(&mut self, tables: &mut Tables, from: usize, end: usize) -> usize {
        let (leaf, path) = match tables.step(from) {
            Step::Hole(next) => return next,
            Step::Leaf(leaf, path) => (leaf, path),
        };
        let (used, stop) = (leaf.used(), leaf_end(from, end));
        let (slots, mut index, mut left) = (leaf.slots(from, stop), 0, used);
        while let Some(slot) = slots.get(index) {
            if slot.load(Relaxed) == 0 {
                index += empty_at_start(&slots[index..]);
                continue;
            }
            if left == used {
                self.touched.note(from + index * PAGE_SIZE);
            }
            // Exchanged, because the hardware may just be setting a bit.
            self.take(Entry(slot.swap(0, Relaxed)));
            (index, left) = (index + 1, left - 1);
            if left == 0 || self.frames.is_full() {
                break;
            }
        }
        let address = from + index * PAGE_SIZE;
        if left != used {
            self.touched.note(address - PAGE_SIZE);
            leaf.subtract_used(used - left);
        }
        if left != 0 {
            return address;
        }
        if self.touched.range().is_empty() {
            // A table that lost its entries earlier: CPUs may still remember where it was.
            self.touched.note(from);
        }
        tables.prune(leaf, &path, from, |table| self.emptied.push(table));
        stop
    }

    #[inline(always)]
    fn take(&mut self, entry: Entry) {
        if entry.is_held() {
            self.counts.add(entry);
            if entry.is_counted() {
                self.frames.push(entry.number());
            }
        }
    }

    /// Flushes, then frees.
    fn release(&mut self) {
        tlb::flush(&self.owner.cpus, self.touched.range());
        self.touched = Touched::NOTHING;
        let descriptors = descriptor::table();
        // What dropping a `Frame` does, for all at once. The entries that held these references were exchanged for zero.
        self.frames.retain(|number| descriptors[number as usize].count.fetch_sub(1, AcqRel) == 1);
        zones::free_pages(self.frames.as_slice());
        self.frames.clear();
        for table in self.emptied.drain(..) {
            // SAFETY: cleared above, and flushed; without entries, so all zeros.
            unsafe { table.free_zeroed() };
        }
    }

    /// Flushes and frees; answers how many pages there were since the last time.
    pub fn finish(&mut self) -> Counts {
        self.release();
        core::mem::take(&mut self.counts)
    }
}

impl Drop for Gather<'_> {
    fn drop(&mut self) {
        if !self.frames.is_empty() || !self.emptied.is_empty() {
            self.release();
        }
    }
}

/// How many entries at the start are empty; at least one where the first is. Most tables that are given back in part are nearly so.
fn empty_at_start(slots: &[AtomicU64]) -> usize {
    let (groups, rest) = slots.as_chunks::<8>();
    let is_empty = |group: &&[AtomicU64; 8]| group.iter().fold(0, |all, slot| all | slot.load(Relaxed)) == 0;
    let skipped = groups.iter().take_while(is_empty).count();
    let next = groups.get(skipped).map_or(rest, |group| &group[..]);
    skipped * 8 + next.iter().take_while(|slot| slot.load(Relaxed) == 0).count()
}
