//! madvise(2) and mincore(2).
use crate::area::{Area, AreaFlags, Backing};
use crate::fault::index;
use crate::map::Map;
use crate::mmap::overlaps;
use crate::pages::Pages;
use crate::{Access, AddressSpace, FaultError, Rights, page_range};
use abi::{Errno, PAGE_SIZE};
use core::ops::Range;

/// What madvise(2) may be told, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    Normal,
    Random,
    Sequential,
    /// Read soon: hints without an effect here.
    WillNeed,
    Cold,
    PageOut,
    /// Drop the pages; private memory becomes zeros, files are read anew.
    DontNeed {
        /// Locked pages too (MADV_DONTNEED_LOCKED).
        locked: bool,
    },
    /// May be dropped when memory is short: dropped at once here, which programs must expect.
    Free,
    /// Punches a hole into the file behind.
    Remove,
    DontFork,
    DoFork,
    WipeOnFork,
    KeepOnFork,
    DontDump,
    DoDump,
    /// Equal pages of several processes may be one, or not: a hint without an effect here.
    Mergeable,
    Unmergeable,
    Huge,
    NoHuge,
    /// Bring all pages in, for reading or writing; EFAULT where one cannot be had.
    PopulateRead,
    PopulateWrite,
}

impl Advice {
    /// From the number that a program passes. EINVAL.
    pub fn from_number(number: u32) -> Result<Self, Errno> {
        Ok(match number {
            0 => Self::Normal,
            1 => Self::Random,
            2 => Self::Sequential,
            3 => Self::WillNeed,
            4 => Self::DontNeed { locked: false },
            8 => Self::Free,
            9 => Self::Remove,
            10 => Self::DontFork,
            11 => Self::DoFork,
            12 => Self::Mergeable,
            13 => Self::Unmergeable,
            14 => Self::Huge,
            15 => Self::NoHuge,
            16 => Self::DontDump,
            17 => Self::DoDump,
            18 => Self::WipeOnFork,
            19 => Self::KeepOnFork,
            20 => Self::Cold,
            21 => Self::PageOut,
            22 => Self::PopulateRead,
            23 => Self::PopulateWrite,
            24 => Self::DontNeed { locked: true },
            _ => return Err(Errno::EINVAL),
        })
    }

    /// Flags to set and to clear, for advice that only changes those.
    fn flags(self) -> Option<(AreaFlags, AreaFlags)> {
        let none = AreaFlags::empty();
        Some(match self {
            Self::Normal => (none, AreaFlags::RANDOM | AreaFlags::SEQUENTIAL),
            Self::Random => (AreaFlags::RANDOM, AreaFlags::SEQUENTIAL),
            Self::Sequential => (AreaFlags::SEQUENTIAL, AreaFlags::RANDOM),
            Self::DontFork => (AreaFlags::DONT_FORK, none),
            Self::DoFork => (none, AreaFlags::DONT_FORK),
            Self::WipeOnFork => (AreaFlags::WIPE_ON_FORK, none),
            Self::KeepOnFork => (none, AreaFlags::WIPE_ON_FORK),
            Self::DontDump => (AreaFlags::DONT_DUMP, none),
            Self::DoDump => (none, AreaFlags::DONT_DUMP),
            Self::Huge => (AreaFlags::HUGE, AreaFlags::NO_HUGE),
            Self::NoHuge => (AreaFlags::NO_HUGE, AreaFlags::HUGE),
            _ => return None,
        })
    }

    /// Whether the advice makes sense for an area. EINVAL.
    fn check(self, area: &Area) -> Result<(), Errno> {
        let locked = area.flags.contains(AreaFlags::LOCKED);
        let good = match self {
            Self::DontNeed { locked: too } => too || !locked,
            Self::Cold | Self::PageOut => !locked,
            Self::Free | Self::WipeOnFork => area.is_private_anonymous(),
            Self::DoFork | Self::DoDump => !area.flags.contains(AreaFlags::SPECIAL),
            Self::Remove => !locked && matches!(area.backing, Backing::File { .. }),
            _ => true,
        };
        if good { Ok(()) } else { Err(Errno::EINVAL) }
    }
}

impl<P: Pages> AddressSpace<P> {
    /// madvise(2). EINVAL; ENOMEM where a part is not mapped (the rest was done); EOPNOTSUPP to punch a hole.
    pub fn madvise(&self, start: usize, length: usize, advice: Advice) -> Result<(), Errno> {
        let range = page_range(start, length, Errno::EINVAL)?;
        if range.is_empty() {
            return Ok(());
        }
        if let Advice::PopulateRead | Advice::PopulateWrite = advice {
            let access = if advice == Advice::PopulateRead { Access::Read } else { Access::Write };
            return self.populate_strictly(&range, access);
        }
        if let Some((set, clear)) = advice.flags() {
            let mut map = self.map.write();
            map.areas
                .iter_from(range.start)
                .take_while(|(found, _)| found.start < range.end)
                .try_for_each(|(_, area)| advice.check(area))?;
            let change = |_: &Range<usize>, area: &mut Area| area.flags = area.flags.union(set).difference(clear);
            return if map.change_range(&range, change)? { Ok(()) } else { Err(Errno::ENOMEM) };
        }
        if advice == Advice::Remove {
            return self.remove_from_files(&range);
        }
        // Pages go, but areas stay: faults may go on meanwhile.
        let map = self.map.read();
        for part in overlaps(&map, &range) {
            let Some((_, area)) = map.areas.get(part.start) else { continue };
            advice.check(area)?;
            match advice {
                Advice::DontNeed { .. } | Advice::Free => self.clear_pages(area, part),
                _ => {}
            }
        }
        if map.covers(&range) { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// MADV_REMOVE: holes in the files behind, one area after another; the file's lock comes before the map's, so none is held.
    fn remove_from_files(&self, range: &Range<usize>) -> Result<(), Errno> {
        let mut at = range.start;
        while at < range.end {
            let (file, bytes, end) = {
                let map = self.map.read();
                let (found, area) = map.areas.get(at).ok_or(Errno::ENOMEM)?;
                Advice::Remove.check(area)?;
                let Backing::File { file, page } = &area.backing else { return Err(Errno::EINVAL) };
                if !area.is_shared() || !area.rights.contains(Rights::WRITE) {
                    return Err(Errno::EACCES);
                }
                let end = found.end.min(range.end);
                let offset = |address: usize| {
                    page.saturating_mul(PAGE_SIZE as u64).saturating_add((address.saturating_sub(found.start)) as u64)
                };
                (file.file().clone(), offset(at)..offset(end), end)
            };
            file.punch(bytes)?;
            at = end;
        }
        Ok(())
    }

    fn populate_strictly(&self, range: &Range<usize>, access: Access) -> Result<(), Errno> {
        let map = self.map.read();
        for page in range.clone().step_by(PAGE_SIZE) {
            let (found, area) = map.areas.get(page).ok_or(Errno::ENOMEM)?;
            self.fault_in(&found, area, page, access).map_err(|error| match error {
                FaultError::OutOfMemory => Errno::ENOMEM,
                FaultError::NotAllowed => Errno::EINVAL,
                FaultError::NotMapped | FaultError::NoBacking => Errno::EFAULT,
            })?;
        }
        Ok(())
    }

    /// mincore(2), for as many pages as `residence` has: 1 for a page that an access would find in memory. EINVAL, ENOMEM.
    pub fn mincore(&self, start: usize, residence: &mut [u8]) -> Result<(), Errno> {
        let length = residence.len().checked_mul(PAGE_SIZE).ok_or(Errno::ENOMEM)?;
        let range = page_range(start, length, Errno::ENOMEM)?;
        let map = self.map.read();
        if !map.covers(&range) {
            return Err(Errno::ENOMEM);
        }
        residence.fill(0);
        for part in overlaps(&map, &range) {
            in_cache(&map, &part, start, residence);
        }
        self.pages().scan(range, &mut |address, _| mark(residence, address, start));
        Ok(())
    }
}

fn mark(residence: &mut [u8], address: usize, start: usize) {
    if let Some(byte) = residence.get_mut(address.wrapping_sub(start) / PAGE_SIZE) {
        *byte = 1;
    }
}

/// Marks pages of files that are in memory although not mapped.
fn in_cache(map: &Map, part: &Range<usize>, start: usize, residence: &mut [u8]) {
    let Some((found, area)) = map.areas.get(part.start) else { return };
    let Backing::File { file, .. } = &area.backing else { return };
    for page in part.clone().step_by(PAGE_SIZE) {
        if file.cache().lookup(index(&found, area, page)).is_some() {
            mark(residence, page, start);
        }
    }
}
