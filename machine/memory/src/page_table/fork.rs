//! Copying and moving ranges.
use super::entry::{ANONYMOUS, Entry, WRITABLE};
use super::table::{Step, Table, Tables};
use super::{Counts, OutOfMemory, PageTable, leaf_end};
use crate::{PAGE_SIZE, descriptor};
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;
use sync::lock_pair;

/// What a copy did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    pub counts: Counts,
    /// Whether entries of the source lost write access: its translations must be flushed before the copy is used.
    pub protected: bool,
}

impl PageTable {
    /// Enters all frames of a range into `child` at the same addresses, which are empty there. Anonymous pages become
    /// read-only on both sides; the caller flushes the source once for all ranges ([`PageTable::flush`]). Pages of files come
    /// along where `files` (else the child's faults find them in their cache). Where memory runs out, a part is copied.
    pub fn copy(&self, child: &PageTable, range: Range<usize>, files: bool) -> Result<Copied, OutOfMemory> {
        let (mut copied, mut address) = (Copied::default(), range.start);
        while address < range.end {
            let (mine, mut theirs) = lock_pair(&self.tables, &child.tables);
            match mine.step(address) {
                Step::Hole(next) => address = next,
                Step::Leaf(leaf, _) => {
                    let stop = leaf_end(address, range.end);
                    copy_leaf(leaf, &mut theirs, address..stop, files, &mut copied)?;
                    address = stop;
                }
            }
        }
        Ok(copied)
    }

    /// Moves all pages of a range to `to`, where nothing is mapped. Without memory nothing has moved.
    pub fn relocate(&self, range: Range<usize>, to: usize) -> Result<(), OutOfMemory> {
        let (shift, mut address) = (to.wrapping_sub(range.start), range.start);
        if self.make_tables(range.clone(), shift).is_err() {
            // Tables that stay empty would otherwise lie there until exit.
            self.unmap(to..range.end.wrapping_add(shift));
            return Err(OutOfMemory);
        }
        while address < range.end {
            let mut tables = self.tables.lock();
            address = match tables.step(address) {
                Step::Hole(next) => next,
                Step::Leaf(leaf, _) => {
                    let stop = leaf_end(address, range.end);
                    move_leaf(&mut tables, leaf, address..stop, shift);
                    stop
                }
            };
        }
        self.flush(range.clone());
        // Frees the tables that lost all their entries.
        self.unmap(range);
        Ok(())
    }

    /// Makes leaf tables for every page that `relocate` will move.
    fn make_tables(&self, range: Range<usize>, shift: usize) -> Result<(), OutOfMemory> {
        let mut address = range.start;
        while address < range.end {
            let mut tables = self.tables.lock();
            address = match tables.step(address) {
                Step::Hole(next) => next,
                Step::Leaf(leaf, _) => {
                    let stop = leaf_end(address, range.end);
                    let used = |at: &usize| leaf.load(*at, 0).0 != 0;
                    // The pages of one table come to lie in two at most: that of the first and that of the last.
                    let mut pages = (address..stop).step_by(PAGE_SIZE);
                    for page in [pages.find(used), pages.rfind(used)].into_iter().flatten() {
                        tables.leaf_or_new(page.wrapping_add(shift)).ok_or(OutOfMemory)?;
                    }
                    stop
                }
            };
        }
        Ok(())
    }
}

#[inline]
fn copy_leaf(
    leaf: Table,
    child: &mut Tables,
    range: Range<usize>,
    files: bool,
    copied: &mut Copied,
) -> Result<(), OutOfMemory> {
    let wanted = |entry: Entry| entry.is_held() && (files || entry.has(ANONYMOUS));
    let mut left = leaf.used();
    // The child's table is made for the first entry that comes along.
    let first = leaf.slots(range.start, range.end).iter().position(|slot| wanted(Entry(slot.load(Relaxed))));
    let Some(first) = first else { return Ok(()) };
    let target = child.leaf_or_new(range.start).ok_or(OutOfMemory)?;
    let frames = descriptor::table();
    let (mut added, mut anonymous, mut zero) = (0, 0, 0);
    let start = range.start + first * PAGE_SIZE;
    for (slot, target) in leaf.slots(start, range.end).iter().zip(target.slots(start, range.end)) {
        let mut entry = Entry(slot.load(Relaxed));
        if entry.0 == 0 {
            continue;
        }
        left -= 1;
        if wanted(entry) {
            if entry.has(ANONYMOUS) {
                anonymous += 1;
                if entry.has(WRITABLE) {
                    // The dirty bit may be set meanwhile: of no use for an anonymous page.
                    slot.fetch_and(!WRITABLE, Relaxed);
                    entry.0 &= !WRITABLE;
                    copied.protected = true;
                }
            }
            if entry.is_counted() {
                frames[entry.number() as usize].count.fetch_add(1, Relaxed);
            } else {
                zero += 1;
            }
            target.store(entry.0, Relaxed);
            added += 1;
        }
        if left == 0 {
            break;
        }
    }
    copied.counts.anonymous += anonymous;
    copied.counts.file += added - anonymous - zero;
    target.add_used(added);
    Ok(())
}

fn move_leaf(tables: &mut Tables, leaf: Table, range: Range<usize>, shift: usize) {
    for address in range.step_by(PAGE_SIZE) {
        let slot = leaf.entry(address, 0);
        if slot.load(Relaxed) == 0 {
            continue;
        }
        let Some(target) = tables.leaf(address.wrapping_add(shift)) else { continue };
        target.entry(address.wrapping_add(shift), 0).store(slot.swap(0, Relaxed), Relaxed);
        target.add_used(1);
        leaf.subtract_used(1);
    }
}
