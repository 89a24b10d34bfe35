//! Page tables of programs' address spaces: four levels on x86-64, five where boot turned them on.
//!
//! **Model.** A [`PageTable`] owns the tables of the user half and, by reference counts kept in leaf entries, the frames
//! that they map. The kernel half of the root is copied once from the kernel's own root: its entries point to shared
//! tables and never change after boot, so no address space ever has to catch up.
//!
//! **Lock.** One spinlock for each address space ([`Rank::PageTable`]). The hardware sets accessed and dirty bits without it,
//! so entries that may be in use are exchanged atomically, never overwritten.
//!
//! **Order of freeing.** An entry is cleared under the lock; translations are flushed on every CPU that has the address
//! space loaded, and acknowledged; only then is the frame (or the emptied table) given back. [`Gather`] is that order as a
//! type.
//!
//! **Invariants.** An entry is writable only where the page may be written without telling anybody: an anonymous page
//! that no other address space refers to, or a page of a shared mapping whose cache knows it as dirty. Entries gain write
//! access by faults alone ([`PageTable::resolve`], [`PageTable::replace`], [`PageTable::map`]); protecting a range only
//! ever takes it away. A table's descriptor counts the entries in use; a table without any is freed.
//!
//! **Cost.** Operations on ranges go down once for each leaf table (2 MiB), not for each page.
pub(crate) mod entry;
mod fork;
mod gather;
pub mod kernel;
mod resolve;
mod stock;
pub(crate) mod table;

pub use entry::{Mapping, PageKind, Rights};
pub use fork::Copied;
pub use gather::Gather;
pub use resolve::Found;
pub use stock::{drain_table_stocks, kept_tables, start_table_stocks};
pub use table::{Walk, WalkStep, set_levels};

use crate::{PAGE_SIZE, PhysicalAddress, tlb};
use arch::CpuSet;
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;
use entry::{ACCESSED, DIRTY, Entry, NO_ACCESS, NO_EXECUTE, PRESENT, USER, WRITABLE};
use sync::{Preempt, Rank, SpinLock};
use table::{ENTRIES, LEAF_SPAN, Step, Table, Tables};

/// There was no memory for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// Pages by whose they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub anonymous: usize,
    pub file: usize,
}

impl Counts {
    #[inline(always)]
    fn add(&mut self, entry: Entry) {
        if entry.has(entry::ANONYMOUS) {
            self.anonymous += 1;
        } else if entry.is_counted() {
            self.file += 1;
        }
    }
}

/// A page as [`PageTable::scan`] shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub kind: PageKind,
    /// References to the frame, of all address spaces and caches.
    pub references: u32,
    /// Whether a write needs no fault.
    pub writable: bool,
    /// Whether any access is possible.
    pub present: bool,
    pub executable: bool,
    pub accessed: bool,
    pub dirty: bool,
}

/// The page tables of one address space.
#[derive(Debug)]
pub struct PageTable {
    root: Table,
    /// CPUs that have it loaded.
    cpus: CpuSet,
    tables: SpinLock<Tables, Preempt>,
}

impl PageTable {
    /// An empty user half under the kernel's half. `None` without memory.
    pub fn new() -> Option<Self> {
        let (root, levels) = (Table::allocate()?, table::levels());
        let entries = root.entries();
        kernel::template().iter().for_each(|&(index, entry)| entries[usize::from(index)].store(entry, Relaxed));
        let tables = SpinLock::new(Rank::PageTable, Tables { root, levels, pages: 1 });
        Some(Self { root, cpus: CpuSet::new(), tables })
    }

    /// The CPUs that have it loaded.
    pub fn cpus(&self) -> &CpuSet {
        &self.cpus
    }

    /// Where the root is.
    pub fn root(&self) -> PhysicalAddress {
        PhysicalAddress(u64::from(self.root.0) << crate::PAGE_SHIFT)
    }

    /// Pages that the tables themselves take (VmPTE of /proc/PID/status).
    pub fn table_pages(&self) -> usize {
        self.tables.lock().pages
    }

    /// The way down to an address, level by level.
    pub fn walk(&self, address: usize) -> Walk {
        let tables = self.tables.lock();
        Walk::new(tables.root, tables.levels, address)
    }

    /// The same, with bytes of the page at its end: [`device::read_ram`](crate::device::read_ram) says how many. The page cannot go
    /// in between.
    pub fn walk_and_read(&self, address: usize, bytes: &mut [u8]) -> (Walk, usize) {
        let tables = self.tables.lock();
        let walk = Walk::new(tables.root, tables.levels, address);
        let count = walk.read(bytes);
        (walk, count)
    }

    /// Drops translations of a range wherever this address space is loaded, and waits until they are gone.
    pub fn flush(&self, range: Range<usize>) {
        tlb::flush(&self.cpus, range);
    }

    /// Clears a range; see [`Gather`]. Answers what was there.
    pub fn unmap(&self, range: Range<usize>) -> Counts {
        let mut gather = Gather::new(self);
        gather.unmap(range);
        gather.finish()
    }

    /// Gives all pages in a range the rights to read and execute that `rights` says. Write access is only ever taken away
    /// (where `rights` lacks it): it comes back with the next write fault, which knows how the page is shared. Translations
    /// that allowed more are flushed before this returns.
    pub fn protect(&self, range: Range<usize>, rights: Rights) {
        let clear = PRESENT | USER | NO_ACCESS | NO_EXECUTE | if rights.contains(Rights::WRITE) { 0 } else { WRITABLE };
        let (set, mut touched) = (Entry::access_bits(rights), tlb::Touched::NOTHING);
        // A page without access keeps no write access either: present again, it would be writable without a fault.
        let clear = if rights.is_empty() { clear | WRITABLE } else { clear };
        self.for_each_held(range, |address, slot, entry| {
            if entry.0 & clear == set & clear {
                return;
            }
            let change = |old: u64| Some(old & !clear | set);
            let _ = slot.fetch_update(Relaxed, Relaxed, change);
            let allowed_more = entry.0 & clear & WRITABLE | !set & PRESENT | set & !entry.0 & NO_EXECUTE;
            if entry.has(PRESENT) && allowed_more != 0 {
                touched.note(address);
            }
        });
        self.flush(touched.range());
    }

    /// Shows every page in a range, in ascending order. Under the page tables' lock: `visit` neither sleeps nor takes locks.
    pub fn scan(&self, range: Range<usize>, visit: &mut dyn FnMut(usize, Page)) {
        self.for_each_held(range, |address, _, entry| {
            let frame = crate::descriptor::of(entry.number());
            let page = Page {
                kind: entry.kind(),
                references: frame.count.load(Relaxed),
                writable: entry.has(WRITABLE),
                present: entry.has(PRESENT),
                executable: !entry.has(NO_EXECUTE),
                accessed: entry.has(ACCESSED),
                dirty: entry.has(DIRTY),
            };
            visit(address, page);
        });
    }

    /// Calls `body` for each entry with a frame, leaf table by leaf table; the lock is free between two of them.
    #[inline]
    fn for_each_held(&self, range: Range<usize>, mut body: impl FnMut(usize, &core::sync::atomic::AtomicU64, Entry)) {
        let mut address = range.start;
        while address < range.end {
            let tables = self.tables.lock();
            let leaf = match tables.step(address) {
                Step::Hole(next) => {
                    address = next;
                    continue;
                }
                Step::Leaf(leaf, _) => leaf,
            };
            let stop = leaf_end(address, range.end);
            for slot in leaf.slots(address, stop) {
                let entry = Entry(slot.load(Relaxed));
                if entry.is_held() {
                    body(address, slot, entry);
                }
                address += PAGE_SIZE;
            }
        }
    }
}

/// The end of what one leaf table maps from `address` on, but no further than `end`.
#[inline(always)]
pub(crate) fn leaf_end(address: usize, end: usize) -> usize {
    end.min((address | (LEAF_SPAN - 1)).saturating_add(1))
}

impl Drop for PageTable {
    fn drop(&mut self) {
        debug_assert!(self.cpus.is_empty(), "an address space in use is dropped");
        if self.root.used() != 0 {
            self.unmap(0..crate::USER_END);
        }
        // Tables that were made for entries which never came.
        free_below(self.root, self.tables.get_mut().levels - 1, ENTRIES / 2);
        let entries = self.root.entries();
        kernel::template().iter().for_each(|&(index, _)| entries[usize::from(index)].store(0, Relaxed));
        if self.root.used() == 0 {
            // SAFETY: no CPU has it loaded.
            unsafe { self.root.free_zeroed() };
        } else {
            // SAFETY: as above.
            unsafe { self.root.free() };
        }
    }
}

fn free_below(table: Table, level: usize, entries: usize) {
    if table.used() == 0 || level == 0 {
        return;
    }
    for entry in &table.entries()[..entries] {
        let entry = Entry(entry.load(Relaxed));
        if entry.has(PRESENT) {
            let below = Table(entry.number());
            free_below(below, level - 1, ENTRIES);
            // SAFETY: no CPU has the root loaded.
            unsafe { below.free() };
        }
    }
}

/// A CPU switches to these tables when it switches to a thread of the address space.
// SAFETY: the kernel half is the kernel's own (see `new`).
#[cfg(target_os = "none")]
unsafe impl sync::thread::Space for PageTable {
    #[inline]
    fn enter(&self) {
        let (cpu, root) = (sync::ambient::cpu(), self.root().0);
        let loaded = self.cpus.contains(cpu) && arch::instructions::read_cr3() == root;
        self.cpus.insert(cpu);
        if !loaded {
            // SAFETY: tables of ours, whose kernel half maps what is mapped now.
            unsafe { arch::instructions::write_cr3(root) };
        }
    }

    #[inline]
    fn leave(&self) {
        self.cpus.remove(sync::ambient::cpu());
    }
}
