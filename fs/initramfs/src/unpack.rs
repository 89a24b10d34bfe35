//! Archives one after another.
use crate::gzip::Gzip;
use crate::members::Members;
use crate::reason::{Failure, Reason};
use crate::source::{Counted, Source};
use crate::xz::Xz;
use crate::zstd::Zstandard;
use abi::Errno;
use vfs::Origin;

/// What was unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub archives: u32,
    pub members: u64,
    /// Bytes of contents.
    pub bytes: u64,
    /// Members that could not be made.
    pub skipped: u64,
}

/// Unpacks all archives of `source` below the root of `origin`, with root's rights. `warn` is told the name of each member that
/// could not be made, and why. May sleep.
pub fn unpack(
    source: &mut dyn Source,
    origin: &Origin<'_>,
    warn: &mut dyn FnMut(&[u8], Errno),
) -> Result<Summary, Failure> {
    let mut buffer = Counted::new(source);
    let mut summary = Summary::default();
    let done = all(&mut buffer, origin, warn, &mut summary);
    done.map_err(|reason| Failure { reason, position: buffer.position(), summary })?;
    Ok(summary)
}

fn all(
    buffer: &mut Counted<'_>,
    origin: &Origin<'_>,
    warn: &mut dyn FnMut(&[u8], Errno),
    summary: &mut Summary,
) -> Result<(), Reason> {
    while let Some(byte) = buffer.next_byte()? {
        match byte {
            0 => buffer.consume(1),
            b'0' => one(buffer, origin, warn, summary)?,
            0x1f => compressed(&mut Gzip::new(buffer)?, origin, warn, summary)?,
            0x28 => compressed(&mut Zstandard::new(buffer)?, origin, warn, summary)?,
            0xfd => compressed(&mut Xz::new(buffer)?, origin, warn, summary)?,
            other => return Err(compression(other).map_or(Reason::BadMagic, Reason::Compression)),
        }
    }
    Ok(())
}

/// Compressions that Linux knows and this kernel does not, by their first byte (lib/decompress.c).
fn compression(first: u8) -> Option<&'static str> {
    let known = [(0x42, "bzip2"), (0x5d, "lzma"), (0x89, "lzo"), (0x02, "lz4")];
    known.into_iter().find(|(byte, _)| *byte == first).map(|(_, name)| name)
}

/// What comes out of a decompressor: archives and NUL bytes again, to its end.
fn compressed(
    source: &mut dyn Source,
    origin: &Origin<'_>,
    warn: &mut dyn FnMut(&[u8], Errno),
    summary: &mut Summary,
) -> Result<(), Reason> {
    let mut inner = Counted::new(source);
    while let Some(byte) = inner.next_byte()? {
        match byte {
            0 => inner.consume(1),
            b'0' => one(&mut inner, origin, warn, summary)?,
            _ => return Err(Reason::BadMagic),
        }
    }
    Ok(())
}

/// One plain archive, up to its trailer or the end.
fn one(
    source: &mut Counted<'_>,
    origin: &Origin<'_>,
    warn: &mut dyn FnMut(&[u8], Errno),
    summary: &mut Summary,
) -> Result<(), Reason> {
    summary.archives += 1;
    Members::new(origin, warn, summary).unpack(source)
}
