//! Reading folders: `getdents64(2)`, `getdents(2)`.
use crate::directory::Entry;
use crate::file::{OpenFile, Server};
use abi::Errno;
use abi::file::{FileType, dirent64};
use memory::Writer;

/// Which of the two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryFormat {
    /// `getdents(2)`: the type is the record's last byte.
    Old,
    /// `getdents64(2)`: the type stands before the name.
    New,
}

impl EntryFormat {
    fn length(self, name: usize) -> usize {
        match self {
            // Inode, offset, length; name, NUL, type.
            Self::Old => (OLD_NAME_OFFSET + name + 2).next_multiple_of(8),
            Self::New => dirent64::length(name),
        }
    }
}

impl EntryFormat {
    /// Fills a record as long as [`EntryFormat::length`] says.
    #[inline]
    fn put(self, record: &mut [u8], entry: &Entry<'_>) {
        // The padding, and what else the last word holds; the head may be that word.
        if let Some(end) = record.last_chunk_mut::<8>() {
            *end = [0; 8];
        }
        let kind = entry.kind.directory_entry();
        let (length, name_offset) = (record.len() as u64, self.name_offset());
        let head = match self {
            Self::Old => length,
            Self::New => length | u64::from(kind) << 16,
        };
        if let Some(start) = record.first_chunk_mut::<SHORTEST>() {
            start[..8].copy_from_slice(&entry.inode.to_le_bytes());
            start[8..16].copy_from_slice(&entry.next.to_le_bytes());
            start[16..].copy_from_slice(&head.to_le_bytes());
        }
        if let Some(name) = record.get_mut(name_offset..name_offset + entry.name.len()) {
            name.copy_from_slice(entry.name);
        }
        if self == Self::Old
            && let Some(last) = record.last_mut()
        {
            *last = kind;
        }
    }

    fn name_offset(self) -> usize {
        match self {
            Self::Old => OLD_NAME_OFFSET,
            Self::New => dirent64::NAME_OFFSET,
        }
    }
}

const OLD_NAME_OFFSET: usize = 18;

/// Records are gathered in up to so many bytes, on the stack, before they go to the program.
const GATHERED: usize = 1024;
/// Every record has this many bytes: what stands before the name, and a name and its end.
const SHORTEST: usize = 24;

/// Fills records into a buffer.
struct Records<'a, 'b> {
    format: EntryFormat,
    into: &'a mut Writer<'b>,
    gathered: [u8; GATHERED],
    filled: usize,
    /// What the program's buffer still takes, less what is gathered.
    room: usize,
    /// Where to go on behind what is gathered, and behind what the program has.
    next: u64,
    next_written: u64,
    written: usize,
    failed: Option<Errno>,
}

impl Records<'_, '_> {
    /// Adds a record; false where there is no room, or it could not be written.
    fn add(&mut self, entry: &Entry<'_>) -> bool {
        let length = self.format.length(entry.name.len());
        if length > self.room || entry.name.len() > abi::NAME_MAX {
            // EINVAL: the buffer is too small for even one (getdents(2)).
            self.failed = Some(Errno::EINVAL);
            return false;
        }
        if self.filled + length > GATHERED && !self.flush() {
            return false;
        }
        let Some(record) = self.gathered.get_mut(self.filled..self.filled + length) else { return false };
        self.format.put(record, entry);
        self.filled += length;
        self.room -= length;
        self.next = entry.next;
        true
    }

    /// Gives the program what is gathered. False where it could not be written.
    fn flush(&mut self) -> bool {
        let length = self.filled;
        if length > 0 && self.into.write(self.gathered.get(..length).unwrap_or_default()) != Ok(length) {
            self.failed = Some(Errno::EFAULT);
            return false;
        }
        self.written += length;
        self.next_written = self.next;
        self.filled = 0;
        true
    }
}

impl OpenFile {
    /// `getdents64(2)`, `getdents(2)`: answers the bytes written, 0 at the end. ENOTDIR; EINVAL for a buffer too small; ENOENT where the
    /// folder was removed; EFAULT.
    pub fn read_entries(&self, into: &mut Writer<'_>, format: EntryFormat) -> Result<usize, Errno> {
        self.check_readable()?;
        let start = *self.lock_position();
        let mut records = Records {
            format,
            room: into.remaining(),
            into,
            gathered: [0; GATHERED],
            filled: 0,
            next: start,
            next_written: start,
            written: 0,
            failed: None,
        };
        self.for_each_entry(&mut |entry| records.add(&entry))?;
        if records.failed == Some(Errno::EFAULT) || !records.flush() {
            // What the program did not get, it will read again.
            *self.lock_position() = records.next_written;
        }
        match records.failed {
            Some(error) if records.written == 0 => Err(error),
            _ => Ok(records.written),
        }
    }

    /// Shows entries from the file's position on, and moves it, until `visit` wants no more.
    pub fn for_each_entry(&self, visit: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), Errno> {
        let Server::Directory = self.served_by() else { return Err(Errno::ENOTDIR) };
        let inode = self.inode();
        let mut position = self.lock_position();
        let _shared = inode.lock.read();
        if self.path().dentry.is_deleted() {
            return Err(Errno::ENOENT);
        }
        let above = self.path().dentry.parent();
        let above = above.as_ref().and_then(|dentry| dentry.inode()).map_or(inode.number(), |inode| inode.number());
        for (at, name, number) in [(0, &b"."[..], inode.number()), (1, b"..", above)] {
            if *position == at {
                let entry = Entry { name, inode: number, kind: FileType::Directory, next: at + 1 };
                if !visit(entry) {
                    return Ok(());
                }
                *position = at + 1;
            }
        }
        *position = inode.directory()?.read(inode, *position, visit)?;
        self.directory_read();
        Ok(())
    }
}
