//! Address spaces of programs: what is mapped where, and what a fault does about it.
//!
//! **Problem.** A program sees 128 TiB of addresses; the kernel remembers only which *areas* it asked for, and finds pages for
//! them when they are touched. Fork must not copy pages, exit must not look at what was never touched, and a fault is
//! the most frequent thing of all.
//!
//! **Model.** An [`AddressSpace`] is a tree of [`Area`]s (`Map`: ranges with rights, flags and a backing, which never overlap;
//! equal neighbours are one) over [`Pages`], the page tables, which are only a cache of what areas and backings say, except
//! that they own the anonymous pages. Calls change areas first and make the page tables agree at once; faults fill page
//! tables from areas.
//!
//! **Locks.** A reader–writer semaphore over the tree: faults read, calls that change it write. The page tables have a spinlock of
//! their own under it. A fault may sleep (in the page cache, for memory) with the semaphore held for reading, so whoever
//! copies to or from a program's memory holds neither. Order: AddressSpace, then page cache, then PageTable.
//!
//! **Files.** A mapped page of a file *is* the page cache's. A fault notes [`cache::PageCache::truncations`] before it takes
//! a page and looks again after it has entered it; a truncation raises the number and then calls every space that maps the
//! file ([`cache::Mapper`]): one of the two sees the other. So no entry outlives its page's place in the file.
//!
//! **Invariants.** Whatever a call needs is set aside before its first side effect ([`range_tree::RangeTree::reserve`]). A page
//! is given back only after every CPU that has the address space loaded has flushed it ([`Pages::unmap`]). An entry is writable
//! only where a write needs no decision; the first write decides (copy, take over, tell the cache).
//!
//! **Why not** a sorted vector or a list: programs with ten thousand mappings exist (each thread has two), and every
//! `mmap` asks for a gap.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

extern crate alloc;

mod advice;
mod area;
mod brk;
mod fault;
mod file;
mod fork;
mod layout;
mod limits;
mod lock;
mod map;
mod mmap;
mod pages;
mod protect;
mod remap;
mod remote;
mod space;
mod sync_file;
mod unmap;
mod view;

pub use advice::Advice;
pub use area::{Area, AreaFlags, Backing, Special};
pub use fault::{Access, FaultError, FaultKind};
pub use file::{FileMapping, MappedFile};
pub use layout::Layout;
pub use limits::Limits;
pub use lock::LockAll;
pub use map::MAX_MAP_COUNT;
pub use memory::page_table::Rights;
pub use mmap::{MapRequest, Place};
pub use pages::Pages;
pub use remap::RemapFlags;
pub use space::AddressSpace;
pub use sync_file::SyncFlags;
pub use view::{AreaView, Name, Residence, Usage};

use abi::{Errno, PAGE_SIZE};
use core::ops::Range;
use memory::USER_END;

/// Lowest address that a program may map without a privilege (`vm.mmap_min_addr`).
pub const MAP_MINIMUM: usize = 0x1_0000;
/// Bytes that stay free below an area which grows down (`stack_guard_gap`).
pub const STACK_GUARD: usize = 256 * PAGE_SIZE;

/// Rounds up to pages; `None` where that overflows.
pub(crate) fn page_up(bytes: usize) -> Option<usize> {
    bytes.checked_next_multiple_of(PAGE_SIZE)
}

pub(crate) fn is_aligned(address: usize) -> bool {
    address & (PAGE_SIZE - 1) == 0
}

pub(crate) fn page_of(address: usize) -> usize {
    address & !(PAGE_SIZE - 1)
}

/// How many pages a range of whole pages has.
pub(crate) fn pages_in(range: &Range<usize>) -> usize {
    range.end.saturating_sub(range.start) / PAGE_SIZE
}

/// The whole pages of `start..start+length`, as most calls take it: EINVAL for an unaligned start, `beyond` for a range that
/// leaves the user half.
pub(crate) fn page_range(start: usize, length: usize, beyond: Errno) -> Result<Range<usize>, Errno> {
    if !is_aligned(start) {
        return Err(Errno::EINVAL);
    }
    let end = page_up(length).and_then(|length| start.checked_add(length)).ok_or(beyond)?;
    if end > USER_END { Err(beyond) } else { Ok(start..end) }
}

impl From<range_tree::OutOfMemory> for NoMemory {
    fn from(_: range_tree::OutOfMemory) -> Self {
        Self
    }
}

impl From<memory::page_table::OutOfMemory> for NoMemory {
    fn from(_: memory::page_table::OutOfMemory) -> Self {
        Self
    }
}

/// Any floor below had no memory.
#[derive(Debug)]
pub(crate) struct NoMemory;

impl From<NoMemory> for Errno {
    fn from(_: NoMemory) -> Self {
        Self::ENOMEM
    }
}
