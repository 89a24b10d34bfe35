//! The tree of areas with its accounts: no page tables here.
use crate::area::{Area, AreaFlags};
use crate::{Layout, Limits, NoMemory, STACK_GUARD, pages_in};
use abi::Errno;
use core::ops::Range;
use memory::page_table::Rights;
use range_tree::RangeTree;

/// The most areas that an address space has (`vm.max_map_count`).
pub const MAX_MAP_COUNT: usize = 65530;

/// Pages by what areas allow; for limits and /proc.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub all: usize,
    pub data: usize,
    pub stack: usize,
    pub code: usize,
    pub locked: usize,
}

impl Totals {
    /// What `pages` pages of an area count as.
    fn of(area: &Area, pages: usize) -> Self {
        let stack = area.flags.contains(AreaFlags::GROWS_DOWN);
        let code = area.rights.contains(Rights::EXECUTE) && !area.rights.contains(Rights::WRITE) && !stack;
        let count = |counts: bool| if counts { pages } else { 0 };
        Self {
            all: pages,
            data: count(area.is_data()),
            stack: count(stack),
            code: count(code),
            locked: count(area.flags.contains(AreaFlags::LOCKED)),
        }
    }

    fn combine(&mut self, other: Self, add: impl Fn(usize, usize) -> usize) {
        self.all = add(self.all, other.all);
        self.data = add(self.data, other.data);
        self.stack = add(self.stack, other.stack);
        self.code = add(self.code, other.code);
        self.locked = add(self.locked, other.locked);
    }
}

/// The areas of an address space, and where its parts are.
pub(crate) struct Map {
    pub areas: RangeTree<Area>,
    pub totals: Totals,
    /// The most that `totals.all` ever was.
    pub peak: usize,
    pub layout: Layout,
    /// Where the heap starts and ends now.
    pub heap: Range<usize>,
    /// Flags that new areas get (mlockall's MCL_FUTURE).
    pub future: AreaFlags,
}

impl Map {
    pub const fn new(layout: Layout) -> Self {
        Self {
            areas: RangeTree::new(),
            totals: Totals { all: 0, data: 0, stack: 0, code: 0, locked: 0 },
            peak: 0,
            layout,
            heap: 0..0,
            future: AreaFlags::empty(),
        }
    }

    pub fn count(&mut self, area: &Area, range: &Range<usize>) {
        self.totals.combine(Totals::of(area, pages_in(range)), usize::wrapping_add);
        self.peak = self.peak.max(self.totals.all);
    }

    fn discount(&mut self, area: &Area, range: &Range<usize>) {
        self.totals.combine(Totals::of(area, pages_in(range)), usize::wrapping_sub);
    }

    /// Sets nodes aside for `more` areas, and sees to it that there may be so many. ENOMEM.
    pub fn reserve(&mut self, more: usize) -> Result<(), Errno> {
        self.areas.reserve(more).map_err(NoMemory::from)?;
        Ok(())
    }

    /// Whether there may be one area more. ENOMEM.
    pub fn check_count(&self) -> Result<(), Errno> {
        if self.areas.len() >= MAX_MAP_COUNT { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Makes `address` a boundary, so that no area lies across it. ENOMEM with too many areas.
    pub fn cut(&mut self, address: usize) -> Result<(), Errno> {
        if self.areas.get(address).is_some_and(|(range, _)| range.start < address) {
            self.check_count()?;
        }
        self.cut_to_remove(address)
    }

    /// The same where one of the parts goes at once, so that there are not more areas in the end.
    pub fn cut_to_remove(&mut self, address: usize) -> Result<(), Errno> {
        let Some((range, area)) = self.areas.get(address).filter(|(range, _)| range.start < address) else {
            return Ok(());
        };
        let tail = area.after(address.wrapping_sub(range.start));
        self.areas.reserve(1).map_err(NoMemory::from)?;
        self.areas.resize(range.start, range.start..address);
        self.areas.insert(address..range.end, tail).map_err(NoMemory::from)?;
        Ok(())
    }

    /// Adds an area where none is, joining it to equal neighbours. ENOMEM with too many areas.
    pub fn add(&mut self, range: Range<usize>, area: Area) -> Result<(), Errno> {
        let before = range.start.checked_sub(1).and_then(|last| self.areas.get(last));
        let before = before.filter(|(left, other)| other.merges_with(pages_in(left), &area)).map(|(left, _)| left);
        let after = self.areas.get(range.end).filter(|(right, _)| right.start == range.end);
        let after = after.filter(|(_, other)| area.merges_with(pages_in(&range), other)).map(|(right, _)| right);
        match (before, after) {
            (Some(before), Some(after)) => {
                self.areas.remove(after.start);
                self.areas.resize(before.start, before.start..after.end);
            }
            (Some(before), None) => {
                self.areas.resize(before.start, before.start..range.end);
            }
            // An area that starts earlier keeps its backing's start, so it must be a new one.
            (None, Some(after)) if area.is_private_anonymous() => {
                self.areas.resize(after.start, range.start..after.end);
            }
            (None, after) => {
                self.check_count()?;
                self.areas.reserve(1).map_err(NoMemory::from)?;
                let end = after.map_or(range.end, |after| {
                    self.areas.remove(after.start);
                    after.end
                });
                self.areas.insert(range.start..end, area.clone()).map_err(NoMemory::from)?;
            }
        }
        self.count(&area, &range);
        Ok(())
    }

    /// Takes out the first area that starts in `range`, whose ends are boundaries.
    pub fn take(&mut self, range: &Range<usize>) -> Option<(Range<usize>, Area)> {
        let (found, _) = self.areas.find(range.start)?;
        if found.start >= range.end {
            return None;
        }
        let (found, area) = self.areas.remove(found.start)?;
        self.discount(&area, &found);
        Some((found, area))
    }

    /// Changes the area that covers `address`, keeping the accounts.
    pub fn change(&mut self, address: usize, body: impl FnOnce(&mut Area)) {
        let Some((range, area)) = self.areas.get_mut(address) else { return };
        let old = Totals::of(area, pages_in(&range));
        body(area);
        let new = Totals::of(area, pages_in(&range));
        self.totals.combine(old, usize::wrapping_sub);
        self.totals.combine(new, usize::wrapping_add);
    }

    /// Moves the lower bound of the area that starts at `start` down.
    pub fn grow_down(&mut self, start: usize, to: usize) {
        let Some((range, area)) = self.areas.get(start) else { return };
        let grown = Totals::of(area, pages_in(&(to..start)));
        self.areas.resize(start, to..range.end);
        self.totals.combine(grown, usize::wrapping_add);
        self.peak = self.peak.max(self.totals.all);
    }

    /// Joins the areas that meet at `boundary`, if they are equal.
    pub fn join_at(&mut self, boundary: usize) {
        let Some(last) = boundary.checked_sub(1) else { return };
        let (Some((left, before)), Some((right, after))) = (self.areas.get(last), self.areas.get(boundary)) else {
            return;
        };
        if right.start == boundary && before.merges_with(pages_in(&left), after) {
            self.areas.remove(boundary);
            self.areas.resize(left.start, left.start..right.end);
        }
    }

    /// Applies `body` to all areas of a range, cut at its ends, and joins what became equal. Answers whether areas cover the
    /// whole range. ENOMEM with too many areas.
    pub fn change_range(
        &mut self,
        range: &Range<usize>,
        mut body: impl FnMut(&Range<usize>, &mut Area),
    ) -> Result<bool, Errno> {
        self.reserve(2)?;
        self.cut(range.start)?;
        self.cut(range.end)?;
        let (mut address, mut covered) = (range.start, true);
        while let Some((found, _)) = self.areas.find(address).filter(|(found, _)| found.start < range.end) {
            covered &= found.start <= address;
            self.change(found.start, |area| body(&found, area));
            self.join_at(found.start);
            address = found.end;
        }
        self.join_at(range.end);
        Ok(covered && address >= range.end)
    }

    /// Whether areas cover the whole range.
    pub fn covers(&self, range: &Range<usize>) -> bool {
        let mut address = range.start;
        for (found, _) in self.areas.iter_from(address) {
            if found.start > address || address >= range.end {
                break;
            }
            address = found.end;
        }
        address >= range.end
    }

    /// Whether a range is free, with a stack's guard gap above it.
    pub fn is_free(&self, range: &Range<usize>) -> bool {
        self.areas.find(range.start).is_none_or(|(next, area)| next.start.saturating_sub(guard(area)) >= range.end)
    }

    /// Addresses for `length` bytes in `within`, from the top or the bottom, that keep clear of stacks. ENOMEM.
    pub fn find_gap(&self, mut within: Range<usize>, length: usize, bottom_up: bool) -> Result<usize, Errno> {
        loop {
            let start = if bottom_up {
                self.areas.lowest_gap(within.clone(), length)
            } else {
                self.areas.highest_gap(within.clone(), length)
            };
            let start = start.ok_or(Errno::ENOMEM)?;
            let end = start.saturating_add(length);
            let Some((stack, area)) =
                self.areas.find(start).filter(|(next, _)| next.start < end.saturating_add(STACK_GUARD))
            else {
                return Ok(start);
            };
            let limit = stack.start.saturating_sub(guard(area));
            if end <= limit {
                return Ok(start);
            }
            if bottom_up {
                within.start = stack.end;
            } else {
                within.end = limit;
            }
            if within.start >= within.end {
                return Err(Errno::ENOMEM);
            }
        }
    }

    /// Whether `more` pages of such an area keep within the limits. ENOMEM.
    pub fn check_limits(&self, area: &Area, more: usize, limits: &Limits) -> Result<(), Errno> {
        let data = !area.is_data() || Limits::allows(limits.data, self.totals.data, more);
        if data && Limits::allows(limits.address_space, self.totals.all, more) { Ok(()) } else { Err(Errno::ENOMEM) }
    }
}

fn guard(area: &Area) -> usize {
    if area.flags.contains(AreaFlags::GROWS_DOWN) { STACK_GUARD } else { 0 }
}
