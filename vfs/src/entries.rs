//! Reading folders: `getdents64(2)`, `getdents(2)`.
use crate::directory::Entry;
use crate::file::{OpenFile, Server};
use abi::Errno;
use abi::file::{FileType, dirent64};
use alloc::vec::Vec;
use memory::Writer;

/// What is handed over at a time; longer than the longest record.
const BUFFER: usize = 2048;

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

/// Fills records into a buffer of the kernel's, and that into the program's.
struct Records<'a, 'b> {
    format: EntryFormat,
    into: &'a mut Writer<'b>,
    /// Records that the program does not have yet.
    buffer: Vec<u8>,
    written: usize,
    failed: Option<Errno>,
    /// Where the file stands behind the last record that the program has, and behind the last in the buffer.
    written_to: Option<u64>,
    buffered_to: u64,
}

impl Records<'_, '_> {
    /// Adds a record; false where there is no room, or it could not be written.
    fn add(&mut self, entry: &Entry<'_>) -> bool {
        let length = self.format.length(entry.name.len());
        if self.buffer.len() + length > BUFFER && !self.flush() {
            return false;
        }
        if self.buffer.len() + length > self.into.remaining() || entry.name.len() > abi::NAME_MAX {
            // EINVAL: the buffer is too small for even one (getdents(2)).
            self.failed = Some(Errno::EINVAL);
            return false;
        }
        let (end, kind) = (self.buffer.len() + length, entry.kind.directory_entry());
        self.buffer.extend_from_slice(&entry.inode.to_le_bytes());
        self.buffer.extend_from_slice(&entry.next.to_le_bytes());
        self.buffer.extend_from_slice(&(length as u16).to_le_bytes());
        if self.format == EntryFormat::New {
            self.buffer.push(kind);
        }
        self.buffer.extend_from_slice(entry.name);
        self.buffer.resize(end, 0);
        if self.format == EntryFormat::Old {
            self.buffer[end - 1] = kind;
        }
        self.buffered_to = entry.next;
        true
    }

    /// Hands the buffer over; false where the program's memory is not there.
    fn flush(&mut self) -> bool {
        match self.into.write(&self.buffer) {
            Ok(count) if count == self.buffer.len() => {
                self.written += count;
                self.written_to = Some(self.buffered_to);
                self.buffer.clear();
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
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(BUFFER).map_err(|_| Errno::ENOMEM)?;
        let (written, failed) = (0, None);
        let mut records = Records { format, into, buffer, written, failed, written_to: None, buffered_to: 0 };
        let start = *self.lock_position();
        self.for_each_entry(&mut |entry| records.add(&entry))?;
        if !records.buffer.is_empty() && !records.flush() {
            // What the program did not get is read again.
            *self.lock_position() = records.written_to.unwrap_or(start);
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
