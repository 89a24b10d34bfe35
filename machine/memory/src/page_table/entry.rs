//! One entry, as bits (Intel SDM vol. 3, 4.5).
//!
//! An entry of a leaf table is in one of these states:
//! - **zero**: nothing there;
//! - **held**: it has a frame, either *present* (the hardware may use it) or with [`NO_ACCESS`] (PROT_NONE);
//! - neither zero nor held: kept free for what may stand in place of a frame, such as a place in swap.
use core::fmt;

bitflags::bitflags! {
    /// What may be done with a page of a program's.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Rights: u8 {
        const READ = 1;
        const WRITE = 2;
        const EXECUTE = 4;
    }
}

impl Rights {
    /// What remains while the first write has to be noticed. The hardware knows no page that may be written and not read, so taking the
    /// one away leaves the other.
    pub const fn without_writing(self) -> Self {
        if self.contains(Self::WRITE) { self.difference(Self::WRITE).union(Self::READ) } else { self }
    }
}

/// Whose a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// The process's own, alone or shared copy-on-write. The entry holds a reference.
    Anonymous,
    /// Somebody else's too: a page cache's, the vDSO's. The entry holds a reference.
    File,
    /// The page of zeros. The entry holds no reference: the page lives for ever.
    Zero,
}

/// What an entry is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// WRITE makes the entry writable at once (and dirty); without it, the first write faults.
    pub rights: Rights,
    pub kind: PageKind,
}

pub(crate) const PRESENT: u64 = 1 << 0;
pub(crate) const WRITABLE: u64 = 1 << 1;
pub(crate) const USER: u64 = 1 << 2;
pub(crate) const WRITE_THROUGH: u64 = 1 << 3;
pub(crate) const UNCACHED: u64 = 1 << 4;
pub(crate) const ACCESSED: u64 = 1 << 5;
pub(crate) const DIRTY: u64 = 1 << 6;
/// In a table that is not a leaf: the entry maps a large page itself.
pub(crate) const LARGE: u64 = 1 << 7;
pub(crate) const GLOBAL: u64 = 1 << 8;
/// Ours (bits 9–11 are free for software): [`PageKind::Anonymous`].
pub(crate) const ANONYMOUS: u64 = 1 << 9;
/// Ours: [`PageKind::Zero`].
pub(crate) const UNCOUNTED: u64 = 1 << 10;
/// Ours: holds a frame although not present.
pub(crate) const NO_ACCESS: u64 = 1 << 11;
pub(crate) const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Bits of an entry of a table that is not a leaf: the leaf decides.
pub(crate) const TABLE: u64 = PRESENT | WRITABLE | USER | ACCESSED;
/// The same in the kernel's half.
pub(crate) const KERNEL_TABLE: u64 = PRESENT | WRITABLE | ACCESSED;

const NAMES: [(u64, &str); 13] = [
    (PRESENT, "present"),
    (WRITABLE, "writable"),
    (USER, "user"),
    (WRITE_THROUGH, "write-through"),
    (UNCACHED, "uncached"),
    (ACCESSED, "accessed"),
    (DIRTY, "dirty"),
    (LARGE, "large"),
    (GLOBAL, "global"),
    (ANONYMOUS, "anonymous"),
    (UNCOUNTED, "uncounted"),
    (NO_ACCESS, "no-access"),
    (NO_EXECUTE, "no-execute"),
];

/// An entry's value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry(pub u64);

impl Entry {
    #[inline(always)]
    pub fn new(number: u32, mapping: Mapping) -> Self {
        let kind = match mapping.kind {
            PageKind::Anonymous => ANONYMOUS,
            PageKind::File => 0,
            PageKind::Zero => UNCOUNTED,
        };
        let written = if mapping.rights.contains(Rights::WRITE) { WRITABLE | DIRTY } else { 0 };
        Self(u64::from(number) << 12 | kind | written | ACCESSED | Self::access_bits(mapping.rights))
    }

    /// The bits that follow from reading and executing; writing comes with the first fault.
    #[inline(always)]
    pub fn access_bits(rights: Rights) -> u64 {
        let present = if rights.is_empty() { NO_ACCESS } else { PRESENT | USER };
        let execute = if rights.contains(Rights::EXECUTE) { 0 } else { NO_EXECUTE };
        present | execute
    }

    /// Whether there is a frame.
    #[inline(always)]
    pub fn is_held(self) -> bool {
        self.0 & (PRESENT | NO_ACCESS) != 0
    }

    #[inline(always)]
    pub fn has(self, bits: u64) -> bool {
        self.0 & bits == bits
    }

    #[inline(always)]
    pub fn number(self) -> u32 {
        ((self.0 & ADDRESS) >> 12) as u32
    }

    /// Whether the entry holds a reference to its frame.
    #[inline(always)]
    pub fn is_counted(self) -> bool {
        self.0 & UNCOUNTED == 0
    }

    /// The physical address in it, as a whole.
    pub fn frame_address(self) -> u64 {
        self.0 & ADDRESS
    }

    /// The names of the bits that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, name)| *name)
    }

    pub fn kind(self) -> PageKind {
        if self.has(ANONYMOUS) {
            PageKind::Anonymous
        } else if self.has(UNCOUNTED) {
            PageKind::Zero
        } else {
            PageKind::File
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#018x} frame {:#x}", self.0, self.number())?;
        self.names().try_for_each(|name| write!(formatter, " {name}"))
    }
}
