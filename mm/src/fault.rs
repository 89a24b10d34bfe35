//! Page faults: what an access to an address needs before it can go on.
use crate::area::{Area, AreaFlags, Backing};
use crate::file::FileMapping;
use crate::map::Map;
use crate::pages::Pages;
use crate::{AddressSpace, Limits, MAP_MINIMUM, STACK_GUARD, page_of};
use abi::{Errno, PAGE_SIZE};
use cache::PageError;
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;
use memory::Frame;
use memory::page_table::{Found, Mapping, PageKind, Rights};

/// How memory was to be accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    Execute,
}

/// What it took to serve a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Nothing was read from a device.
    Minor,
    Major,
    /// The access was allowed already: another thread was faster, or a translation was stale.
    Spurious,
}

/// Why an access cannot go on; each names its signal and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultError {
    /// SIGSEGV, SEGV_MAPERR.
    NotMapped,
    /// SIGSEGV, SEGV_ACCERR.
    NotAllowed,
    /// SIGBUS, BUS_ADRERR: beyond the end of the file, or it could not be read.
    NoBacking,
    /// There is no memory: something must be ended.
    OutOfMemory,
}

impl From<memory::page_table::OutOfMemory> for FaultError {
    fn from(_: memory::page_table::OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl From<PageError> for FaultError {
    fn from(error: PageError) -> Self {
        if error == PageError::Failed(Errno::ENOMEM) { Self::OutOfMemory } else { Self::NoBacking }
    }
}

type Served = Result<FaultKind, FaultError>;

/// Cached pages around a faulting one that come with it: an aligned block of 64 KiB (Linux's `fault_around_bytes`).
const AROUND: usize = 16;
const AROUND_BYTES: usize = AROUND * PAGE_SIZE;

/// Pages of an area without a file that come at a time once it is touched in order, and how large the area must be: where Linux would
/// take a large page. Small areas, stacks among them, and areas touched here and there get what they touch and no more.
const RUN: usize = 16;
const RUN_AREA: usize = 2 << 20;

impl<P: Pages> AddressSpace<P> {
    /// Makes an access possible. `limits` is asked for where a stack has to grow. May sleep.
    #[inline]
    pub fn fault(&self, address: usize, access: Access, limits: impl FnOnce() -> Limits) -> Served {
        let page = page_of(address);
        let map = self.map.read();
        match map.areas.find(page) {
            Some((range, area)) if range.start <= page => self.fault_in(&range, area, page, access),
            Some((_, area)) if area.flags.contains(AreaFlags::GROWS_DOWN) => {
                drop(map);
                self.grow_stack(page, &limits())?;
                let map = self.map.read();
                let (range, area) = map.areas.get(page).ok_or(FaultError::NotMapped)?;
                self.fault_in(&range, area, page, access)
            }
            _ => Err(FaultError::NotMapped),
        }
    }

    /// Makes an access to a page of `area` possible, with the map held.
    #[inline]
    pub(crate) fn fault_in(&self, range: &Range<usize>, area: &Area, page: usize, access: Access) -> Served {
        let allowed = match access {
            Access::Write => area.rights.contains(Rights::WRITE),
            Access::Execute => area.rights.contains(Rights::EXECUTE),
            // The hardware knows no page that may only be written or executed.
            Access::Read => !area.rights.is_empty(),
        };
        if !allowed {
            return Err(FaultError::NotAllowed);
        }
        let write = access == Access::Write;
        match self.pages().resolve(page, write) {
            Found::Empty => self.fill(range, area, page, write),
            Found::Allowed(_) => Ok(FaultKind::Spurious),
            Found::ReadOnly(old, kind) => self.write_shared(range, area, page, &old, kind),
        }
    }

    #[inline]
    fn fill(&self, range: &Range<usize>, area: &Area, page: usize, write: bool) -> Served {
        match &area.backing {
            Backing::Anonymous if write && self.in_sequence(range, area, page) => self.fill_run(range, area, page),
            Backing::Anonymous if write => {
                let frame = Frame::allocate_zeroed().ok_or(FaultError::OutOfMemory)?;
                self.map_anonymous(area, page, frame)?;
                Ok(FaultKind::Minor)
            }
            Backing::Anonymous => {
                let mapping = Mapping { rights: area.rights.without_writing(), kind: PageKind::Zero };
                self.pages().map(page, &mut [Some(self.zero().clone())], mapping)?;
                Ok(FaultKind::Minor)
            }
            Backing::File { file, .. } => self.fill_from_file(range, area, page, write, file),
            Backing::Special { special, .. } => {
                let frame = usize::try_from(index(range, area, page)).ok().and_then(|index| special.frames.get(index));
                let frame = frame.ok_or(FaultError::NoBacking)?.clone();
                let mapping = Mapping { rights: area.rights.without_writing(), kind: PageKind::File };
                let entered = self.pages().map(page, &mut [Some(frame)], mapping)?;
                self.resident.file.fetch_add(entered, Relaxed);
                Ok(FaultKind::Minor)
            }
        }
    }

    /// Whether a large area is being touched page after page. Programs that do not want large pages do not want this either.
    #[inline]
    fn in_sequence(&self, range: &Range<usize>, area: &Area, page: usize) -> bool {
        if range.end.wrapping_sub(range.start) < RUN_AREA || area.flags.contains(AreaFlags::NO_HUGE) {
            return false;
        }
        // Only a hint: two threads may lose each other's.
        let expected = self.next_touch.load(Relaxed);
        self.next_touch.store(page.wrapping_add(PAGE_SIZE), Relaxed);
        expected == page
    }

    /// Brings in the page and those behind it, as far as there is memory: one fault for all.
    fn fill_run(&self, range: &Range<usize>, area: &Area, page: usize) -> Served {
        let mut frames = [const { None }; RUN];
        let (frames, _) = frames.split_at_mut((range.end.wrapping_sub(page) / PAGE_SIZE).min(RUN));
        let count = Frame::allocate_zeroed_run(frames);
        if count == 0 {
            return Err(FaultError::OutOfMemory);
        }
        let mapping = Mapping { rights: area.rights, kind: PageKind::Anonymous };
        let entered = self.pages().map(page, frames, mapping)?;
        self.resident.anonymous.fetch_add(entered, Relaxed);
        self.next_touch.store(page.wrapping_add(count.wrapping_mul(PAGE_SIZE)), Relaxed);
        Ok(FaultKind::Minor)
    }

    #[inline]
    fn map_anonymous(&self, area: &Area, page: usize, frame: Frame) -> Result<(), FaultError> {
        let mapping = Mapping { rights: area.rights, kind: PageKind::Anonymous };
        let entered = self.pages().map(page, &mut [Some(frame)], mapping)?;
        self.resident.anonymous.fetch_add(entered, Relaxed);
        Ok(())
    }

    fn fill_from_file(
        &self,
        range: &Range<usize>,
        area: &Area,
        page: usize,
        write: bool,
        file: &FileMapping,
    ) -> Served {
        if write && !area.is_shared() {
            let at = index(range, area, page);
            let (source, read) = match file.cache().lookup(at) {
                Some(frame) => (frame, false),
                None => (file.cache().page(at)?, !file.is_memory()),
            };
            let copy = Frame::allocate().ok_or(FaultError::OutOfMemory)?;
            copy.copy_from(&source);
            self.map_anonymous(area, page, copy)?;
            return Ok(kind(read));
        }
        loop {
            let stamp = file.cache().truncations();
            let (window, read) = self.map_around(range, area, page, write, file)?;
            if file.cache().truncations() == stamp {
                return Ok(kind(read));
            }
            // The file was cut off meanwhile, perhaps before the truncating thread could see our entries.
            self.clear_pages(area, window);
        }
    }

    /// Maps the page of a file, and for a read those around it that are in memory. Answers what was mapped.
    fn map_around(
        &self,
        range: &Range<usize>,
        area: &Area,
        page: usize,
        write: bool,
        file: &FileMapping,
    ) -> Result<(Range<usize>, bool), FaultError> {
        let block = page & !(AROUND_BYTES.wrapping_sub(1));
        let window = if write || area.flags.contains(AreaFlags::RANDOM) {
            page..page.saturating_add(PAGE_SIZE)
        } else {
            range.start.max(block)..range.end.min(block.saturating_add(AROUND_BYTES))
        };
        let mut frames = [const { None }; AROUND];
        let wanted = window.end.wrapping_sub(window.start) / PAGE_SIZE;
        let (frames, _) = frames.split_at_mut(wanted.min(AROUND));
        file.cache().lookup_many(index(range, area, window.start), frames);
        let mut read = false;
        let slot = frames.get_mut(page.wrapping_sub(window.start) / PAGE_SIZE);
        if let Some(slot @ None) = slot {
            *slot = Some(file.cache().page(index(range, area, page))?);
            read = !file.is_memory();
        }
        if write {
            file.cache().mark_dirty(index(range, area, page));
        }
        let rights = if write { area.rights } else { area.unwritten_rights() };
        let entered = self.pages().map(window.start, frames, Mapping { rights, kind: PageKind::File })?;
        self.resident.backing(area).fetch_add(entered, Relaxed);
        Ok((window, read))
    }

    /// Serves a write to a page that is there but read-only.
    fn write_shared(&self, range: &Range<usize>, area: &Area, page: usize, old: &Frame, kind: PageKind) -> Served {
        if let (true, Backing::File { file, .. }) = (area.is_shared(), &area.backing) {
            file.cache().mark_dirty(index(range, area, page));
            self.pages().replace(page, old, old.clone(), Mapping { rights: area.rights, kind });
            return Ok(FaultKind::Minor);
        }
        let copy = if kind == PageKind::Zero { Frame::allocate_zeroed() } else { Frame::allocate() };
        let copy = copy.ok_or(FaultError::OutOfMemory)?;
        if kind != PageKind::Zero {
            copy.copy_from(old);
        }
        let mapping = Mapping { rights: area.rights, kind: PageKind::Anonymous };
        if self.pages().replace(page, old, copy, mapping) && kind != PageKind::Anonymous {
            self.resident.anonymous.fetch_add(1, Relaxed);
            if kind == PageKind::File {
                self.resident.backing(area).fetch_sub(1, Relaxed);
            }
        }
        Ok(FaultKind::Minor)
    }

    /// Lets the stack above `page` grow down to it.
    #[cold]
    fn grow_stack(&self, page: usize, limits: &Limits) -> Result<(), FaultError> {
        let mut map = self.map.write();
        let (range, area) = map.areas.find(page).ok_or(FaultError::NotMapped)?;
        if range.start <= page {
            return Ok(());
        }
        let grown = range.start.saturating_sub(page) / PAGE_SIZE;
        let locked = area.flags.contains(AreaFlags::LOCKED);
        let fits = area.flags.contains(AreaFlags::GROWS_DOWN)
            && page >= MAP_MINIMUM
            && range.end.saturating_sub(page) as u64 <= limits.stack
            && has_guard(&map, page)
            && map.check_limits(area, grown, limits).is_ok()
            && (!locked || Limits::allows(limits.locked, map.totals.locked, grown));
        if !fits {
            return Err(FaultError::NotMapped);
        }
        map.grow_down(range.start, page);
        Ok(())
    }

    /// Brings in all pages of a range that can be had (MAP_POPULATE, mlock): for writing where that needs no notice.
    pub(crate) fn populate(&self, range: &Range<usize>) {
        self.populate_in(&self.map.read(), range);
    }

    /// The same with the map held.
    pub(crate) fn populate_in(&self, map: &Map, range: &Range<usize>) {
        for (found, area) in map.areas.iter_from(range.start) {
            if found.start >= range.end {
                break;
            }
            let write = area.rights.contains(Rights::WRITE) && !area.is_shared();
            let access = if write { Access::Write } else { Access::Read };
            let part = found.start.max(range.start)..found.end.min(range.end);
            for page in part.step_by(PAGE_SIZE) {
                if self.fault_in(&found, area, page, access).is_err() {
                    break;
                }
            }
        }
    }
}

/// Whether a stack that starts at `page` would keep its distance from what lies below.
fn has_guard(map: &Map, page: usize) -> bool {
    map.areas.before(page).is_none_or(|(below, area)| {
        let harmless = area.rights.is_empty() || area.flags.contains(AreaFlags::GROWS_DOWN);
        harmless || page.saturating_sub(below.end) >= STACK_GUARD
    })
}

/// The index into its backing of a page of an area.
#[inline]
pub(crate) fn index(range: &Range<usize>, area: &Area, page: usize) -> u64 {
    let within = (page.wrapping_sub(range.start) / PAGE_SIZE) as u64;
    match &area.backing {
        Backing::Anonymous => within,
        Backing::File { page, .. } | Backing::Special { page, .. } => page.wrapping_add(within),
    }
}

fn kind(read: bool) -> FaultKind {
    if read { FaultKind::Major } else { FaultKind::Minor }
}
