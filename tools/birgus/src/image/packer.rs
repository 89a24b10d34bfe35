//! Debian's own compressors, for archives that the kernel unpacks itself.

use crate::program::Program;
use anyhow::Result;
use std::path::Path;

/// A compressor of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packer {
    Gzip,
    Zstd,
    Xz,
}

impl Packer {
    const ALL: [Self; 3] = [Self::Gzip, Self::Zstd, Self::Xz];

    /// The program's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
        }
    }

    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|packer| packer.name() == word)
    }

    /// Arguments as Debian's initramfs-tools give them (mkinitramfs): Linux knows no other checksum of xz's.
    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Gzip => &["-n"],
            Self::Zstd => &["-q", "-9"],
            Self::Xz => &["--check=crc32"],
        }
    }

    /// Compresses a file; from a stream, so that zstd cannot make do with a window of the file's size.
    pub fn pack(self, from: &Path, to: &Path) -> Result<()> {
        Program::new(self.name()).args(self.arguments()).arg("-c").filter(from, to)
    }
}
