//! mlock(2) and its relatives.
use crate::area::AreaFlags;
use crate::map::Map;
use crate::mmap::overlaps;
use crate::pages::Pages;
use crate::{AddressSpace, Limits, pages_in};
use abi::{Errno, PAGE_SIZE};
use core::ops::Range;
use memory::USER_END;

/// What mlockall(2) is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockAll {
    pub current: bool,
    pub future: bool,
    pub on_fault: bool,
}

const BOTH: AreaFlags = AreaFlags::LOCKED.union(AreaFlags::LOCK_ON_FAULT);

fn lock_flags(on_fault: bool) -> AreaFlags {
    if on_fault { BOTH } else { AreaFlags::LOCKED }
}

/// The pages that bytes touch: unlike other calls, these round the start down.
fn touched(start: usize, length: usize) -> Result<Range<usize>, Errno> {
    let end = start.checked_add(length).and_then(|end| end.checked_next_multiple_of(PAGE_SIZE)).ok_or(Errno::EINVAL)?;
    if end > USER_END { Err(Errno::ENOMEM) } else { Ok(crate::page_of(start)..end) }
}

/// Changes lock flags of a range. Answers whether it was mapped throughout.
fn set_flags(map: &mut Map, range: &Range<usize>, flags: AreaFlags) -> Result<bool, Errno> {
    map.change_range(range, |_, area| {
        if !area.flags.contains(AreaFlags::SPECIAL) {
            area.flags = area.flags.difference(BOTH).union(flags);
        }
    })
}

impl<P: Pages> AddressSpace<P> {
    /// mlock(2), mlock2(2). EPERM: the limit is 0. ENOMEM: beyond the limit, or not mapped throughout. EINVAL: wraps.
    pub fn mlock(&self, start: usize, length: usize, on_fault: bool, limits: &Limits) -> Result<(), Errno> {
        if limits.locked == 0 {
            return Err(Errno::EPERM);
        }
        let range = touched(start, length)?;
        let mut map = self.map.write();
        let already: usize = overlaps(&map, &range)
            .filter(|part| map.areas.get(part.start).is_some_and(|(_, area)| area.flags.contains(AreaFlags::LOCKED)))
            .map(|part| pages_in(&part))
            .fold(0, usize::saturating_add);
        let more = pages_in(&range).saturating_sub(already);
        if !Limits::allows(limits.locked, map.totals.locked, more) {
            return Err(Errno::ENOMEM);
        }
        let covered = range.is_empty() || set_flags(&mut map, &range, lock_flags(on_fault))?;
        drop(map);
        if !covered {
            return Err(Errno::ENOMEM);
        }
        if !on_fault {
            self.populate(&range);
        }
        Ok(())
    }

    /// munlock(2). ENOMEM: not mapped throughout.
    pub fn munlock(&self, start: usize, length: usize) -> Result<(), Errno> {
        let range = touched(start, length)?;
        let covered = range.is_empty() || set_flags(&mut self.map.write(), &range, AreaFlags::empty())?;
        if covered { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// mlockall(2). EPERM: the limit is 0. ENOMEM: beyond it.
    pub fn mlockall(&self, what: LockAll, limits: &Limits) -> Result<(), Errno> {
        if limits.locked == 0 {
            return Err(Errno::EPERM);
        }
        let flags = lock_flags(what.on_fault);
        let mut map = self.map.write();
        if what.current && !Limits::allows(limits.locked, map.totals.all, 0) {
            return Err(Errno::ENOMEM);
        }
        map.future = if what.future { flags } else { AreaFlags::empty() };
        if what.current {
            set_flags(&mut map, &(0..USER_END), flags)?;
        }
        drop(map);
        if what.current && !what.on_fault {
            self.populate(&(0..USER_END));
        }
        Ok(())
    }

    /// munlockall(2).
    pub fn munlockall(&self) -> Result<(), Errno> {
        let mut map = self.map.write();
        map.future = AreaFlags::empty();
        set_flags(&mut map, &(0..USER_END), AreaFlags::empty()).map(drop)
    }
}
