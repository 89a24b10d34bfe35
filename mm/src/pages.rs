//! What this crate asks of page tables.
use core::ops::Range;
use memory::Frame;
use memory::page_table::{Copied, Counts, Found, Mapping, OutOfMemory, Page, Rights};

/// The page tables of one address space, in batches. Every method may be called by several threads at once; none sleeps, but
/// those that flush wait for other CPUs, so interrupts are on. Semantics are those of [`memory::PageTable`].
pub trait Pages: Sized + Send + Sync {
    /// Empty tables; `None` without memory.
    fn new() -> Option<Self>;

    /// What is at an address; where `write`, a page that is the process's alone becomes writable.
    fn resolve(&self, address: usize, write: bool) -> Found;

    /// Enters frames for consecutive pages, except where there is an entry already; answers how many it entered.
    fn map(&self, address: usize, frames: &mut [Option<Frame>], mapping: Mapping) -> Result<usize, OutOfMemory>;

    /// Puts `new` in the place of `old` where that is still there and read-only; answers whether it was.
    fn replace(&self, address: usize, old: &Frame, new: Frame, mapping: Mapping) -> bool;

    /// Gives pages the rights to read and execute; takes away the right to write where `rights` lacks it.
    fn protect(&self, range: Range<usize>, rights: Rights);

    /// Clears a range, flushes, and gives the frames back, in this order.
    fn unmap(&self, range: Range<usize>) -> Counts;

    /// Enters what is in `range` into `child`; anonymous pages become read-only on both sides.
    fn copy(&self, child: &Self, range: Range<usize>, files: bool) -> Result<Copied, OutOfMemory>;

    /// Moves pages to addresses where there are none.
    fn relocate(&self, range: Range<usize>, to: usize) -> Result<(), OutOfMemory>;

    /// Drops translations that CPUs remember, and waits until they have.
    fn flush(&self, range: Range<usize>);

    /// Shows all pages in a range, in order. `visit` neither sleeps nor takes locks.
    fn scan(&self, range: Range<usize>, visit: &mut dyn FnMut(usize, Page));
}
