//! Taking pages away: truncation and holes.
use crate::PageCache;
use crate::page_cache::pages_for;
use crate::radix::Tag;
use abi::{Errno, PAGE_SIZE};
use core::ops::Range;
use core::sync::atomic::Ordering;
use memory::Frame;

/// Pages taken out under one hold of the lock.
const BATCH: usize = 32;

impl PageCache {
    /// Sets the size. Pages beyond it leave the cache and every address space; the rest of the last page is cleared, so that
    /// growing again shows zeros. The caller excludes writers and other truncations. May sleep.
    pub fn truncate(&self, size: u64) {
        let old = self.size();
        if size >= old {
            self.clear_tail();
            self.size.store(size, Ordering::Release);
            return;
        }
        self.size.store(size, Ordering::Release);
        self.take_away(pages_for(size)..pages_for(old));
        self.clear_beyond_end();
    }

    /// Makes a hole: whole pages leave, parts of pages are cleared. The size stays. The caller excludes writers and
    /// truncations. Where the backing stores pages, it gives up their places itself. May sleep.
    pub fn punch(&self, bytes: Range<u64>) -> Result<(), Errno> {
        let page = PAGE_SIZE as u64;
        let bytes = bytes.start..bytes.end.min(self.size().next_multiple_of(page));
        if bytes.is_empty() {
            return Ok(());
        }
        let whole = bytes.start.div_ceil(page)..bytes.end / page;
        if whole.start > whole.end {
            return self.clear(bytes.start, (bytes.end - bytes.start) as usize);
        }
        self.clear(bytes.start, (whole.start * page - bytes.start) as usize)?;
        self.clear(whole.end * page, (bytes.end - whole.end * page) as usize)?;
        self.take_away(whole);
        Ok(())
    }

    /// Brings in every page that these bytes touch, also beyond the end, where the caller, who excludes writers and
    /// truncations, moves the end afterwards. What was brought in beyond the end leaves again on an error. May sleep.
    pub fn allocate(&self, bytes: Range<u64>) -> Result<(), Errno> {
        let wanted = bytes.start / PAGE_SIZE as u64..pages_for(bytes.end);
        for index in wanted.clone() {
            if self.lookup(index).is_some() {
                continue;
            }
            match self.backing.load(index) {
                Ok(frame) => drop(self.enter(index, frame, true)),
                Err(error) => {
                    self.take_away(pages_for(self.size()).max(wanted.start)..index);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Clears bytes within one page.
    fn clear(&self, at: u64, length: usize) -> Result<(), Errno> {
        let (index, offset) = (at / PAGE_SIZE as u64, (at % PAGE_SIZE as u64) as usize);
        let frame = match self.lookup(index) {
            Some(frame) => frame,
            None if length == 0 || self.behaviour.absent_is_zero => return Ok(()),
            None => self.page(index)?,
        };
        frame.zero(offset, length);
        self.mark_dirty(index);
        Ok(())
    }

    /// Clears what mappings may have written behind the end of the file, before the end moves.
    pub(crate) fn clear_tail(&self) {
        if self.mappers.ever() {
            self.clear_beyond_end();
        }
    }

    fn clear_beyond_end(&self) {
        let size = self.size();
        let offset = (size % PAGE_SIZE as u64) as usize;
        if offset != 0
            && let Some(frame) = self.lookup(size / PAGE_SIZE as u64)
        {
            frame.zero(offset, PAGE_SIZE - offset);
            self.mark_dirty(size / PAGE_SIZE as u64);
        }
    }

    /// Takes pages out, in the order that the theory of operation asks for.
    fn take_away(&self, range: Range<u64>) {
        let mut from = range.start;
        loop {
            let mut taken: [Option<Frame>; BATCH] = [const { None }; BATCH];
            let mut count = 0;
            let mut pages = self.pages.lock();
            while count < BATCH {
                let Some(index) = pages.next(from, Tag::Present).filter(|&index| index < range.end) else { break };
                taken[count] = pages.remove(index);
                (from, count) = (index + 1, count + 1);
            }
            drop(pages);
            drop(taken);
            if count != 0 {
                self.backing.left(count as u64);
            }
            if count < BATCH {
                break;
            }
        }
        if self.mappers.ever() {
            self.truncations.fetch_add(1, Ordering::AcqRel);
            self.mappers.for_each(|mapper| mapper.unmap_pages(self, range.clone()));
        }
    }
}
