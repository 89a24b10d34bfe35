//! The kernel's table of its own symbols: written by `birgus build` after linking, read by the kernel's backtraces.
//!
//! The names of functions are known only once the kernel is linked, and a panic must not parse ELF. So the linker script reserves
//! a section (`.ksyms`, in the loaded image, read-only), and the build fills it with this, all numbers little-endian:
//!
//! ```text
//! 0   magic "BIRGSYM1"
//! 8   base address                u64
//! 16  number of entries           u32
//! 20  bytes of names              u32
//! 24  entries, ordered by offset: u32 offset from base, u32 position among the names
//!     names: u8 length, that many bytes of UTF-8
//! ```
//!
//! An entry whose name is empty ends the range before it: an address behind it belongs to nothing. A reader allocates nothing,
//! takes no lock and trusts nothing: a section that was never filled, or is damaged, has no symbols.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod table;

pub use table::{Symbol, write};

/// The first bytes of a filled section.
pub const MAGIC: [u8; 8] = *b"BIRGSYM1";
/// Bytes before the entries.
pub const HEADER: usize = 24;
/// Bytes of an entry.
pub const ENTRY: usize = 8;
/// The longest name; longer ones lose their middle.
pub const LONGEST_NAME: usize = 120;
/// The section's name in the linker script.
pub const SECTION: &str = ".ksyms";

/// The function that holds `address`, and the distance from its start. Callable from any context.
#[must_use]
pub fn lookup(section: &[u8], address: u64) -> Option<(&str, u64)> {
    let table = View::new(section)?;
    let offset = u32::try_from(address.checked_sub(table.base)?).ok()?;
    let (start, name) = table.entry(table.last_at_or_before(offset)?)?;
    if name.is_empty() { None } else { Some((name, u64::from(offset.checked_sub(start)?))) }
}

/// How many entries a section holds; 0 for one that was never filled.
#[must_use]
pub fn count(section: &[u8]) -> usize {
    View::new(section).map_or(0, |table| table.entries.len() / ENTRY)
}

struct View<'a> {
    base: u64,
    entries: &'a [u8],
    names: &'a [u8],
}

impl<'a> View<'a> {
    fn new(section: &'a [u8]) -> Option<Self> {
        let (magic, rest) = section.split_first_chunk::<8>()?;
        let (base, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (names, rest) = rest.split_first_chunk::<4>()?;
        let bytes = usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(ENTRY)?;
        let (entries, rest) = rest.split_at_checked(bytes)?;
        let names = rest.get(..usize::try_from(u32::from_le_bytes(*names)).ok()?)?;
        (*magic == MAGIC).then_some(Self { base: u64::from_le_bytes(*base), entries, names })
    }

    fn offset(&self, index: usize) -> Option<u32> {
        let start = index.checked_mul(ENTRY)?;
        self.entries.get(start..)?.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
    }

    fn entry(&self, index: usize) -> Option<(u32, &'a str)> {
        let position = index.checked_mul(ENTRY)?.checked_add(4)?;
        let position = u32::from_le_bytes(*self.entries.get(position..)?.first_chunk::<4>()?);
        let (&length, rest) = self.names.get(usize::try_from(position).ok()?..)?.split_first()?;
        let name = core::str::from_utf8(rest.get(..usize::from(length))?).ok()?;
        Some((self.offset(index)?, name))
    }

    fn last_at_or_before(&self, offset: u32) -> Option<usize> {
        let (mut low, mut high) = (0, self.entries.len() / ENTRY);
        while low < high {
            let middle = low.midpoint(high);
            if self.offset(middle)? <= offset {
                low = middle.checked_add(1)?;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1)
    }
}

#[cfg(test)]
mod tests;
