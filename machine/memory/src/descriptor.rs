//! One descriptor for each page of RAM: 32 bytes, all atomics, so that looking at one needs no lock and no unsafe code.
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};
use sync::Once;

/// "No frame": the end of a list, or unlinked.
pub const NONE: u32 = u32::MAX;

/// What a page is used for: whose it is ([`crate::owners`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Not RAM.
    Hole = 0,
    /// First page of a free block of `order`.
    Free,
    /// Inside a block, free or not; on its own: stocked by a CPU.
    Inner,
    /// The kernel's image.
    Image,
    /// Descriptors such as these.
    Descriptors,
    /// Page tables that boot made for the kernel.
    BootTables,
    /// What the loader left, and what boot set aside.
    Loader,
    /// A slab of the heap.
    Slab,
    /// First page of a block of `order` that the heap handed out whole.
    Heap,
    /// A page table.
    Table,
    /// Counted by [`crate::Frame`], by what for ([`crate::frame::Use`]).
    Program,
    Files,
    Pipes,
    Devices,
    Vmalloc,
    Kernel,
}

/// How many those are.
pub(crate) const KINDS: usize = Kind::Kernel as usize + 1;

/// A page's descriptor.
#[derive(Debug)]
pub struct Descriptor {
    /// References, for what [`crate::Frame`] counts; objects in use, for `Slab`; entries in use, for `Table`.
    pub(crate) count: AtomicU32,
    /// Neighbours in the list that the page is on.
    pub(crate) next: AtomicU32,
    pub(crate) previous: AtomicU32,
    pub(crate) kind: AtomicU8,
    /// Order of the block that starts here, for `Free` and `Heap`.
    pub(crate) order: AtomicU8,
    pub(crate) zone: AtomicU8,
    /// Size class, for `Slab`.
    pub(crate) class: AtomicU8,
    /// First free object, for `Slab`; the owner's word, else.
    pub(crate) private: AtomicU64,
    _reserved: AtomicU64,
}

const _: () = assert!(size_of::<Descriptor>() == 32);

impl Descriptor {
    #[cfg(not(target_os = "none"))]
    pub(crate) const fn new() -> Self {
        Self {
            count: AtomicU32::new(0),
            next: AtomicU32::new(NONE),
            previous: AtomicU32::new(NONE),
            kind: AtomicU8::new(Kind::Hole as u8),
            order: AtomicU8::new(0),
            zone: AtomicU8::new(0),
            class: AtomicU8::new(0),
            private: AtomicU64::new(0),
            _reserved: AtomicU64::new(0),
        }
    }
}

static TABLE: Once<&'static [Descriptor]> = Once::new();

/// Makes the table known. Once.
pub(crate) fn install(table: &'static [Descriptor]) {
    assert!(TABLE.set(table).is_ok(), "descriptors are installed once");
}

/// All descriptors, by frame number.
#[inline(always)]
pub(crate) fn table() -> &'static [Descriptor] {
    TABLE.get().copied().unwrap_or(&[])
}

/// The descriptor of frame `number`.
///
/// # Panics
/// Where there is no such frame: a bug of the kernel.
#[inline(always)]
pub(crate) fn of(number: u32) -> &'static Descriptor {
    &table()[number as usize]
}
