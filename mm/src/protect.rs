//! mprotect(2).
use crate::area::AreaFlags;
use crate::pages::Pages;
use crate::{AddressSpace, Area, Limits, page_range, pages_in};
use abi::Errno;
use memory::page_table::Rights;

impl<P: Pages> AddressSpace<P> {
    /// mprotect(2). Areas before the first that refuses have changed, as on Linux. EINVAL: unaligned. ENOMEM: a hole, a
    /// limit, too many areas. EACCES: more than the mapping may have.
    pub fn mprotect(&self, start: usize, length: usize, rights: Rights, limits: &Limits) -> Result<(), Errno> {
        let range = page_range(start, length, Errno::ENOMEM)?;
        let mut map = self.map.write();
        let mut address = range.start;
        while address < range.end {
            let (found, area) = map.areas.get(address).ok_or(Errno::ENOMEM)?;
            let part = address..found.end.min(range.end);
            address = part.end;
            if area.rights == rights {
                continue;
            }
            if !area.may.contains(rights) {
                return Err(Errno::EACCES);
            }
            let new = Area { rights, ..area.clone() };
            if new.is_data() && !area.is_data() {
                if !Limits::allows(limits.data, map.totals.data, pages_in(&part)) {
                    return Err(Errno::ENOMEM);
                }
                Self::check_overcommit(&new, pages_in(&part))?;
            }
            map.change_range(&part, |_, area| area.rights = rights)?;
            self.pages().protect(part.clone(), rights);
            if new.flags.contains(AreaFlags::LOCKED) && new.is_data() {
                // Locked pages do not fault later: those that became writable are copied now.
                self.populate_in(&map, &part);
            }
        }
        Ok(())
    }
}
