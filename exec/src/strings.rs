//! Strings one after the other, as they will lie in memory, kept in pieces of at most a page.
use abi::Errno;
use alloc::vec::Vec;
use core::ffi::CStr;

/// The first piece, which is all that most lists need.
const FIRST_PIECE: usize = 1024;

/// NUL-terminated strings in a row.
#[derive(Debug, Default)]
pub(crate) struct Rope {
    pieces: Vec<Vec<u8>>,
    length: u64,
    count: u64,
}

impl Rope {
    /// Bytes, every NUL included.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Finished strings.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds to the string that is being written. ENOMEM.
    pub fn append(&mut self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            let piece = self.room()?;
            let (now, later) = bytes.split_at(bytes.len().min(piece.capacity() - piece.len()));
            piece.extend_from_slice(now);
            self.length += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Ends the string with its NUL. ENOMEM.
    pub fn finish(&mut self) -> Result<(), Errno> {
        self.append(&[0])?;
        self.count += 1;
        Ok(())
    }

    /// The last piece, with room for a byte at least.
    fn room(&mut self) -> Result<&mut Vec<u8>, Errno> {
        if self.pieces.last().is_none_or(|piece| piece.len() == piece.capacity()) {
            let mut piece = Vec::new();
            let size = if self.pieces.is_empty() { FIRST_PIECE } else { abi::PAGE_SIZE };
            piece.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
            self.pieces.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.pieces.push(piece);
        }
        self.pieces.last_mut().ok_or(Errno::ENOMEM)
    }

    /// The bytes from `skip` on, in pieces.
    pub fn bytes(&self, skip: usize) -> impl Iterator<Item = &[u8]> {
        let mut skip = skip;
        self.pieces.iter().map(move |piece| {
            let cut = skip.min(piece.len());
            skip -= cut;
            piece.get(cut..).unwrap_or(&[])
        })
    }

    /// Lengths, NUL included, of the strings from byte `skip` on, which is where one starts.
    pub fn lengths(&self, skip: usize) -> impl Iterator<Item = u64> {
        let mut pieces = self.bytes(skip);
        let mut rest: &[u8] = &[];
        core::iter::from_fn(move || {
            let mut length = 0;
            loop {
                if let Ok(string) = CStr::from_bytes_until_nul(rest) {
                    let size = string.count_bytes() + 1;
                    rest = rest.get(size..).unwrap_or(&[]);
                    return Some(length + size as u64);
                }
                length += rest.len() as u64;
                rest = pieces.next()?;
            }
        })
    }
}
