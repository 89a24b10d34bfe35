//! Why unpacking ended, for programs and for people.
use crate::unpack::Summary;
use abi::Errno;
use core::fmt;

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
    /// A compressed archive looks back so many bytes, more than it is granted.
    Window(u64),
    /// No memory for as much as a compressed archive looks back.
    Memory,
    /// The file system took no more.
    Full(Errno),
}

impl fmt::Display for Reason {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => to.write_str("the archive ends too early"),
            // As Linux says it (init/initramfs.c).
            Self::BadMagic => to.write_str("invalid magic at start of compressed archive"),
            Self::Compression(method) => write!(to, "compression method {method} not configured"),
            Self::OldFormat => to.write_str("incorrect cpio method used: use -H newc option"),
            Self::BadHeader => to.write_str("a member's header is damaged"),
            Self::BadCompression => to.write_str("compressed data is damaged"),
            Self::Window(bytes) => write!(to, "a window of {} KiB is too large", bytes.div_ceil(1 << 10)),
            Self::Memory => to.write_str("no memory for the window of a compressed archive"),
            Self::Full(errno) => write!(to, "the root takes no more ({errno:?})"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}, at byte {}", self.reason, self.position)
    }
}
