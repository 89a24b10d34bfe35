//! What a decompressor has made and nobody has read yet.
use crate::reason::Reason;
use alloc::vec::Vec;

/// Bytes that are made at a time.
const LENGTH: usize = 32 * 1024;

pub(crate) struct Output {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Output {
    pub(crate) fn new() -> Result<Self, Reason> {
        Ok(Self { bytes: zeroed(LENGTH)?, start: 0, end: 0 })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// What is there to be read.
    pub(crate) fn shown(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Room for new bytes, in place of the old ones; [`filled`](Self::filled) says how many there are now.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        (self.start, self.end) = (0, 0);
        &mut self.bytes
    }

    pub(crate) fn filled(&mut self, count: usize) {
        self.end = count.min(self.bytes.len());
    }
}

/// Memory of `length` bytes.
///
/// # Errors
/// Memory.
pub(crate) fn zeroed(length: usize) -> Result<Vec<u8>, Reason> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| Reason::Memory)?;
    bytes.resize(length, 0);
    Ok(bytes)
}

/// Makes sure that a decompressor, which does not ask whether there is memory, will find `length` bytes in one piece. Nobody else
/// allocates while archives are unpacked.
///
/// # Errors
/// Memory.
pub(crate) fn check_window(length: usize) -> Result<(), Reason> {
    Vec::<u8>::new().try_reserve_exact(length).map_err(|_| Reason::Memory)
}
