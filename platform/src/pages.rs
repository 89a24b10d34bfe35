//! The machine's page tables as address spaces use them.
use alloc::sync::Arc;
use core::ops::Range;
use memory::page_table::{Copied, Counts, Found, Mapping, OutOfMemory, Page, Rights};
use memory::{Frame, PageTable};

/// Page tables of one address space, shared with the threads that a CPU switches to: their reference keeps the tables alive
/// until the last CPU has left them.
pub struct Tables(Arc<PageTable>);

impl Tables {
    /// The tables themselves: `sync::Thread` is given these as its `Space`.
    pub fn table(&self) -> &Arc<PageTable> {
        &self.0
    }
}

impl mm::Pages for Tables {
    fn new() -> Option<Self> {
        PageTable::new().map(|table| Self(Arc::new(table)))
    }

    #[inline]
    fn resolve(&self, address: usize, write: bool) -> Found {
        self.0.resolve(address, write)
    }

    #[inline]
    fn map(&self, address: usize, frames: &mut [Option<Frame>], mapping: Mapping) -> Result<usize, OutOfMemory> {
        self.0.map(address, frames, mapping)
    }

    #[inline]
    fn replace(&self, address: usize, old: &Frame, new: Frame, mapping: Mapping) -> bool {
        self.0.replace(address, old, new, mapping)
    }

    fn protect(&self, range: Range<usize>, rights: Rights) {
        self.0.protect(range, rights);
    }

    fn unmap(&self, range: Range<usize>) -> Counts {
        self.0.unmap(range)
    }

    fn copy(&self, child: &Self, range: Range<usize>, files: bool) -> Result<Copied, OutOfMemory> {
        self.0.copy(&child.0, range, files)
    }

    fn relocate(&self, range: Range<usize>, to: usize) -> Result<(), OutOfMemory> {
        self.0.relocate(range, to)
    }

    fn flush(&self, range: Range<usize>) {
        self.0.flush(range);
    }

    fn scan(&self, range: Range<usize>, visit: &mut dyn FnMut(usize, Page)) {
        self.0.scan(range, visit);
    }
}
