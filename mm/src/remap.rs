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
    /// mremap(2): answers where the mapping is then. `target` counts with FIXED only. An old length of 0 maps shared memory once
    /// more. EINVAL, EFAULT (not one mapping), ENOMEM, EAGAIN (RLIMIT_MEMLOCK).
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
        let keep = flags.contains(RemapFlags::DONT_UNMAP);
        if keep && (!may_move || old_length != new_length) || fixed && !may_move || !is_aligned(old) {
            return Err(Errno::EINVAL);
        }
        let old_length = page_up(old_length).ok_or(Errno::EINVAL)?;
        let new_length = page_up(new_length).filter(|&length| length != 0).ok_or(Errno::EINVAL)?;
        let mut map = self.map.write();
        let (start, grown) = if fixed {
            self.move_to(&mut map, old, old_length, new_length, target, keep, limits)?
        } else if keep {
            self.move_to_gap(&mut map, old, old_length, limits)?
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
        if old_length != 0 && found.end == end && more.end <= USER_END && map.is_free(&more) {
            let tail = area.after(end.saturating_sub(found.start));
            map.add(more, tail)?;
            return Ok((old, locked));
        }
        if !may_move {
            return Err(Errno::ENOMEM);
        }
        let to = gap(map, new_length)?;
        self.relocate(map, &found, &area, old..end, to.clone(), false)?;
        Ok((to.start, locked))
    }

    /// MREMAP_DONTUNMAP: the pages move where there is room, and the old place stays, without them.
    fn move_to_gap(&self, map: &mut Map, old: usize, length: usize, limits: &Limits) -> Result<(usize, bool), Errno> {
        let end = old.checked_add(length).filter(|&end| end <= USER_END).ok_or(Errno::EINVAL)?;
        let (found, area) = check(map, old, length, length, limits)?;
        map.check_limits(&area, length / PAGE_SIZE, limits)?;
        let to = gap(map, length)?;
        self.relocate(map, &found, &area, old..end, to.clone(), true)?;
        Ok((to.start, false))
    }

    /// To a place that the caller names; `keep`: the old place stays, without its pages.
    #[expect(clippy::too_many_arguments, reason = "the call has as many")]
    fn move_to(
        &self,
        map: &mut Map,
        old: usize,
        mut old_length: usize,
        new_length: usize,
        target: usize,
        keep: bool,
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
        if keep {
            map.check_limits(&area, new_length / PAGE_SIZE, limits)?;
        }
        self.relocate(map, &found, &area, old..old.saturating_add(old_length), target..new_end, keep)?;
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
        keep: bool,
    ) -> Result<(), Errno> {
        if map.areas.len().saturating_add(3) > crate::MAX_MAP_COUNT {
            return Err(Errno::ENOMEM);
        }
        map.reserve(4)?;
        self.pages().relocate(from.clone(), to.start).map_err(NoMemory::from)?;
        let moved = area.after(from.start.saturating_sub(found.start));
        map.add(to, moved)?;
        if from.is_empty() || keep && !area.flags.contains(AreaFlags::LOCKED) {
            return Ok(());
        }
        if keep {
            // What is left has no pages that could be kept in memory.
            let unlocked = |_: &Range<usize>, area: &mut Area| area.flags.remove(AreaFlags::LOCKED);
            return map.change_range(&from, unlocked).map(|_| ());
        }
        // Only the area: its pages have gone already.
        self.remove(map, &from)
    }
}

/// Room for a mapping of `length` bytes.
fn gap(map: &Map, length: usize) -> Result<Range<usize>, Errno> {
    let base = map.layout.map_base;
    let within = if map.layout.bottom_up { base..USER_END } else { crate::MAP_MINIMUM..base };
    let start = map.find_gap(within, length, map.layout.bottom_up)?;
    Ok(start..start.saturating_add(length))
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
    // A length of 0 maps shared memory once more; of private memory there would be nothing to see.
    if old_length == 0 && !area.is_shared() || area.flags.contains(AreaFlags::SPECIAL) && new_length > old_length {
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
