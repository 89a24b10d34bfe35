//! Reading folders: `getdents64(2)`, `getdents(2)`.
use crate::directory::Entry;
use crate::file::{OpenFile, Server};
use abi::Errno;
use abi::file::{FileType, dirent64};
use alloc::vec::Vec;
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

const OLD_NAME_OFFSET: usize = 18;

/// Records are gathered in up to so many bytes before they go to the program.
const GATHERED: usize = 4096;

/// Fills records into a buffer.
struct Records<'a, 'b> {
    format: EntryFormat,
    into: &'a mut Writer<'b>,
    gathered: Vec<u8>,
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
        if self.gathered.len() + length > self.into.remaining() || entry.name.len() > abi::NAME_MAX {
            // EINVAL: the buffer is too small for even one (getdents(2)).
            self.failed = Some(Errno::EINVAL);
            return false;
        }
        if self.gathered.len() + length > self.gathered.capacity() && !self.flush() {
            return false;
        }
        let record = &mut self.gathered;
        let end = record.len() + length;
        record.extend_from_slice(&entry.inode.to_le_bytes());
        record.extend_from_slice(&entry.next.to_le_bytes());
        record.extend_from_slice(&(length as u16).to_le_bytes());
        let kind = entry.kind.directory_entry();
        if self.format == EntryFormat::New {
            record.push(kind);
        }
        record.extend_from_slice(entry.name);
        record.resize(end, 0);
        if self.format == EntryFormat::Old
            && let Some(last) = record.last_mut()
        {
            *last = kind;
        }
        self.next = entry.next;
        true
    }

    /// Gives the program what is gathered. False where it could not be written.
    fn flush(&mut self) -> bool {
        let length = self.gathered.len();
        if length > 0 && self.into.write(&self.gathered) != Ok(length) {
            self.failed = Some(Errno::EFAULT);
            return false;
        }
        self.written += length;
        self.next_written = self.next;
        self.gathered.clear();
        true
    }
}

impl OpenFile {
    /// `getdents64(2)`, `getdents(2)`: answers the bytes written, 0 at the end. ENOTDIR; EINVAL for a buffer too small; ENOENT where the
    /// folder was removed; EFAULT; ENOMEM.
    pub fn read_entries(&self, into: &mut Writer<'_>, format: EntryFormat) -> Result<usize, Errno> {
        self.check_readable()?;
        let mut gathered = Vec::new();
        gathered.try_reserve_exact(GATHERED.min(into.remaining())).map_err(|_| Errno::ENOMEM)?;
        let start = *self.lock_position();
        let mut records =
            Records { format, into, gathered, next: start, next_written: start, written: 0, failed: None };
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
