//! Little-endian numbers at offsets of a table, where there are any.

/// Bytes of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn slice(self, offset: usize, length: usize) -> Option<&'a [u8]> {
        self.0.get(offset..offset.checked_add(length)?)
    }

    fn array<const N: usize>(self, offset: usize) -> Option<[u8; N]> {
        self.slice(offset, N)?.try_into().ok()
    }

    pub fn u8(self, offset: usize) -> Option<u8> {
        self.0.get(offset).copied()
    }

    pub fn u16(self, offset: usize) -> Option<u16> {
        self.array(offset).map(u16::from_le_bytes)
    }

    pub fn u32(self, offset: usize) -> Option<u32> {
        self.array(offset).map(u32::from_le_bytes)
    }

    pub fn u64(self, offset: usize) -> Option<u64> {
        self.array(offset).map(u64::from_le_bytes)
    }
}

/// Whether the bytes add up to zero, as those of every table do.
pub(crate) fn adds_up(bytes: &[u8]) -> bool {
    bytes.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte)) == 0
}

/// Sub-tables of a list: each begins with its kind and its length, both one byte, at `offset` 0 and 1.
pub(crate) fn entries(mut rest: &[u8]) -> impl Iterator<Item = (u8, Bytes<'_>)> {
    core::iter::from_fn(move || {
        let (kind, length) = (*rest.first()?, usize::from(*rest.get(1)?));
        // A length that cannot be ends the list.
        if length < 2 || length > rest.len() {
            return None;
        }
        let (entry, after) = rest.split_at(length);
        rest = after;
        Some((kind, Bytes(entry)))
    })
}

/// Appends where there is memory for it.
pub(crate) fn push<T>(list: &mut alloc::vec::Vec<T>, value: T) {
    if list.try_reserve(1).is_ok() {
        list.push(value);
    }
}
