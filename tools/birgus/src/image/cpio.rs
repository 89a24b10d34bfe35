//! The "newc" cpio format, which kernels unpack as their first root.
//!
//! A member is 13 fields of 8 hexadecimal digits behind a magic, a name closed by a NUL, and data, the last two padded to 4
//! bytes (cpio(5), and Linux's Documentation/driver-api/early-userspace/buffer-format). Members with one inode number and a
//! link count above one are links of one file; its data stands with the first.

use std::io::{self, Write};

const MAGIC: &str = "070701";
const TRAILER: &str = "TRAILER!!!";
/// Archives behind one another must start at a multiple of 4; tools like 512.
const BLOCK: u64 = 512;

/// What kind of file, with its type bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    Link,
    CharacterDevice,
    BlockDevice,
    Fifo,
    Socket,
}

impl Kind {
    const fn bits(self) -> u32 {
        match self {
            Self::Fifo => 0o010_000,
            Self::CharacterDevice => 0o020_000,
            Self::Folder => 0o040_000,
            Self::BlockDevice => 0o060_000,
            Self::File => 0o100_000,
            Self::Link => 0o120_000,
            Self::Socket => 0o140_000,
        }
    }
}

/// Everything about a member but its name and data.
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    pub owner: u32,
    pub group: u32,
    /// Seconds since 1970.
    pub time: u64,
    /// Major and minor number of a device.
    pub device: (u32, u32),
}

impl Attributes {
    /// Root's, from the beginning of time.
    pub const fn new(kind: Kind, mode: u32) -> Self {
        Self { kind, mode, owner: 0, group: 0, time: 0, device: (0, 0) }
    }
}

/// A file with several names: the number that they share, and how many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    pub inode: u32,
    pub names: u32,
}

/// Writes an archive.
pub struct Writer<W> {
    to: W,
    written: u64,
    next_inode: u32,
}

impl<W: Write> Writer<W> {
    pub fn new(to: W) -> Self {
        Self { to, written: 0, next_inode: 1 }
    }

    /// A number for a file with several names.
    pub fn new_inode(&mut self) -> u32 {
        let inode = self.next_inode;
        self.next_inode += 1;
        inode
    }

    /// Adds a member with its data (a link's target) in memory.
    pub fn add(&mut self, name: &[u8], attributes: &Attributes, data: &[u8]) -> io::Result<()> {
        self.add_from(name, attributes, None, data.len() as u64, &mut &data[..])
    }

    /// Adds a member whose data comes from a reader of exactly `length` bytes.
    pub fn add_from(
        &mut self,
        name: &[u8],
        attributes: &Attributes,
        shared: Option<Shared>,
        length: u64,
        data: &mut dyn io::Read,
    ) -> io::Result<()> {
        let shared = match shared {
            Some(shared) => shared,
            None => Shared { inode: self.new_inode(), names: 1 },
        };
        self.header(name, attributes, shared, length)?;
        let copied = io::copy(&mut io::Read::take(data, length), &mut self.to)?;
        if copied != length {
            let message = format!("{} shrank while it was read", String::from_utf8_lossy(name));
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        self.written += length;
        self.pad(4)
    }

    fn header(&mut self, name: &[u8], attributes: &Attributes, shared: Shared, length: u64) -> io::Result<()> {
        let time = u32::try_from(attributes.time).unwrap_or(u32::MAX);
        let mode = attributes.kind.bits() | attributes.mode & 0o7777;
        let (owner, group, (major, minor)) = (attributes.owner, attributes.group, attributes.device);
        let fields = [shared.inode, mode, owner, group, shared.names, time, narrow(length)?, 0, 0, major, minor];
        self.fields(fields, name.strip_prefix(b"/").unwrap_or(name))
    }

    /// Eleven fields, then the name's length, an unused checksum, and the name.
    fn fields(&mut self, fields: [u32; 11], name: &[u8]) -> io::Result<()> {
        let mut header = String::from(MAGIC);
        for field in fields.into_iter().chain([narrow(name.len() as u64 + 1)?, 0]) {
            header.push_str(&format!("{field:08X}"));
        }
        self.put(header.as_bytes())?;
        self.put(name)?;
        self.put(&[0])?;
        self.pad(4)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.to.write_all(bytes)
    }

    fn pad(&mut self, to: u64) -> io::Result<()> {
        let missing = self.written.next_multiple_of(to) - self.written;
        self.put(&[0; BLOCK as usize][..missing as usize])
    }

    /// Closes the archive; another may follow it.
    pub fn finish(mut self) -> io::Result<W> {
        self.fields([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], TRAILER.as_bytes())?;
        self.pad(BLOCK)?;
        self.to.flush()?;
        Ok(self.to)
    }
}

fn narrow(length: u64) -> io::Result<u32> {
    let message = "a file of 4 GiB or more does not fit into cpio";
    u32::try_from(length).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, message))
}

#[cfg(test)]
#[path = "cpio_tests.rs"]
mod tests;
