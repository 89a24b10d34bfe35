//! Who maps the file, so that a truncation can take pages away.
use crate::{PageCache, Registry};
use abi::Errno;
use alloc::sync::{Arc, Weak};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use slots::SlotId;
use sync::Rank;

/// An address space that maps a file.
pub trait Mapper: Send + Sync {
    /// Removes the entries for these pages of `cache` from the page tables. May sleep; called without locks but the inode's.
    fn unmap_pages(&self, cache: &PageCache, pages: Range<u64>);

    /// Whether it has a shared mapping of `cache` that allows writing, or may be made to. May sleep.
    fn may_write(&self, cache: &PageCache) -> bool;
}

/// All mappers of one file.
pub(crate) struct Mappers {
    all: Registry<dyn Mapper>,
    /// Whether there ever was one: bytes beyond the end of the last page may have been written then.
    ever: AtomicBool,
}

/// Keeps a mapper known to the cache, until dropped.
pub struct Registration {
    cache: Arc<PageCache>,
    slot: SlotId,
}

impl Mappers {
    pub(crate) const fn new() -> Self {
        Self { all: Registry::new(Rank::PageIndex), ever: AtomicBool::new(false) }
    }

    pub(crate) fn for_each(&self, mut call: impl FnMut(&dyn Mapper)) {
        self.all.for_each(|mapper| call(&**mapper));
    }

    pub(crate) fn ever(&self) -> bool {
        self.ever.load(Ordering::Relaxed)
    }
}

impl PageCache {
    /// Makes `mapper` known, for as long as it maps any of this file. ENOMEM.
    pub fn register(self: &Arc<Self>, mapper: Weak<dyn Mapper>) -> Result<Registration, Errno> {
        self.mappers.ever.store(true, Ordering::Relaxed);
        let slot = self.mappers.all.add(mapper)?;
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
        !self.mappers.all.is_empty()
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
        self.cache.mappers.all.remove(self.slot);
    }
}
