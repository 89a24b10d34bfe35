//! The address space itself: areas, page tables, and how many pages are there.
use crate::Layout;
use crate::area::Area;
use crate::map::Map;
use crate::pages::Pages;
use abi::Errno;
use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use memory::Frame;
use memory::frame::Use;
use memory::page_table::Counts;
use sync::{Once, Rank, RwSemaphore};

/// Pages that are present, by kind (RssAnon, RssFile, RssShmem).
#[derive(Debug, Default)]
pub(crate) struct Resident {
    pub anonymous: AtomicUsize,
    pub file: AtomicUsize,
    pub memory: AtomicUsize,
    /// The most that there were at once, as of the last time that pages went.
    pub peak: AtomicUsize,
}

impl Resident {
    pub fn total(&self) -> usize {
        let file = self.file.load(Relaxed).wrapping_add(self.memory.load(Relaxed));
        self.anonymous.load(Relaxed).wrapping_add(file)
    }

    /// The counter for pages of an area's backing.
    #[inline]
    pub fn backing(&self, area: &Area) -> &AtomicUsize {
        if area.is_memory_file() { &self.memory } else { &self.file }
    }

    /// Counts pages of `area` that went.
    pub fn subtract(&self, area: &Area, counts: Counts) {
        self.peak.fetch_max(self.total(), Relaxed);
        self.anonymous.fetch_sub(counts.anonymous, Relaxed);
        if counts.file != 0 {
            self.backing(area).fetch_sub(counts.file, Relaxed);
        }
    }

    pub fn add(&self, area: &Area, counts: Counts) {
        self.anonymous.fetch_add(counts.anonymous, Relaxed);
        if counts.file != 0 {
            self.backing(area).fetch_add(counts.file, Relaxed);
        }
    }
}

/// The address space of a program, shared by its threads. All methods: process context, may sleep, no spinlock held.
pub struct AddressSpace<P: Pages> {
    pub(crate) map: RwSemaphore<Map>,
    pub(crate) resident: Resident,
    /// The page behind the last that was touched first: where the next fault is if a program goes from page to page.
    pub(crate) next_touch: AtomicUsize,
    pages: P,
    /// The page of zeros that reads of untouched memory see.
    zero: Frame,
}

/// One page of zeros for all: made by the first address space.
static ZERO: Once<Frame> = Once::new();

fn zero_page() -> Option<Frame> {
    if ZERO.get().is_none() {
        // Two at once make two, of which one goes again.
        let _ = ZERO.set(Frame::allocate_zeroed_for(Use::Kernel)?);
    }
    ZERO.get().cloned()
}

impl<P: Pages> AddressSpace<P> {
    /// An empty address space. ENOMEM.
    pub fn new(layout: Layout) -> Result<Arc<Self>, Errno> {
        Self::with_map(Map::new(layout))
    }

    pub(crate) fn with_map(map: Map) -> Result<Arc<Self>, Errno> {
        let zero = zero_page().ok_or(Errno::ENOMEM)?;
        let pages = P::new().ok_or(Errno::ENOMEM)?;
        let map = RwSemaphore::new(Rank::AddressSpace, map);
        Ok(Arc::new(Self { map, resident: Resident::default(), next_touch: AtomicUsize::new(0), pages, zero }))
    }

    /// The page tables.
    #[inline(always)]
    pub fn pages(&self) -> &P {
        &self.pages
    }

    #[inline(always)]
    pub(crate) fn zero(&self) -> &Frame {
        &self.zero
    }

    /// Where things go in it.
    pub fn layout(&self) -> Layout {
        self.map.read().layout
    }

    /// Clears what is mapped in a range of one area.
    pub(crate) fn clear_pages(&self, area: &Area, range: Range<usize>) {
        let counts = self.pages.unmap(range);
        self.resident.subtract(area, counts);
    }

    /// Checks the pages that a new private writable mapping would need against the memory of the whole machine: the
    /// obvious overcommit is refused (`vm.overcommit_memory` 0).
    pub(crate) fn check_overcommit(area: &Area, pages: usize) -> Result<(), Errno> {
        let counted = area.is_data() && !area.flags.contains(crate::AreaFlags::NO_RESERVE);
        if counted && pages > memory::physical::frame_count() { Err(Errno::ENOMEM) } else { Ok(()) }
    }
}

impl<P: Pages> Drop for AddressSpace<P> {
    /// Area by area: what was never mapped costs nothing, and emptied tables go with their last page.
    fn drop(&mut self) {
        for (range, _) in self.map.get_mut().areas.iter() {
            self.pages.unmap(range);
        }
    }
}
