//! Pages of 512 entries, and the way down through them.
use super::entry::{ACCESSED, Entry, KERNEL_TABLE, LARGE, PRESENT, TABLE};
use super::stock;
use crate::counters::{Counter, count};
use crate::descriptor::{self, Kind};
use crate::zones::{self, ZoneKind};
use crate::{PAGE_SHIFT, PhysicalAddress, physical};
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// Entries in a table.
pub(crate) const ENTRIES: usize = 512;
/// Bytes that a leaf table maps.
pub(crate) const LEAF_SPAN: usize = ENTRIES << PAGE_SHIFT;
/// The most levels that any CPU walks.
pub(crate) const MOST_LEVELS: usize = 5;

/// Levels that the CPUs walk: 4, or 5 with LA57.
static LEVELS: AtomicU8 = AtomicU8::new(4);

/// Tells how many levels boot has turned on, before the first user address space.
pub fn set_levels(levels: u8) {
    assert!((4..=5).contains(&levels), "x86-64 walks four or five levels");
    LEVELS.store(levels, Relaxed);
}

pub(crate) fn levels() -> usize {
    usize::from(LEVELS.load(Relaxed))
}

/// The index into a table of `level` (0: leaf).
#[inline(always)]
pub(crate) fn index(address: usize, level: usize) -> usize {
    address >> (PAGE_SHIFT as usize + 9 * level) & (ENTRIES - 1)
}

/// Bytes that an entry of a table of `level` maps.
#[inline(always)]
pub(crate) fn span(level: usize) -> usize {
    1 << (PAGE_SHIFT as usize + 9 * level)
}

/// A table, by frame number. Whoever has one holds the lock of the page tables that it belongs to, so it is a table still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Table(pub u32);

impl Table {
    /// A table of zeros. Its descriptor counts the entries in use.
    #[inline]
    pub fn allocate() -> Option<Self> {
        if let Some(table) = stock::take() {
            return Some(table);
        }
        let table = Self::allocate_raw()?;
        // SAFETY: a page that was just handed to us, in the direct map.
        unsafe { core::ptr::write_bytes(physical::frame_address(table.0), 0, crate::PAGE_SIZE) };
        Some(table)
    }

    fn allocate_raw() -> Option<Self> {
        let number = zones::allocate(0, ZoneKind::Normal)?;
        let descriptor = descriptor::of(number);
        descriptor.kind.store(Kind::Table as u8, Relaxed);
        descriptor.count.store(0, Relaxed);
        count(Counter::TablePages, 1);
        Some(Self(number))
    }

    /// Gives the page back.
    ///
    /// # Safety
    /// No CPU walks it any more: its entry above is cleared and translations are flushed.
    pub unsafe fn free(self) {
        count(Counter::TablePages, -1);
        zones::free(self.0, 0);
    }

    /// Gives back a table without entries, perhaps to be used again as it is.
    ///
    /// # Safety
    /// As [`Table::free`].
    #[inline]
    pub unsafe fn free_zeroed(self) {
        debug_assert!(self.entries().iter().all(|entry| entry.load(Relaxed) == 0));
        if !stock::keep(self) {
            // SAFETY: the caller's.
            unsafe { self.free() };
        }
    }

    #[inline(always)]
    pub fn entries(self) -> &'static [AtomicU64; ENTRIES] {
        // SAFETY: a page of the direct map, aligned, and a table for as long as the lock is held; the hardware writes
        // to it too, which is why entries are atomics. The reference is used under that lock only.
        unsafe { &*physical::frame_address(self.0).cast() }
    }

    #[inline(always)]
    pub fn entry(self, address: usize, level: usize) -> &'static AtomicU64 {
        &self.entries()[index(address, level)]
    }

    /// The entries of a leaf table for the pages from `start` to `end`, both of its own.
    #[inline(always)]
    pub fn slots(self, start: usize, end: usize) -> &'static [AtomicU64] {
        let first = index(start, 0);
        &self.entries()[first..first + ((end - start) >> PAGE_SHIFT)]
    }

    #[inline(always)]
    pub fn load(self, address: usize, level: usize) -> Entry {
        Entry(self.entry(address, level).load(Relaxed))
    }

    /// Counts entries that came into use. Under the lock, so no atomic addition is needed.
    #[inline(always)]
    pub fn add_used(self, count: usize) {
        let used = &descriptor::of(self.0).count;
        used.store(used.load(Relaxed).wrapping_add(count as u32), Relaxed);
    }

    /// Counts entries that fell out of use; true where none is left.
    #[inline(always)]
    pub fn subtract_used(self, count: usize) -> bool {
        let used = &descriptor::of(self.0).count;
        let left = used.load(Relaxed).wrapping_sub(count as u32);
        used.store(left, Relaxed);
        left == 0
    }

    #[inline(always)]
    pub fn used(self) -> usize {
        descriptor::of(self.0).count.load(Relaxed) as usize
    }
}

/// What the way down to an address met.
pub(crate) enum Step {
    /// The leaf table, with the tables above it by level.
    Leaf(Table, [Table; MOST_LEVELS]),
    /// No table; nothing is mapped before this address.
    Hole(usize),
}

/// A root and how deep it is. Whoever has this holds the lock.
#[derive(Debug)]
pub(crate) struct Tables {
    pub root: Table,
    pub levels: usize,
    /// Tables in all.
    pub pages: usize,
}

impl Tables {
    /// The leaf table for an address, if there is one.
    #[inline(always)]
    pub fn leaf(&self, address: usize) -> Option<Table> {
        let mut table = self.root;
        for level in (1..self.levels).rev() {
            let entry = table.load(address, level);
            if entry.0 & (PRESENT | LARGE) != PRESENT {
                return None;
            }
            table = Table(entry.number());
        }
        Some(table)
    }

    /// The leaf table for an address, made with what is missing above it. `None` without memory.
    #[inline(always)]
    pub fn leaf_or_new(&mut self, address: usize) -> Option<Table> {
        let mut table = self.root;
        for level in (1..self.levels).rev() {
            let entry = table.load(address, level);
            table = if entry.has(PRESENT) { Table(entry.number()) } else { self.grow(table, address, level)? };
        }
        Some(table)
    }

    #[cold]
    fn grow(&mut self, table: Table, address: usize, level: usize) -> Option<Table> {
        let new = Table::allocate()?;
        let bits = if address >> 63 == 0 { TABLE } else { KERNEL_TABLE };
        table.entry(address, level).store(u64::from(new.0) << PAGE_SHIFT | bits, Relaxed);
        table.add_used(1);
        self.pages += 1;
        Some(new)
    }

    /// Goes down to an address, remembering the way.
    pub fn step(&self, address: usize) -> Step {
        let mut path = [self.root; MOST_LEVELS];
        let mut table = self.root;
        for level in (1..self.levels).rev() {
            path[level] = table;
            let entry = table.load(address, level);
            if !entry.has(PRESENT) {
                return Step::Hole((address | (span(level) - 1)).saturating_add(1));
            }
            table = Table(entry.number());
        }
        Step::Leaf(table, path)
    }

    /// Takes a leaf table that is empty out of the one above, and so on upwards; `emptied` gets each.
    pub fn prune(&mut self, leaf: Table, path: &[Table; MOST_LEVELS], address: usize, mut emptied: impl FnMut(Table)) {
        let mut table = leaf;
        for (level, &above) in path.iter().enumerate().take(self.levels).skip(1) {
            if table.used() != 0 {
                return;
            }
            above.entry(address, level).store(0, Relaxed);
            self.pages -= 1;
            emptied(table);
            above.subtract_used(1);
            table = above;
        }
    }
}

/// The way down to an address as the hardware takes it, for people: one entry per level, from the root.
#[derive(Clone, Copy)]
pub struct Walk {
    address: usize,
    root: Table,
    entries: [Entry; MOST_LEVELS],
    levels: usize,
    last: usize,
}

/// One step of a [`Walk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkStep {
    /// As the SDM counts: 4 (or 5) is the root, 1 the leaf.
    pub level: usize,
    pub table: PhysicalAddress,
    /// Nine bits of the address.
    pub index: usize,
    pub entry: u64,
}

impl WalkStep {
    /// What the bits of the entry that are set are called.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        Entry(self.entry).names()
    }

    pub fn is_present(&self) -> bool {
        Entry(self.entry).has(PRESENT)
    }
}

impl Walk {
    pub(crate) fn new(root: Table, levels: usize, address: usize) -> Self {
        let mut walk = Self { address, root, entries: [Entry(0); MOST_LEVELS], levels, last: 0 };
        let mut table = root;
        for level in (0..levels).rev() {
            let entry = table.load(address, level);
            walk.entries[level] = entry;
            walk.last = level;
            if !entry.has(PRESENT) || entry.has(LARGE) || !physical_table(entry) {
                break;
            }
            table = Table(entry.number());
        }
        walk
    }

    /// Each step, from the root on, as far as the way goes.
    pub fn steps(&self) -> impl Iterator<Item = WalkStep> + '_ {
        (self.last..self.levels).rev().map(|level| {
            let table = if level + 1 == self.levels { self.root.0 } else { self.entries[level + 1].number() };
            WalkStep {
                level: level + 1,
                table: PhysicalAddress(u64::from(table) << PAGE_SHIFT),
                index: index(self.address, level),
                entry: self.entries[level].0,
            }
        })
    }

    /// Where the address is in physical memory, and how large the page is; `None` where the way ends before one.
    pub fn target(&self) -> Option<(PhysicalAddress, usize)> {
        let size = span(self.last);
        let base = self.entries[self.last].frame_address() & !(size as u64 - 1);
        self.is_mapped().then_some((PhysicalAddress(base | (self.address & (size - 1)) as u64), size))
    }

    /// Copies bytes at the address, as far as its page goes; answers how many. 0 where there is no page, or no RAM.
    pub fn read(&self, bytes: &mut [u8]) -> usize {
        let Some((address, size)) = self.target() else { return 0 };
        let rest = (size - (address.0 as usize & (size - 1))).min(bytes.len());
        crate::device::read_ram(address, &mut bytes[..rest])
    }

    /// Whether a page stands at the end of the way.
    pub fn is_mapped(&self) -> bool {
        let entry = self.entries[self.last];
        entry.has(PRESENT) && (self.last == 0 || entry.has(LARGE))
    }
}

/// Whether the next table lies where a table can be: a dump must survive what it is there to find.
fn physical_table(entry: Entry) -> bool {
    (entry.number() as usize) < physical::frame_count()
}

impl core::fmt::Display for Walk {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for level in (self.last..self.levels).rev() {
            writeln!(formatter, "level {}: {}", level + 1, self.entries[level])?;
        }
        Ok(())
    }
}

const _: () = assert!(TABLE & ACCESSED != 0);
