//! Who maps the file, so that a truncation can take pages away.
use crate::PageCache;
use abi::Errno;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use sync::{Rank, SpinLock};

/// An address space that maps a file.
pub trait Mapper: Send + Sync {
    /// Removes the entries for these pages of `cache` from the page tables. May sleep; called without locks but the inode's.
    fn unmap_pages(&self, cache: &PageCache, pages: Range<u64>);

    /// Whether it has a shared mapping of `cache` that allows writing, or may be made to. May sleep.
    fn may_write(&self, cache: &PageCache) -> bool;
}

/// All mappers of one file, in slots that do not move.
pub(crate) struct Mappers {
    slots: SpinLock<Slots>,
    /// Whether there ever was one: bytes beyond the end of the last page may have been written then.
    ever: AtomicBool,
}

struct Slots {
    entries: Vec<Option<Weak<dyn Mapper>>>,
    free: Vec<u32>,
}

/// Keeps a mapper known to the cache, until dropped.
pub struct Registration {
    cache: Arc<PageCache>,
    slot: u32,
}

impl Mappers {
    pub(crate) fn new() -> Self {
        let slots = Slots { entries: Vec::new(), free: Vec::new() };
        Self { slots: SpinLock::new(Rank::PageIndex, slots), ever: AtomicBool::new(false) }
    }

    fn add(&self, mapper: Weak<dyn Mapper>) -> Result<u32, Errno> {
        self.ever.store(true, Ordering::Relaxed);
        let mut slots = self.slots.lock();
        let Slots { entries, free } = &mut *slots;
        if let Some(slot) = free.pop() {
            entries[slot as usize] = Some(mapper);
            return Ok(slot);
        }
        let slot = u32::try_from(entries.len()).map_err(|_| Errno::ENOMEM)?;
        entries.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        // Room to note it as free, so that leaving cannot fail.
        free.try_reserve(entries.len() + 1).map_err(|_| Errno::ENOMEM)?;
        entries.push(Some(mapper));
        Ok(slot)
    }

    fn remove(&self, slot: u32) {
        let mut slots = self.slots.lock();
        let mapper = slots.entries[slot as usize].take();
        slots.free.push(slot);
        if slots.free.len() == slots.entries.len() {
            slots.entries.clear();
            slots.free.clear();
        }
        drop(slots);
        drop(mapper);
    }

    /// Calls each mapper that is there, without the lock.
    pub(crate) fn for_each(&self, mut call: impl FnMut(&dyn Mapper)) {
        let mut slot = 0;
        loop {
            let mapper = match self.slots.lock().entries.get(slot) {
                Some(entry) => entry.as_ref().and_then(Weak::upgrade),
                None => return,
            };
            if let Some(mapper) = mapper {
                call(&*mapper);
            }
            slot += 1;
        }
    }

    pub(crate) fn ever(&self) -> bool {
        self.ever.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.lock().entries.is_empty()
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
