//! mmap(2).
use crate::area::{Area, AreaFlags, Backing};
use crate::file;
use crate::layout::UNMAPPED_BASE;
use crate::map::Map;
use crate::pages::Pages;
use crate::{AddressSpace, Limits, MAP_MINIMUM, is_aligned, page_up, pages_in};
use abi::{Errno, PAGE_SIZE};
use alloc::sync::Arc;
use core::ops::Range;
use memory::USER_END;
use memory::page_table::Rights;

/// Where MAP_32BIT looks: the second gibibyte.
const LOW: Range<usize> = 0x4000_0000..0x8000_0000;

/// Where a mapping is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Near the hint, if it is not 0 and free; else anywhere.
    Anywhere { hint: usize },
    /// In the second gibibyte (MAP_32BIT).
    Below2GiB { hint: usize },
    /// Exactly here, in the place of what is there (MAP_FIXED).
    Fixed(usize),
    /// Exactly here, where nothing may be (MAP_FIXED_NOREPLACE).
    FixedNoReplace(usize),
}

/// What mmap(2) asks for, decoded.
#[derive(Clone, Debug)]
pub struct MapRequest {
    pub place: Place,
    /// In bytes; rounded up to pages.
    pub length: usize,
    pub area: Area,
    /// Bring the pages in at once (MAP_POPULATE).
    pub populate: bool,
    /// May map below [`MAP_MINIMUM`] (CAP_SYS_RAWIO).
    pub low: bool,
}

impl MapRequest {
    /// Private zeros anywhere.
    pub fn anonymous(length: usize, rights: Rights) -> Self {
        let area = Area { rights, may: Rights::all(), flags: AreaFlags::empty(), backing: Backing::Anonymous };
        Self { place: Place::Anywhere { hint: 0 }, length, area, populate: false, low: false }
    }
}

impl<P: Pages> AddressSpace<P> {
    /// mmap(2), after the file and its rights were checked. EINVAL: no length, unaligned. ENOMEM: no room, or a limit. EEXIST.
    /// EPERM: too low. EAGAIN: RLIMIT_MEMLOCK.
    pub fn mmap(self: &Arc<Self>, request: MapRequest, limits: &Limits) -> Result<usize, Errno>
    where
        P: 'static,
    {
        if request.length == 0 {
            return Err(Errno::EINVAL);
        }
        let length = page_up(request.length).filter(|&length| length <= USER_END).ok_or(Errno::ENOMEM)?;
        if let Backing::File { page, .. } = request.area.backing
            && page.checked_add((length / PAGE_SIZE) as u64).is_none()
        {
            return Err(Errno::EOVERFLOW);
        }
        let mut area = request.area;
        let range = {
            let mut map = self.map.write();
            area.flags |= map.future;
            let range = self.choose(&map, request.place, length, request.low)?;
            file::share_with_neighbours(&map, &range, &mut area);
            file::register(self, &area)?;
            file::admit(&mut area)?;
            self.enter(&mut map, &range, area.clone(), limits)?;
            range
        };
        let locked = area.flags.contains(AreaFlags::LOCKED) && !area.flags.contains(AreaFlags::LOCK_ON_FAULT);
        if request.populate || locked {
            self.populate(&range);
        }
        Ok(range.start)
    }

    fn choose(&self, map: &Map, place: Place, length: usize, low: bool) -> Result<Range<usize>, Errno> {
        let at = |start: usize| start.checked_add(length).filter(|&end| end <= USER_END).map(|end| start..end);
        match place {
            Place::Fixed(start) | Place::FixedNoReplace(start) => {
                if !is_aligned(start) {
                    return Err(Errno::EINVAL);
                }
                let range = at(start).ok_or(Errno::ENOMEM)?;
                if start < MAP_MINIMUM && !low {
                    return Err(Errno::EPERM);
                }
                let taken = map.areas.find(start).is_some_and(|(next, _)| next.start < range.end);
                if taken && matches!(place, Place::FixedNoReplace(_)) { Err(Errno::EEXIST) } else { Ok(range) }
            }
            Place::Anywhere { hint } => self.choose_free(map, hint, at, length),
            Place::Below2GiB { hint } => match near(map, hint, at) {
                Some(range) if range.end <= LOW.end => Ok(range),
                _ => map.find_gap(LOW, length, true).map(|start| start..start.saturating_add(length)),
            },
        }
    }

    fn choose_free(
        &self,
        map: &Map,
        hint: usize,
        at: impl Fn(usize) -> Option<Range<usize>>,
        length: usize,
    ) -> Result<Range<usize>, Errno> {
        if let Some(range) = near(map, hint, at) {
            return Ok(range);
        }
        let base = map.layout.map_base;
        let start = if map.layout.bottom_up {
            map.find_gap(base..USER_END, length, true)
        } else {
            // Where the room below the base is used up, what lies above it still may do.
            map.find_gap(MAP_MINIMUM..base, length, false)
                .or_else(|_| map.find_gap(UNMAPPED_BASE..USER_END, length, true))
        }?;
        Ok(start..start.saturating_add(length))
    }

    /// Puts an area at `range`, in the place of whatever is there.
    pub(crate) fn enter(&self, map: &mut Map, range: &Range<usize>, area: Area, limits: &Limits) -> Result<(), Errno> {
        let pages = pages_in(range);
        let replaced: usize = overlaps(map, range).map(|part| pages_in(&part)).fold(0, usize::saturating_add);
        // Linux counts what is replaced against RLIMIT_AS only.
        let relief = Limits { address_space: limits.address_space.saturating_add(bytes(replaced)), ..*limits };
        map.check_limits(&area, pages, &relief)?;
        Self::check_overcommit(&area, pages)?;
        if area.flags.contains(AreaFlags::LOCKED) && !Limits::allows(limits.locked, map.totals.locked, pages) {
            return Err(Errno::EAGAIN);
        }
        map.check_count()?;
        map.reserve(3)?;
        if replaced != 0 {
            self.remove(map, range)?;
        }
        map.add(range.clone(), area)
    }
}

fn bytes(pages: usize) -> u64 {
    (pages as u64).saturating_mul(PAGE_SIZE as u64)
}

/// The hint, if it is free.
fn near(map: &Map, hint: usize, at: impl Fn(usize) -> Option<Range<usize>>) -> Option<Range<usize>> {
    if hint == 0 {
        return None;
    }
    at(page_up(hint)?.max(MAP_MINIMUM)).filter(|range| map.is_free(range))
}

/// The parts of a range that areas cover.
pub(crate) fn overlaps<'a>(map: &'a Map, range: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<'a> {
    let range = range.clone();
    let areas = map.areas.iter_from(range.start);
    areas.map_while(move |(found, _)| {
        (found.start < range.end).then(|| found.start.max(range.start)..found.end.min(range.end))
    })
}
