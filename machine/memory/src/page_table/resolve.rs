//! Single pages, as faults need them; and batches of neighbours.
use super::entry::{ACCESSED, ANONYMOUS, DIRTY, Entry, Mapping, PRESENT, PageKind, Rights, WRITABLE};
use super::{OutOfMemory, PageTable, leaf_end};
use crate::{Frame, PAGE_SIZE, descriptor, tlb};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// What a fault finds.
#[derive(Debug)]
pub enum Found {
    /// No frame.
    Empty,
    /// The access is allowed, or has just been made so: the page was the process's alone.
    Allowed(Frame),
    /// A write to a page that must first be copied, or be made writable with [`PageTable::replace`].
    ReadOnly(Frame, PageKind),
}

impl PageTable {
    /// Looks at the entry for an address that its area lets be read, or written where `write`. An anonymous page that
    /// nobody else refers to becomes writable at once.
    #[inline]
    pub fn resolve(&self, address: usize, write: bool) -> Found {
        let tables = self.tables.lock();
        let Some(leaf) = tables.leaf(address) else { return Found::Empty };
        let slot = leaf.entry(address, 0);
        let entry = Entry(slot.load(Relaxed));
        if !entry.is_held() {
            return Found::Empty;
        }
        // SAFETY: the entry keeps its frame while the lock is held; the page of zeros lives for ever.
        let frame = unsafe { Frame::share_number(entry.number()) };
        if !write || entry.has(WRITABLE) {
            return Found::Allowed(frame);
        }
        // One reference of the entry's, one of ours.
        let alone = entry.has(ANONYMOUS | PRESENT) && descriptor::of(entry.number()).count.load(Acquire) == 2;
        if !alone {
            return Found::ReadOnly(frame, entry.kind());
        }
        slot.fetch_or(WRITABLE | DIRTY | ACCESSED, Relaxed);
        Found::Allowed(frame)
    }

    /// Enters frames for consecutive pages from `address` on, all in one leaf table or several. Pages that have an entry
    /// already keep it, and their frames stay in `frames`. Answers how many were entered.
    #[inline]
    pub fn map(&self, address: usize, frames: &mut [Option<Frame>], mapping: Mapping) -> Result<usize, OutOfMemory> {
        if let [place] = frames {
            return self.map_one(address, place, mapping);
        }
        let (mut next, mut entered) = (address, 0);
        let end = address + frames.len() * PAGE_SIZE;
        let mut frames = frames.iter_mut();
        while next < end {
            let mut tables = self.tables.lock();
            let leaf = tables.leaf_or_new(next).ok_or(OutOfMemory)?;
            let (stop, mut added) = (leaf_end(next, end), 0);
            for (slot, place) in leaf.slots(next, stop).iter().zip(&mut frames) {
                if slot.load(Relaxed) != 0 {
                    continue;
                }
                let Some(frame) = place.take() else { continue };
                slot.store(Entry::new(hold(frame, mapping.kind), mapping).0, Relaxed);
                added += 1;
            }
            leaf.add_used(added);
            entered += added;
            next = stop;
        }
        Ok(entered)
    }

    /// What most faults need.
    #[inline]
    fn map_one(&self, address: usize, place: &mut Option<Frame>, mapping: Mapping) -> Result<usize, OutOfMemory> {
        let mut tables = self.tables.lock();
        let leaf = tables.leaf_or_new(address).ok_or(OutOfMemory)?;
        let slot = leaf.entry(address, 0);
        if slot.load(Relaxed) != 0 {
            return Ok(0);
        }
        let Some(frame) = place.take() else { return Ok(0) };
        slot.store(Entry::new(hold(frame, mapping.kind), mapping).0, Relaxed);
        leaf.add_used(1);
        Ok(1)
    }

    /// Puts `new` in the place of `old`, where that is still there and read-only; answers whether it was. No CPU can see
    /// the old page any more once the new one can be seen: the entry is empty while translations are flushed. `new` may
    /// be `old`, which then gains the rights.
    pub fn replace(&self, address: usize, old: &Frame, new: Frame, mapping: Mapping) -> bool {
        let tables = self.tables.lock();
        let Some(leaf) = tables.leaf(address) else { return false };
        let slot = leaf.entry(address, 0);
        let entry = Entry(slot.load(Relaxed));
        if !entry.is_held() || entry.number() != old.number() || entry.has(WRITABLE) {
            return false;
        }
        if new == *old {
            debug_assert!(mapping.kind == entry.kind(), "a page changes hands by being copied");
            let bits = if mapping.rights.contains(Rights::WRITE) { WRITABLE | DIRTY } else { 0 };
            slot.fetch_or(bits | ACCESSED, Relaxed);
            return true;
        }
        let entry = Entry(slot.swap(0, AcqRel));
        tlb::flush(&self.cpus, address..address + PAGE_SIZE);
        slot.store(Entry::new(hold(new, mapping.kind), mapping).0, Relaxed);
        drop(tables);
        if entry.is_counted() {
            // SAFETY: the entry that held this reference was exchanged, and translations are flushed.
            drop(unsafe { Frame::from_number(entry.number()) });
        }
        true
    }
}

/// The number for an entry, which keeps the reference unless the page is the page of zeros.
#[inline(always)]
fn hold(frame: Frame, kind: PageKind) -> u32 {
    if kind == PageKind::Zero { frame.number() } else { frame.into_number() }
}
