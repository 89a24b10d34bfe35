//! munmap(2), and the removal of areas that other calls need.
use crate::map::Map;
use crate::pages::Pages;
use crate::{AddressSpace, page_range};
use abi::Errno;
use core::ops::Range;

impl<P: Pages> AddressSpace<P> {
    /// munmap(2). EINVAL: unaligned, empty, or beyond the user half. ENOMEM: one area more than there may be.
    pub fn munmap(&self, start: usize, length: usize) -> Result<(), Errno> {
        let range = page_range(start, length, Errno::EINVAL)?;
        if range.is_empty() {
            return Err(Errno::EINVAL);
        }
        self.remove(&mut self.map.write(), &range)
    }

    /// Removes all areas in a range, and their pages. Where it fails, nothing has changed.
    pub(crate) fn remove(&self, map: &mut Map, range: &Range<usize>) -> Result<(), Errno> {
        if range.is_empty() || map.areas.find(range.start).is_none_or(|(next, _)| next.start >= range.end) {
            return Ok(());
        }
        let around = map.areas.get(range.start).filter(|(found, _)| found.start < range.start);
        if around.is_some_and(|(found, _)| range.end < found.end) {
            map.check_count()?;
        }
        map.reserve(2)?;
        map.cut_to_remove(range.start)?;
        map.cut_to_remove(range.end)?;
        while let Some((found, area)) = map.take(range) {
            self.clear_pages(&area, found);
        }
        Ok(())
    }
}
