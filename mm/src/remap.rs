//! mremap(2).
use crate::area::{Area, AreaFlags, Backing};
use crate::map::Map;
use crate::pages::Pages;
use crate::{AddressSpace, Limits, NoMemory, is_aligned, page_up, pages_in};
use abi::{Errno, PAGE_SIZE};
use core::ops::Range;
use memory::USER_END;

bitflags::bitflags! {
    /// MREMAP_ flags, with Linux's values.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RemapFlags: u32 {
        const MAY_MOVE = 1;
        const FIXED = 2;
        const DONT_UNMAP = 4;
    }
}

impl<P: Pages> AddressSpace<P> {
    /// mremap(2): answers where the mapping is then. `target` counts with FIXED only. EINVAL, EFAULT (not one mapping), ENOMEM,
    /// EAGAIN (RLIMIT_MEMLOCK). DONT_UNMAP is EINVAL, as before Linux 5.7.
    pub fn mremap(
        &self,
        old: usize,
        old_length: usize,
        new_length: usize,
        flags: RemapFlags,
        target: usize,
        limits: &Limits,
    ) -> Result<usize, Errno> {
        let (fixed, may_move) = (flags.contains(RemapFlags::FIXED), flags.contains(RemapFlags::MAY_MOVE));
        if flags.contains(RemapFlags::DONT_UNMAP) || fixed && !may_move || !is_aligned(old) {
            return Err(Errno::EINVAL);
        }
        let old_length = page_up(old_length).ok_or(Errno::EINVAL)?;
        let new_length = page_up(new_length).filter(|&length| length != 0).ok_or(Errno::EINVAL)?;
        let mut map = self.map.write();
        let (start, grown) = if fixed {
            self.move_to(&mut map, old, old_length, new_length, target, limits)?
        } else {
            self.resize(&mut map, old, old_length, new_length, may_move, limits)?
        };
        drop(map);
        if grown {
            self.populate(&(start..start.saturating_add(new_length)));
        }
        Ok(start)
    }

    /// In place, or where there is room. Answers where, and whether locked pages are to be brought in.
    fn resize(
        &self,
        map: &mut Map,
        old: usize,
        old_length: usize,
        new_length: usize,
        may_move: bool,
        limits: &Limits,
    ) -> Result<(usize, bool), Errno> {
        let end = old.checked_add(old_length).filter(|&end| end <= USER_END).ok_or(Errno::EINVAL)?;
        if old_length >= new_length {
            map.areas.get(old).ok_or(Errno::EFAULT)?;
            self.remove(map, &(old.saturating_add(new_length)..end))?;
            return Ok((old, false));
        }
        let (found, area) = check(map, old, old_length, new_length, limits)?;
        let locked = area.flags.contains(AreaFlags::LOCKED);
        let more = end..old.saturating_add(new_length);
        if found.end == end && more.end <= USER_END && map.is_free(&more) {
            let tail = area.after(end.saturating_sub(found.start));
            map.add(more, tail)?;
            return Ok((old, locked));
        }
        if !may_move {
            return Err(Errno::ENOMEM);
        }
        let base = map.layout.map_base;
        let within = if map.layout.bottom_up { base..USER_END } else { crate::MAP_MINIMUM..base };
        let target = map.find_gap(within, new_length, map.layout.bottom_up)?;
        self.relocate(map, &found, &area, old..end, target..target.saturating_add(new_length))?;
        Ok((target, locked))
    }

    /// To a place that the caller names.
    fn move_to(
        &self,
        map: &mut Map,
        old: usize,
        mut old_length: usize,
        new_length: usize,
        target: usize,
        limits: &Limits,
    ) -> Result<(usize, bool), Errno> {
        let new_end = target.checked_add(new_length).filter(|&end| end <= USER_END).ok_or(Errno::EINVAL)?;
        let old_end = old.checked_add(old_length).filter(|&end| end <= USER_END).ok_or(Errno::EINVAL)?;
        if !is_aligned(target) || target < old_end && old < new_end {
            return Err(Errno::EINVAL);
        }
        if target < crate::MAP_MINIMUM {
            return Err(Errno::EPERM);
        }
        self.remove(map, &(target..new_end))?;
        if old_length > new_length {
            self.remove(map, &(old.saturating_add(new_length)..old_end))?;
            old_length = new_length;
        }
        let (found, area) = check(map, old, old_length, new_length, limits)?;
        self.relocate(map, &found, &area, old..old.saturating_add(old_length), target..new_end)?;
        Ok((target, area.flags.contains(AreaFlags::LOCKED) && new_length > old_length))
    }

    /// Moves the part `from` of an area to `to`, which is free and at least as long.
    fn relocate(
        &self,
        map: &mut Map,
        found: &Range<usize>,
        area: &Area,
        from: Range<usize>,
        to: Range<usize>,
    ) -> Result<(), Errno> {
        if map.areas.len().saturating_add(3) > crate::MAX_MAP_COUNT {
            return Err(Errno::ENOMEM);
        }
        map.reserve(4)?;
        self.pages().relocate(from.clone(), to.start).map_err(NoMemory::from)?;
        let moved = area.after(from.start.saturating_sub(found.start));
        map.add(to, moved)?;
        // Only the area: its pages have gone already.
        self.remove(map, &from)
    }
}

/// The area that is to grow from `old_length` to `new_length`, if it may.
fn check(
    map: &Map,
    old: usize,
    old_length: usize,
    new_length: usize,
    limits: &Limits,
) -> Result<(Range<usize>, Area), Errno> {
    let (found, area) = map.areas.get(old).ok_or(Errno::EFAULT)?;
    // A length of 0 would map a shared file once more: older than the call's manual, and not done.
    if old_length == 0 || area.flags.contains(AreaFlags::SPECIAL) && new_length > old_length {
        return Err(Errno::EINVAL);
    }
    if old_length > found.end.saturating_sub(old) {
        return Err(Errno::EFAULT);
    }
    let more = pages_in(&(old_length..new_length));
    if more != 0 {
        if let Backing::File { page, .. } = &area.backing {
            let last = (old.saturating_sub(found.start) / PAGE_SIZE).saturating_add(new_length / PAGE_SIZE);
            page.checked_add(last as u64).ok_or(Errno::EINVAL)?;
        }
        if area.flags.contains(AreaFlags::LOCKED) && !Limits::allows(limits.locked, map.totals.locked, more) {
            return Err(Errno::EAGAIN);
        }
        map.check_limits(area, more, limits)?;
    }
    Ok((found, area.clone()))
}
