//! The first files: cpio archives that the boot loader put into memory, unpacked into the root.
//!
//! **Format** (the kernel's "initramfs buffer format"): any number of archives one after another, each either plain `newc` cpio
//! (magic 070701, or 070702 with checksums), or that compressed, with any number of NUL bytes between them. Members begin at
//! multiples of four bytes; `TRAILER!!!` ends an archive and forgets its hard links.
//!
//! **Model.** Everything is a [`Source`] of bytes, read once and front to back: memory that is given back as it is read, or
//! a decompressor over another source. So an archive needs no second copy in memory, and ends as it began: in pages of the
//! page cache alone. A decompressor keeps no more than how far its format looks back, which is 32 KiB for gzip and whatever their
//! headers say for zstd and xz; the allocator serves that before there are programs (`memory`'s heap).
//!
//! **Trust.** None. Lengths are checked before they are believed, a member that cannot be made is skipped with a warning, and
//! what cannot be understood ends the archive with an error that says where. All loops consume input.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod gzip;
mod header;
mod members;
mod output;
mod reason;
mod source;
mod unpack;
mod xz;
mod zstd;

pub use reason::{Failure, Reason};
pub use source::Source;
pub use unpack::{Summary, unpack};
