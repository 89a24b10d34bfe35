//! The program header table, read where it is.
use abi::Errno;
use abi::elf::{ElfHeader, ProgramHeader};
use zerocopy::{FromZeros, IntoBytes};

/// A file that may be executed.
pub trait Image {
    /// Reads from byte `offset` on. Fewer bytes than asked for only at the end of the file. May sleep.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno>;
}

/// Largest table that Linux reads, in bytes (`load_elf_phdrs`).
const MAX_TABLE: usize = 65536;

/// Headers read at a time.
const BATCH: usize = 8;

/// Fills `buffer` from the file. EIO where the file ends first, EINVAL for a position that no file has.
pub(crate) fn read_exact(image: &dyn Image, head: &[u8], offset: u64, buffer: &mut [u8]) -> Result<(), Errno> {
    let at_hand =
        usize::try_from(offset).ok().and_then(|start| head.get(start..)).and_then(|rest| rest.get(..buffer.len()));
    if let Some(bytes) = at_hand {
        buffer.copy_from_slice(bytes);
        return Ok(());
    }
    let end = offset.checked_add(buffer.len() as u64);
    if end.is_none_or(|end| end > i64::MAX as u64) {
        return Err(Errno::EINVAL);
    }
    let read = image.read_at(offset, buffer)?;
    if read == buffer.len() { Ok(()) } else { Err(Errno::EIO) }
}

/// Calls `visit` with each program header in order. `Err(None)` when the table cannot be had, `Err(Some)` as `visit` says.
pub(crate) fn for_each(
    image: &dyn Image,
    head: &[u8],
    header: &ElfHeader,
    visit: &mut dyn FnMut(&ProgramHeader) -> Result<(), Errno>,
) -> Result<(), Option<Errno>> {
    let count = usize::from(header.program_header_count);
    if usize::from(header.program_header_size) != size_of::<ProgramHeader>()
        || count == 0
        || count * size_of::<ProgramHeader>() > MAX_TABLE
    {
        return Err(None);
    }
    let mut batch = [ProgramHeader::new_zeroed(); BATCH];
    for first in (0..count).step_by(BATCH) {
        let batch = batch.get_mut(..(count - first).min(BATCH)).ok_or(None)?;
        let offset =
            header.program_header_offset.checked_add((first * size_of::<ProgramHeader>()) as u64).ok_or(None)?;
        read_exact(image, head, offset, batch.as_mut_bytes()).map_err(|_| None)?;
        batch.iter().try_for_each(&mut *visit).map_err(Some)?;
    }
    Ok(())
}
