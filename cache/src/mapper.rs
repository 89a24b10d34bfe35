//! Who maps the file, so that a truncation can take pages away.
use crate::PageCache;
use abi::Errno;
use alloc::sync::{Arc, Weak};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use slots::SlotId;
use sync::{Rank, SpinLock};

/// An address space that maps a file.
pub trait Mapper: Send + Sync {
    /// Removes the entries for these pages of `cache` from the page tables. May sleep; called without locks but the inode's.
    fn unmap_pages(&self, cache: &PageCache, pages: Range<u64>);

    /// Whether it has a shared mapping of `cache` that allows writing, or may be made to. May sleep.
    fn may_write(&self, cache: &PageCache) -> bool;
}

/// Mappers that memory is found for at a time: most files have few.
const CHUNK: usize = 8;

type Slots = slots::Slots<Weak<dyn Mapper>, CHUNK>;
type More = slots::More<Weak<dyn Mapper>, CHUNK>;

/// All mappers of one file, in slots that do not move.
pub(crate) struct Mappers {
    slots: SpinLock<Slots>,
    /// Whether there ever was one: bytes beyond the end of the last page may have been written then.
    ever: AtomicBool,
}

/// Keeps a mapper known to the cache, until dropped.
pub struct Registration {
    cache: Arc<PageCache>,
    slot: SlotId,
}

impl Mappers {
    pub(crate) fn new() -> Self {
        Self { slots: SpinLock::new(Rank::PageIndex, Slots::new()), ever: AtomicBool::new(false) }
    }

    fn add(&self, mapper: Weak<dyn Mapper>) -> Result<SlotId, Errno> {
        self.ever.store(true, Ordering::Relaxed);
        let mut mapper = mapper;
        loop {
            let present = {
                let mut slots = self.slots.lock();
                match slots.insert(mapper) {
                    Ok(slot) => return Ok(slot),
                    Err(back) => mapper = back,
                }
                slots.capacity()
            };
            self.resize(present, CHUNK)?;
        }
    }

    /// Room for `more` slots beside those that were `present`. What it takes the place of goes without the lock.
    fn resize(&self, present: usize, more: usize) -> Result<(), Errno> {
        let mut room = More::new(present, more).map_err(|_| Errno::ENOMEM)?;
        self.slots.lock().grow(&mut room);
        Ok(())
    }

    fn remove(&self, slot: SlotId) {
        let mapper = self.slots.lock().remove(slot);
        drop(mapper);
        let mut left = None;
        while let Some((surplus, capacity)) = self.take_surplus() {
            left = Some(capacity);
            drop(surplus);
        }
        // The list of what is left is made anew, unless memory is short: who gives some back does not wait for any. It stays as long as it
        // was then.
        if let Some(left) = left
            && !memory::zones::is_short()
        {
            let _ = self.resize(left, 0);
        }
    }

    /// Memory for some that nobody uses, and the slots that are left. Who maps a file again and again finds the first ones there.
    fn take_surplus(&self) -> Option<(slots::Chunk<Weak<dyn Mapper>>, usize)> {
        let mut slots = self.slots.lock();
        let surplus = if slots.capacity() > CHUNK { slots.give_back() } else { None };
        surplus.map(|surplus| (surplus, slots.capacity()))
    }

    /// Calls each mapper that is there, without the lock.
    pub(crate) fn for_each(&self, mut call: impl FnMut(&dyn Mapper)) {
        let mut from = 0;
        loop {
            let next = self.slots.lock().first_from(from).map(|(index, mapper)| (index, mapper.upgrade()));
            let Some((index, mapper)) = next else { return };
            if let Some(mapper) = mapper {
                call(&*mapper);
            }
            from = index + 1;
        }
    }

    pub(crate) fn ever(&self) -> bool {
        self.ever.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.lock().first_from(0).is_none()
    }
}

impl PageCache {
    /// Makes `mapper` known, for as long as it maps any of this file. ENOMEM.
    pub fn register(self: &Arc<Self>, mapper: Weak<dyn Mapper>) -> Result<Registration, Errno> {
        let slot = self.mappers.add(mapper)?;
        Ok(Registration { cache: self.clone(), slot })
    }

    /// Whether anybody has a shared mapping that may write. The caller has seen to it that no new ones come.
    pub fn may_be_written_by_mappings(&self) -> bool {
        let mut found = false;
        self.mappers.for_each(|mapper| found = found || mapper.may_write(self));
        found
    }

    /// Whether anybody maps the file.
    pub fn is_mapped(&self) -> bool {
        !self.mappers.is_empty()
    }
}

impl Registration {
    /// The file's pages.
    pub fn cache(&self) -> &Arc<PageCache> {
        &self.cache
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.cache.mappers.remove(self.slot);
    }
}
