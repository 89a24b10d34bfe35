//! The kernel's own half: pages of the vmalloc window.
//!
//! Boot makes the root, with a table behind each entry of the kernel's half that is ever used. From then on tables are added
//! below those, under one lock, and every address space shares them. Those of the lowest level are freed when memory is short
//! ([`crate::vmalloc::give_back`]).
use super::OutOfMemory;
use super::entry::{ACCESSED, DIRTY, Entry, NO_EXECUTE, PRESENT, UNCACHED, WRITABLE, WRITE_THROUGH};
use super::table::{self, ENTRIES, LEAF_SPAN, Step, Table, Tables, Walk};
use crate::frame::Use;
use crate::{Frame, PAGE_SHIFT, PAGE_SIZE, PhysicalAddress, tlb};
use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use smallvec::SmallVec;
use sync::{Once, Preempt, Rank, SpinLock};

/// Where kernel pages are mapped one by one: what a single entry of a four-level root covers.
pub const VMALLOC: Range<usize> = 0xffff_c900_0000_0000..0xffff_c980_0000_0000;

/// What the kernel may do with a page. Nothing is both written and executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelAccess {
    ReadOnly,
    ReadWrite,
    Execute,
    /// Device registers: read and written, never cached.
    Device,
}

impl KernelAccess {
    /// Not global, so that loading CR3 drops them: see [`crate::tlb`].
    fn bits(self) -> u64 {
        PRESENT
            | ACCESSED
            | DIRTY
            | match self {
                Self::ReadOnly => NO_EXECUTE,
                Self::ReadWrite => NO_EXECUTE | WRITABLE,
                Self::Execute => 0,
                Self::Device => NO_EXECUTE | WRITABLE | UNCACHED | WRITE_THROUGH,
            }
    }
}

/// Frame number of the root; 0 before there is one.
static ROOT: AtomicU32 = AtomicU32::new(0);
/// The tables under the window. Process context; held for a leaf table's worth of pages at most.
static TABLES: SpinLock<(), Preempt> = SpinLock::new(Rank::KernelTable, ());

/// Takes over the tables that boot made and this CPU runs on: they live for ever, lie below the end of RAM, and have a table
/// behind every entry of the kernel's half that is ever used. Once, before the first address space and the first mapping.
#[cfg(target_os = "none")]
pub fn set_kernel_space() {
    ROOT.store((arch::instructions::read_cr3() >> PAGE_SHIFT) as u32, Relaxed);
}

/// Loads the tables that map the kernel only.
#[cfg(target_os = "none")]
pub fn enter_kernel_space() {
    // SAFETY: the tables that boot made; the kernel's half of all tables is theirs.
    unsafe { arch::instructions::write_cr3(root_address().0) };
}

/// The kernel's root, once there is one.
pub(crate) fn root() -> Option<Table> {
    let number = ROOT.load(Relaxed);
    (number != 0).then_some(Table(number))
}

/// The entries of the kernel's half that are in use, by index: a few of 256. What every root has.
static TEMPLATE: Once<SmallVec<[(u16, u64); 8]>> = Once::new();

/// The kernel's half of every root. Taken from the kernel's root at the first call, after which that never changes.
#[inline]
pub(crate) fn template() -> &'static [(u16, u64)] {
    if TEMPLATE.get().is_none() {
        let entries = root().map_or(&[][..], |root| &root.entries()[ENTRIES / 2..]);
        let used = (ENTRIES as u16 / 2..).zip(entries).map(|(index, entry)| (index, entry.load(Relaxed)));
        let _ = TEMPLATE.set(used.filter(|&(_, entry)| entry != 0).collect());
    }
    TEMPLATE.get().map_or(&[], |template| template)
}

/// The physical address of the kernel's root, for CPUs that run no program.
pub fn root_address() -> PhysicalAddress {
    PhysicalAddress(u64::from(ROOT.load(Relaxed)) << PAGE_SHIFT)
}

/// The way down to any kernel address, level by level. For dumps: takes no lock.
pub fn walk(address: usize) -> Option<Walk> {
    Some(Walk::new(root()?, table::levels(), address))
}

fn tables() -> Option<Tables> {
    Some(Tables { root: root()?, levels: table::levels(), pages: 0 })
}

/// Maps consecutive pages from `address` on to physical pages that `next` names, of which entries keep no count.
fn map_pages(
    address: usize,
    pages: usize,
    access: KernelAccess,
    mut next: impl FnMut(usize) -> Option<u64>,
) -> Result<(), OutOfMemory> {
    for index in 0..pages {
        let at = address + index * PAGE_SIZE;
        let number = next(index).ok_or(OutOfMemory)?;
        let _held = TABLES.lock();
        let leaf = tables().and_then(|mut tables| tables.leaf_or_new(at)).ok_or(OutOfMemory)?;
        leaf.entry(at, 0).store(number << PAGE_SHIFT | access.bits(), Relaxed);
    }
    Ok(())
}

/// Maps fresh pages at `range`, which is unmapped and the caller's own. Without memory nothing is mapped.
pub(crate) fn map_fresh(range: Range<usize>, access: KernelAccess) -> Result<(), OutOfMemory> {
    let pages = range.len() >> PAGE_SHIFT;
    let mut mapped = 0;
    let result = map_pages(range.start, pages, access, |_| {
        let number = Frame::allocate_for(Use::Vmalloc)?.into_number();
        mapped += 1;
        Some(u64::from(number))
    });
    if result.is_err() {
        // The last frame may be the one whose table could not be had; it was counted but not entered.
        unmap_fresh(range.start..range.start + mapped * PAGE_SIZE);
    }
    result
}

/// Unmaps what [`map_fresh`] mapped and gives the pages back. Translations go stale: the caller does not use the range again
/// before a flush.
pub(crate) fn unmap_fresh(range: Range<usize>) {
    for address in range.step_by(PAGE_SIZE) {
        if let Some(entry) = clear(address) {
            // SAFETY: `map_fresh` left a reference in the entry, which is now cleared.
            drop(unsafe { Frame::from_number(entry.number()) });
        }
    }
}

fn clear(address: usize) -> Option<Entry> {
    let _held = TABLES.lock();
    let leaf = tables()?.leaf(address)?;
    let entry = Entry(leaf.entry(address, 0).swap(0, Relaxed));
    entry.has(PRESENT).then_some(entry)
}

/// The addresses of the first leaf table in `window`.
pub(crate) fn next_leaf(window: Range<usize>) -> Option<Range<usize>> {
    let mut address = window.start;
    while address < window.end {
        let _held = TABLES.lock();
        match tables()?.step(address) {
            Step::Hole(next) => address = next,
            Step::Leaf(..) => {
                let start = address & !(LEAF_SPAN - 1);
                return Some(start..start + LEAF_SPAN);
            }
        }
    }
    None
}

/// Takes a leaf table that maps nothing out of the one above it. Before it is used as anything else, all CPUs have to flush; until
/// then nothing is mapped in its place.
pub(crate) fn take_leaf(address: usize) -> Option<Table> {
    let _held = TABLES.lock();
    let tables = tables()?;
    let Step::Leaf(leaf, path) = tables.step(address) else { return None };
    if leaf.entries().iter().any(|entry| entry.load(Relaxed) != 0) {
        return None;
    }
    path[1].entry(address, 1).store(0, Relaxed);
    path[1].subtract_used(1);
    Some(leaf)
}

/// Maps consecutive physical pages at `range`, which is unmapped and the caller's own. Without memory, a part.
///
/// # Safety
/// What is there may be accessed as `access` says: it is nobody else's, or made for sharing.
pub unsafe fn map_physical(
    range: Range<usize>,
    start: PhysicalAddress,
    access: KernelAccess,
) -> Result<(), OutOfMemory> {
    let first = start.0 >> PAGE_SHIFT;
    map_pages(range.start, range.len() >> PAGE_SHIFT, access, |index| Some(first + index as u64))
}

/// Unmaps what [`map_physical`] mapped, on all CPUs. Interrupts are on.
pub fn unmap_physical(range: Range<usize>) {
    for address in range.clone().step_by(PAGE_SIZE) {
        clear(address);
    }
    tlb::flush_kernel(range);
}

/// On the host: a root of our own, made on first use.
#[cfg(not(target_os = "none"))]
pub(crate) fn host_root() {
    static MADE: std::sync::Once = std::sync::Once::new();
    MADE.call_once(|| {
        let table = Table::allocate().expect("the arena is large");
        for index in ENTRIES / 2..ENTRIES {
            let below = Table::allocate().expect("the arena is large");
            table.entries()[index].store(u64::from(below.0) << PAGE_SHIFT | super::entry::KERNEL_TABLE, Relaxed);
        }
        ROOT.store(table.0, Relaxed);
    });
}
