//! Reading folders: `getdents64(2)`, `getdents(2)`.
use crate::directory::Entry;
use crate::file::{OpenFile, Server};
use abi::Errno;
use abi::file::{FileType, dirent64};
use memory::Writer;

/// Room for the longest record: a name of NAME_MAX.
const LONGEST: usize = dirent64::length(abi::NAME_MAX);

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

/// Fills records into a buffer.
struct Records<'a, 'b> {
    format: EntryFormat,
    into: &'a mut Writer<'b>,
    written: usize,
    failed: Option<Errno>,
}

impl Records<'_, '_> {
    /// Adds a record; false where there is no room, or it could not be written.
    fn add(&mut self, entry: &Entry<'_>) -> bool {
        let length = self.format.length(entry.name.len());
        if length > self.into.remaining() || entry.name.len() > abi::NAME_MAX {
            // EINVAL: the buffer is too small for even one (getdents(2)).
            self.failed = Some(Errno::EINVAL);
            return false;
        }
        let mut record = [0; LONGEST];
        record[..8].copy_from_slice(&entry.inode.to_le_bytes());
        record[8..16].copy_from_slice(&entry.next.to_le_bytes());
        record[16..18].copy_from_slice(&(length as u16).to_le_bytes());
        let (kind, name) = match self.format {
            EntryFormat::Old => (length - 1, OLD_NAME_OFFSET),
            EntryFormat::New => (18, dirent64::NAME_OFFSET),
        };
        record[name..][..entry.name.len()].copy_from_slice(entry.name);
        record[kind] = entry.kind.directory_entry();
        match self.into.write(&record[..length]) {
            Ok(count) if count == length => {
                self.written += length;
                true
            }
            _ => {
                self.failed = Some(Errno::EFAULT);
                false
            }
        }
    }
}

impl OpenFile {
    /// `getdents64(2)`, `getdents(2)`: answers the bytes written, 0 at the end. ENOTDIR; EINVAL for a buffer too small; ENOENT where the
    /// folder was removed.
    pub fn read_entries(&self, into: &mut Writer<'_>, format: EntryFormat) -> Result<usize, Errno> {
        self.check_readable()?;
        let mut records = Records { format, into, written: 0, failed: None };
        self.for_each_entry(&mut |entry| records.add(&entry))?;
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
