//! Archives one after another.
use crate::gzip::Gzip;
use crate::members::Members;
use crate::source::{Counted, Source};
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

/// Why unpacking ended early. What was unpacked until then stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    pub reason: Reason,
    /// How far the buffer was read, in bytes.
    pub position: u64,
    pub summary: Summary,
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It ends in the middle of something.
    Truncated,
    /// Neither an archive nor something compressed that is known here.
    BadMagic,
    /// Compressed in a way that is known by its first byte, and that this kernel cannot undo.
    Compression(&'static str),
    /// The old cpio format (070707).
    OldFormat,
    /// A number that is none.
    BadHeader,
    /// Compressed data that is damaged.
    BadCompression,
    /// The file system took no more.
    Full(Errno),
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
            0x1f => {
                let mut gzip = Gzip::new(buffer)?;
                compressed(&mut gzip, origin, warn, summary)?;
            }
            other => return Err(compression(other).map_or(Reason::BadMagic, Reason::Compression)),
        }
    }
    Ok(())
}

/// Compressions that Linux knows, by their first byte (lib/decompress.c). gzip is the one that is undone here.
fn compression(first: u8) -> Option<&'static str> {
    let known = [(0x28, "zstd"), (0xfd, "xz"), (0x42, "bzip2"), (0x5d, "lzma"), (0x89, "lzo"), (0x02, "lz4")];
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
