//! Files as mappings see them, and how a truncation reaches the mappings.
//!
//! Each address space has one [`FileMapping`] for all of its areas of one open file: the file, and the address space's
//! registration with the page cache. A truncation takes pages out of the cache, and then calls every registered space.
use crate::area::{Area, Backing};
use crate::fault::index;
use crate::map::Map;
use crate::pages::Pages;
use crate::{AddressSpace, pages_in};
use abi::{Errno, PAGE_SIZE};
use alloc::sync::{Arc, Weak};
use cache::{Mapper, PageCache, Registration};
use core::fmt;
use core::ops::Range;
use memory::page_table::Rights;
use sync::Once;

/// An open file that can be mapped.
pub trait MappedFile: Send + Sync {
    /// Its pages.
    fn cache(&self) -> &Arc<PageCache>;
    /// Device and inode number, for /proc/PID/maps.
    fn numbers(&self) -> (u64, u64);
    /// Writes its path, as /proc/PID/maps shows it.
    fn path(&self, output: &mut dyn fmt::Write) -> fmt::Result;

    /// What is left of `may` for a shared mapping that begins with `rights`; asked with the map locked, so that whoever
    /// seals a file and then looks for mappings misses none. EPERM.
    fn admit_shared(&self, rights: Rights, may: Rights) -> Result<Rights, Errno> {
        let _ = rights;
        Ok(may)
    }

    /// Makes a hole of these bytes (MADV_REMOVE). Called without locks. EOPNOTSUPP.
    fn punch(&self, bytes: Range<u64>) -> Result<(), Errno> {
        let _ = bytes;
        Err(Errno::EOPNOTSUPP)
    }
}

/// A file that an address space maps.
pub struct FileMapping {
    file: Arc<dyn MappedFile>,
    /// Set before the first area with it is entered.
    registration: Once<Registration>,
}

impl FileMapping {
    pub(crate) fn new(file: Arc<dyn MappedFile>) -> Self {
        Self { file, registration: Once::new() }
    }

    pub fn file(&self) -> &Arc<dyn MappedFile> {
        &self.file
    }

    #[inline]
    pub(crate) fn cache(&self) -> &Arc<PageCache> {
        self.file.cache()
    }

    /// Whether its pages live nowhere else (tmpfs, shared anonymous memory): they need no notice of writes.
    #[inline]
    pub(crate) fn is_memory(&self) -> bool {
        !self.cache().behaviour().write_back
    }

    /// Makes the space known to the cache. ENOMEM.
    fn register(&self, space: Weak<dyn Mapper>) -> Result<(), Errno> {
        if self.registration.get().is_none() {
            // Two threads at once make two, of which one goes again.
            let _ = self.registration.set(self.cache().register(space)?);
        }
        Ok(())
    }
}

/// Uses a neighbour's mapping of the same open file instead of a new one, so that the areas of a library share one, and may
/// merge.
pub(crate) fn share_with_neighbours(map: &Map, range: &Range<usize>, area: &mut Area) {
    let Backing::File { file, .. } = &mut area.backing else { return };
    for address in [range.start, range.start.wrapping_sub(1), range.end] {
        if let Some((_, neighbour)) = map.areas.get(address)
            && let Backing::File { file: other, .. } = &neighbour.backing
            && Arc::ptr_eq(other.file(), file.file())
        {
            *file = other.clone();
            return;
        }
    }
}

/// Makes sure that a truncation of the area's file will reach `space`. ENOMEM.
pub(crate) fn register<P: Pages + 'static>(space: &Arc<AddressSpace<P>>, area: &Area) -> Result<(), Errno> {
    let Backing::File { file, .. } = &area.backing else { return Ok(()) };
    let weak: Weak<AddressSpace<P>> = Arc::downgrade(space);
    file.register(weak)
}

/// Asks the file whether a new shared area may be, once it is registered. EPERM.
pub(crate) fn admit(area: &mut Area) -> Result<(), Errno> {
    if let Backing::File { file, .. } = &area.backing
        && area.is_shared()
    {
        area.may = file.file().admit_shared(area.rights, area.may)?;
    }
    Ok(())
}

impl<P: Pages> Mapper for AddressSpace<P> {
    fn may_write(&self, cache: &PageCache) -> bool {
        self.map.read().areas.iter().any(|(_, area)| {
            area.is_shared()
                && area.may.contains(Rights::WRITE)
                && matches!(&area.backing, Backing::File { file, .. } if core::ptr::eq(&**file.cache(), cache))
        })
    }

    fn unmap_pages(&self, cache: &PageCache, pages: Range<u64>) {
        let map = self.map.read();
        for (range, area) in map.areas.iter() {
            if let Backing::File { file, page } = &area.backing
                && core::ptr::eq(&**file.cache(), cache)
            {
                let within = |index: u64| {
                    let offset = usize::try_from(index.saturating_sub(*page)).unwrap_or(usize::MAX);
                    range.start.saturating_add(offset.min(pages_in(&range)).saturating_mul(PAGE_SIZE))
                };
                let part = within(pages.start)..within(pages.end);
                if !part.is_empty() {
                    debug_assert!(index(&range, area, part.start) >= pages.start);
                    // Private copies included, as on Linux.
                    self.clear_pages(area, part);
                }
            }
        }
    }
}
