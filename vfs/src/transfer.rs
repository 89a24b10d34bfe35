//! Reading and writing open files.
use crate::file::{OpenFile, Seekable, Server};
use crate::inode::Inode;
use abi::Errno;
use abi::file::{AllocateFlags, FileType, MountFlags, OpenFlags, mode};
use abi::time::Timespec;
use cache::PageCache;
use memory::{Reader, Writer};

/// Linux moves at most this many bytes in one call (`read(2)`, `write(2)`: notes).
pub const MAX_TRANSFER: usize = 0x7fff_f000;

/// Access times older than this are renewed even if `relatime` would not (`mount(8)`).
const DAY: i64 = 24 * 60 * 60;

impl OpenFile {
    /// `read(2)`, `readv(2)`: at the file's position.
    pub fn read(&self, into: &mut Writer<'_>) -> Result<usize, Errno> {
        self.check_readable()?;
        into.limit(MAX_TRANSFER);
        match self.served_by() {
            Server::Cache(cache) => {
                let mut position = self.lock_position();
                let count = cache.read(*position, into)?;
                *position += count as u64;
                drop(position);
                self.accessed();
                Ok(count)
            }
            Server::Operations(operations) if operations.seekable() == Seekable::Yes => {
                operations.read(self, &mut self.lock_position(), into)
            }
            Server::Operations(operations) => operations.read(self, &mut 0, into),
            Server::Directory => Err(Errno::EISDIR),
            Server::Nobody => Err(Errno::EBADF),
        }
    }

    /// `pread(2)`, `preadv(2)`. ESPIPE.
    pub fn read_at(&self, position: u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        self.check_readable()?;
        into.limit(MAX_TRANSFER);
        match self.served_by() {
            Server::Cache(cache) => {
                let count = cache.read(position, into)?;
                self.accessed();
                Ok(count)
            }
            Server::Operations(operations) if operations.seekable() != Seekable::No => {
                operations.read(self, &mut { position }, into)
            }
            Server::Operations(_) => Err(Errno::ESPIPE),
            Server::Directory => Err(Errno::EISDIR),
            Server::Nobody => Err(Errno::EBADF),
        }
    }

    /// `write(2)`, `writev(2)`: at the file's position, or at the end under O_APPEND. `limit` is RLIMIT_FSIZE. EFBIG, for which
    /// the caller sends SIGXFSZ.
    pub fn write(&self, from: &mut Reader<'_>, limit: u64) -> Result<usize, Errno> {
        self.check_writable()?;
        from.limit(MAX_TRANSFER);
        match self.served_by() {
            Server::Cache(cache) => {
                let mut position = self.lock_position();
                let (count, end) = self.write_cached(cache, *position, from, limit, false)?;
                *position = end;
                Ok(count)
            }
            Server::Operations(operations) if operations.seekable() == Seekable::Yes => {
                operations.write(self, &mut self.lock_position(), from)
            }
            Server::Operations(operations) => operations.write(self, &mut 0, from),
            Server::Directory | Server::Nobody => Err(Errno::EBADF),
        }
    }

    /// `pwrite(2)`, `pwritev(2)`. Under O_APPEND the position does not matter (`pwrite(2)`: bugs). ESPIPE.
    pub fn write_at(&self, position: u64, from: &mut Reader<'_>, limit: u64) -> Result<usize, Errno> {
        self.check_writable()?;
        from.limit(MAX_TRANSFER);
        match self.served_by() {
            Server::Cache(cache) => Ok(self.write_cached(cache, position, from, limit, false)?.0),
            Server::Operations(operations) if operations.seekable() != Seekable::No => {
                operations.write(self, &mut { position }, from)
            }
            Server::Operations(_) => Err(Errno::ESPIPE),
            Server::Directory | Server::Nobody => Err(Errno::EBADF),
        }
    }

    /// `pwritev2(2)` with RWF_APPEND: at the end; the file's position stays if `keep`.
    pub fn append(&self, from: &mut Reader<'_>, keep: bool, limit: u64) -> Result<usize, Errno> {
        let Server::Cache(cache) = self.served_by() else { return self.write(from, limit) };
        self.check_writable()?;
        from.limit(MAX_TRANSFER);
        let mut position = (!keep).then(|| self.lock_position());
        let (count, end) = self.write_cached(cache, 0, from, limit, true)?;
        if let Some(position) = &mut position {
            **position = end;
        }
        Ok(count)
    }

    /// Writes through the page cache; answers the number of bytes and the position behind them.
    fn write_cached(
        &self,
        cache: &PageCache,
        position: u64,
        from: &mut Reader<'_>,
        limit: u64,
        append: bool,
    ) -> Result<(usize, u64), Errno> {
        if from.is_empty() {
            return Ok((0, position));
        }
        let inode = self.inode();
        let _writing = inode.lock.write();
        let append = append || self.flags().contains(OpenFlags::APPEND);
        let position = if append { cache.size() } else { position };
        let room = limit.min(inode.superblock().properties().max_size).saturating_sub(position);
        if room == 0 {
            return Err(Errno::EFBIG);
        }
        let room = inode.sealed_write(cache, position, room.min(from.remaining() as u64))?;
        from.limit(usize::try_from(room).unwrap_or(usize::MAX));
        let count = cache.write(position, from)?;
        self.drop_set_id(inode);
        inode.touch_modified();
        if self.flags().intersects(OpenFlags::DATA_SYNC | OpenFlags::SYNC) {
            cache.write_back()?;
        }
        Ok((count, position + count as u64))
    }

    /// Writing takes set-user-ID and set-group-ID off, unless the writer could put them back.
    fn drop_set_id(&self, inode: &Inode) {
        let permissions = inode.permissions();
        if permissions & (mode::SET_USER | mode::SET_GROUP) != 0 {
            drop_set_id(inode, permissions, self.credentials());
        }
    }

    /// Renews the access time, as the mount's options say.
    #[inline]
    fn accessed(&self) {
        let mount = &self.path().mount;
        let flags = mount.flags() | mount.superblock().flags();
        if flags.intersects(MountFlags::NO_ACCESS_TIME | MountFlags::READ_ONLY)
            || self.flags().contains(OpenFlags::NO_ACCESS_TIME)
        {
            return;
        }
        let inode = self.inode();
        if inode.is_directory() && flags.contains(MountFlags::NO_DIRECTORY_ACCESS_TIME) {
            return;
        }
        touch_accessed(inode, flags.contains(MountFlags::RELATIVE_ACCESS_TIME));
    }

    /// After reading a folder.
    pub(crate) fn directory_read(&self) {
        self.accessed();
    }

    /// `ftruncate(2)`. EINVAL unless it is a regular file open for writing; EFBIG.
    pub fn truncate(&self, size: u64, limit: u64) -> Result<(), Errno> {
        if self.check_writable().is_err() || self.inode().kind() != FileType::Regular {
            return Err(if self.is_path_only() { Errno::EBADF } else { Errno::EINVAL });
        }
        truncate(self.inode(), size, limit)?;
        self.drop_set_id(self.inode());
        Ok(())
    }

    /// `fallocate(2)`: pages for all of the range, or a hole. What reaches beyond the end under KEEP_SIZE is not set aside. EBADF;
    /// EFBIG; ENODEV; ESPIPE; EPERM (seals); ENOSPC; EOPNOTSUPP for what tmpfs cannot on Linux either.
    pub fn allocate(&self, flags: AllocateFlags, offset: u64, length: u64, limit: u64) -> Result<(), Errno> {
        self.check_writable()?;
        let inode = self.inode();
        match inode.kind() {
            FileType::Fifo => return Err(Errno::ESPIPE),
            FileType::Directory => return Err(Errno::EISDIR),
            FileType::Regular => {}
            _ => return Err(Errno::ENODEV),
        }
        let end = offset.checked_add(length).filter(|&end| end <= inode.superblock().properties().max_size);
        let end = end.ok_or(Errno::EFBIG)?;
        let Server::Cache(cache) = self.served_by() else { return Err(Errno::EOPNOTSUPP) };
        let hole = AllocateFlags::PUNCH_HOLE;
        if !(flags - hole - AllocateFlags::KEEP_SIZE).is_empty() {
            return Err(Errno::EOPNOTSUPP);
        }
        let _writing = inode.lock.write();
        if flags.contains(hole) {
            inode.check_hole()?;
            cache.punch(offset..end)?;
        } else {
            let old = cache.size();
            inode.check_new_size(old, old.max(end))?;
            let grows = !flags.contains(AllocateFlags::KEEP_SIZE) && end > old;
            if grows && end > limit {
                return Err(Errno::EFBIG);
            }
            cache.allocate(offset..if grows { end } else { end.min(old) })?;
            if grows {
                cache.truncate(end);
            }
        }
        inode.touch_modified();
        Ok(())
    }
}

/// Takes set-ID bits off a file that was written or given away.
pub(crate) fn drop_set_id(inode: &Inode, permissions: u32, credentials: &crate::Credentials) {
    if inode.is_directory() || credentials.has(crate::Capabilities::FSETID) {
        return;
    }
    // Set-group-ID without group execution means mandatory locking of old, and stays.
    let group = if permissions & mode::GROUP_EXECUTE != 0 { mode::SET_GROUP } else { 0 };
    inode.set_permissions(permissions & !(mode::SET_USER | group));
}

/// Renews the access time: always, or if `relative` only where it would become later than the others, or a day old.
fn touch_accessed(inode: &Inode, relative: bool) {
    let now: Timespec = inode.superblock().now();
    inode.change_times(|times| {
        let stale = times.accessed <= times.modified
            || times.accessed <= times.changed
            || now.seconds - times.accessed.seconds >= DAY;
        if !relative || stale {
            times.accessed = now;
        }
    });
}

/// Sets the size of a regular file. EISDIR; EINVAL; EFBIG. Rights are checked. May sleep.
pub(crate) fn truncate(inode: &Inode, size: u64, limit: u64) -> Result<(), Errno> {
    let cache = match inode.kind() {
        FileType::Directory => return Err(Errno::EISDIR),
        FileType::Regular => inode.cache().ok_or(Errno::EINVAL)?,
        _ => return Err(Errno::EINVAL),
    };
    if size > inode.superblock().properties().max_size || (size > limit && size > cache.size()) {
        return Err(Errno::EFBIG);
    }
    let _writing = inode.lock.write();
    inode.check_new_size(cache.size(), size)?;
    cache.truncate(size);
    inode.touch_modified();
    Ok(())
}
