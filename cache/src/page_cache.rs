//! The pages of one file.
use crate::backing::{Backing, Behaviour, PageError};
use crate::mapper::Mappers;
use crate::radix::{Radix, Refused, Spare, Tag};
use abi::{Errno, PAGE_SIZE};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use memory::Frame;
use sync::{Rank, SpinLock};

/// The pages of one file, and its size.
pub struct PageCache {
    pub(crate) pages: SpinLock<Radix<Frame>>,
    pub(crate) size: AtomicU64,
    pub(crate) truncations: AtomicU64,
    pub(crate) mappers: Mappers,
    pub(crate) behaviour: Behaviour,
    pub(crate) backing: Arc<dyn Backing>,
}

/// Number of pages that `size` bytes touch.
pub(crate) fn pages_for(size: u64) -> u64 {
    size.div_ceil(PAGE_SIZE as u64)
}

impl PageCache {
    /// An empty cache of a file of `size` bytes.
    pub fn new(backing: Arc<dyn Backing>, size: u64) -> Self {
        Self {
            pages: SpinLock::new(Rank::PageIndex, Radix::new()),
            size: AtomicU64::new(size),
            truncations: AtomicU64::new(0),
            mappers: Mappers::new(),
            behaviour: backing.behaviour(),
            backing,
        }
    }

    /// The size of the file in bytes.
    #[inline]
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Which kind of backing it has.
    #[inline]
    pub fn behaviour(&self) -> Behaviour {
        self.behaviour
    }

    /// How often pages were taken away; see the crate's theory of operation.
    pub fn truncations(&self) -> u64 {
        self.truncations.load(Ordering::Acquire)
    }

    /// How many pages are in the cache.
    pub fn page_count(&self) -> u64 {
        self.pages.lock().len()
    }

    /// The page, if it is in the cache. Does not sleep.
    #[inline]
    pub fn lookup(&self, index: u64) -> Option<Frame> {
        self.pages.lock().get(index).cloned()
    }

    /// Up to `frames.len()` pages from `index` on, for fault-around: those that are in the cache. Does not sleep.
    pub fn lookup_many(&self, index: u64, frames: &mut [Option<Frame>]) {
        let pages = self.pages.lock();
        for (offset, frame) in (0u64..).zip(frames) {
            *frame = index.checked_add(offset).and_then(|index| pages.get(index)).cloned();
        }
    }

    /// The page, brought in if need be. May sleep.
    pub fn page(&self, index: u64) -> Result<Frame, PageError> {
        if index >= pages_for(self.size()) {
            return Err(PageError::BeyondEnd);
        }
        if let Some(frame) = self.lookup(index) {
            return Ok(frame);
        }
        let frame = self.backing.load(index).map_err(PageError::Failed)?;
        match self.enter(index, frame, false) {
            Entered::New(frame) => Ok(frame),
            Entered::Existing { page, .. } => Ok(page),
            Entered::Beyond => Err(PageError::BeyondEnd),
        }
    }

    /// Enters a frame that the backing gave, unless somebody was faster or the file now ends before it. A file cut
    /// meanwhile has its new size before its pages are taken out, so the look at the size under the lock suffices. A
    /// `writing` caller holds off truncation, and moves the end afterwards.
    pub(crate) fn enter(&self, index: u64, mut frame: Frame, writing: bool) -> Entered {
        let mut spare = Spare::new();
        loop {
            let mut pages = self.pages.lock();
            if !writing && index >= pages_for(self.size()) {
                drop(pages);
                drop(frame);
                self.backing.left(1);
                return Entered::Beyond;
            }
            let entered = frame.clone();
            match pages.insert(index, frame, &mut spare) {
                Ok(()) => return Entered::New(entered),
                Err(Refused::Occupied(mine)) => {
                    let existing = pages.get(index).cloned();
                    drop(pages);
                    self.backing.left(1);
                    return match existing {
                        Some(page) => Entered::Existing { page, mine },
                        None => Entered::Beyond,
                    };
                }
                Err(Refused::NeedsNodes(back)) => frame = back,
            }
            drop(pages);
            spare.fill();
        }
    }

    /// Marks a page as changed since it was stored. Nothing where the backing does not store.
    pub fn mark_dirty(&self, index: u64) {
        if self.behaviour.write_back {
            self.pages.lock().set_dirty(index, true);
        }
    }

    /// Stores all dirty pages. EIO and what else the backing says; the page stays dirty then. May sleep.
    pub fn write_back(&self) -> Result<(), Errno> {
        let mut from = 0;
        loop {
            let (index, frame) = {
                let mut pages = self.pages.lock();
                let Some(index) = pages.next(from, Tag::Dirty) else { return Ok(()) };
                // Clean before it is stored: a change meanwhile marks it again.
                pages.set_dirty(index, false);
                let Some(frame) = pages.get(index).cloned() else { return Ok(()) };
                (index, frame)
            };
            if let Err(error) = self.backing.store(index, &frame) {
                self.mark_dirty(index);
                return Err(error);
            }
            from = index + 1;
        }
    }

    /// The first byte at or after `from` that is data (or, where `data` is false, that is in a hole), for
    /// `SEEK_DATA` and `SEEK_HOLE`. The end of the file counts as a hole. `None` at or beyond the end.
    pub fn seek(&self, from: u64, data: bool) -> Option<u64> {
        let size = self.size();
        if from >= size {
            return None;
        }
        if !self.behaviour.absent_is_zero {
            return Some(if data { from } else { size });
        }
        let page = PAGE_SIZE as u64;
        let mut index = from / page;
        if data {
            index = self.pages.lock().next(index, Tag::Present)?;
        } else {
            while self.pages.lock().get(index).is_some() {
                index += 1;
            }
        }
        let at = from.max(index.saturating_mul(page));
        if data && at >= size { None } else { Some(at.min(size)) }
    }
}

/// What became of a frame that was to be entered.
pub(crate) enum Entered {
    New(Frame),
    /// Somebody was faster; the frame that was not entered is given back.
    Existing {
        page: Frame,
        mine: Frame,
    },
    Beyond,
}

impl Drop for PageCache {
    fn drop(&mut self) {
        let count = self.pages.get_mut().len();
        *self.pages.get_mut() = Radix::new();
        if count != 0 {
            self.backing.left(count);
        }
    }
}
