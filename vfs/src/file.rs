//! Open files (Linux's `struct file`, POSIX's open file descriptions).
use crate::credentials::Credentials;
use crate::inode::{Content, Inode};
use crate::path::Path;
use crate::watchers::Watchers;
use abi::Errno;
use abi::file::{FileType, OpenFlags, PollEvents, Whence};
use alloc::sync::Arc;
use cache::PageCache;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use memory::counters::{Counter, count};
use memory::{PhysicalAddress, Reader, Writer};
use sync::{Mutex, MutexGuard, Rank, Registrations};

/// What `mmap(2)` is to map.
#[derive(Clone)]
pub enum Mapping {
    /// Pages of a file.
    Cache(Arc<PageCache>),
    /// Memory of a device, from this address on.
    Device { address: PhysicalAddress, length: u64, cached: bool },
    /// Fresh zeros, as if anonymous (`/dev/zero`).
    Zeros,
}

/// How a file answers to positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seekable {
    /// `lseek` and `pread` are ESPIPE: pipes, sockets, terminals.
    No,
    /// Any position will do and none is kept: `lseek` answers 0, `pread` is `read` (`/dev/null`).
    AlwaysZero,
    /// Between 0 and the size.
    Yes,
}

/// What an opened file does. All may sleep, but `poll` with no registrations. `file` is the opening; for its flags
/// (O_NONBLOCK may change at any time) and its inode.
pub trait FileOperations: Send + Sync {
    /// Reads at `*position`, and moves it. 0 at the end.
    fn read(&self, file: &OpenFile, position: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        let _ = (file, position, into);
        Err(Errno::EINVAL)
    }

    /// Writes at `*position`, and moves it.
    fn write(&self, file: &OpenFile, position: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        let _ = (file, position, from);
        Err(Errno::EINVAL)
    }

    /// What it is ready for; joins the queues that tell of changes where `registrations` is given.
    fn poll(&self, file: &OpenFile, registrations: Option<&mut Registrations>) -> PollEvents {
        let _ = (file, registrations);
        PollEvents::IN | PollEvents::OUT | PollEvents::READ_NORMAL | PollEvents::WRITE_NORMAL
    }

    /// Whether its readiness ever changes, so that epoll may wait for it.
    fn can_poll(&self) -> bool {
        true
    }

    /// A device's own command. ENOTTY where it is none of its.
    fn ioctl(&self, file: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
        let _ = (file, command, argument);
        Err(Errno::ENOTTY)
    }

    /// What to map. ENODEV.
    fn mapping(&self, file: &OpenFile) -> Result<Mapping, Errno> {
        let _ = file;
        Err(Errno::ENODEV)
    }

    fn seekable(&self) -> Seekable {
        Seekable::No
    }

    /// The size that `SEEK_END` counts from.
    fn end(&self, file: &OpenFile) -> u64 {
        file.inode().size()
    }

    /// `fsync(2)`. EINVAL for what cannot.
    fn synchronise(&self, file: &OpenFile) -> Result<(), Errno> {
        let _ = file;
        Err(Errno::EINVAL)
    }

    /// The last descriptor is closed.
    fn release(&self, file: &OpenFile) {
        let _ = file;
    }

    /// For those that need to get their own type back (epoll, pidfd, sockets passed to socket calls).
    fn as_any(&self) -> Option<&dyn core::any::Any> {
        None
    }
}

/// Who serves an opening.
#[derive(Clone)]
pub(crate) enum Server {
    /// The page cache.
    Cache(Arc<PageCache>),
    /// The folder of the inode.
    Directory,
    /// `O_PATH`: nobody.
    Nobody,
    Operations(Arc<dyn FileOperations>),
}

const READS: u32 = 1;
const WRITES: u32 = 2;
/// Counted among the inode's writers, so that it cannot be executed meanwhile.
const COUNTED: u32 = 4;

fn rights(flags: OpenFlags) -> u32 {
    (if flags.reads() { READS } else { 0 }) | if flags.writes() { WRITES } else { 0 }
}

/// An open file, shared by the descriptors that refer to it.
pub struct OpenFile {
    path: Path,
    server: Server,
    rights: u32,
    flags: AtomicU32,
    position: Mutex<u64>,
    /// What the position was last, for those who must not wait for it.
    last_position: AtomicU64,
    credentials: Arc<Credentials>,
    pub(crate) watchers: Watchers,
}

impl OpenFile {
    /// Opens `path` without asking for permission: whoever calls has checked. ETXTBSY; and what opening a device says.
    pub fn open(path: Path, flags: OpenFlags, credentials: &Arc<Credentials>) -> Result<Arc<Self>, Errno> {
        let inode = path.inode()?;
        if flags.contains(OpenFlags::PATH) {
            return Ok(Self::assemble(path, Server::Nobody, 0, flags, credentials));
        }
        let counted = flags.writes() && inode.kind() == FileType::Regular;
        if counted {
            inode.begin_writing()?;
        }
        let rights = rights(flags) | if counted { COUNTED } else { 0 };
        match Self::server_for(inode, flags) {
            Ok(server) => Ok(Self::assemble(path, server, rights, flags, credentials)),
            Err(error) => {
                if counted {
                    inode.end_writing();
                }
                Err(error)
            }
        }
    }

    /// Opens a file that has no name for others to find (`memfd_create(2)`): it may be executed while it is open.
    pub fn open_nameless(path: Path, flags: OpenFlags, credentials: &Arc<Credentials>) -> Result<Arc<Self>, Errno> {
        let server = Self::server_for(path.inode()?, flags)?;
        Ok(Self::assemble(path, server, rights(flags), flags, credentials))
    }

    /// An open file served by `operations`, such as one end of a pipe.
    pub(crate) fn with_operations(
        path: Path,
        operations: Arc<dyn FileOperations>,
        flags: OpenFlags,
        credentials: &Arc<Credentials>,
    ) -> Arc<Self> {
        Self::assemble(path, Server::Operations(operations), rights(flags), flags, credentials)
    }

    fn assemble(
        path: Path,
        server: Server,
        rights: u32,
        flags: OpenFlags,
        credentials: &Arc<Credentials>,
    ) -> Arc<Self> {
        let once = OpenFlags::CREATE
            | OpenFlags::EXCLUSIVE
            | OpenFlags::NO_CONTROLLING_TERMINAL
            | OpenFlags::TRUNCATE
            | OpenFlags::CLOSE_ON_EXEC;
        count(Counter::OpenFiles, 1);
        Arc::new(Self {
            path,
            server,
            rights,
            flags: AtomicU32::new((flags - once).bits()),
            position: Mutex::new(Rank::FilePosition, 0),
            last_position: AtomicU64::new(0),
            credentials: credentials.clone(),
            watchers: Watchers::new(),
        })
    }

    fn server_for(inode: &Arc<Inode>, flags: OpenFlags) -> Result<Server, Errno> {
        Ok(match inode.content() {
            Content::Directory(_) => Server::Directory,
            Content::Cached(_) => Server::Cache(inode.cache().ok_or(Errno::EIO)?.clone()),
            Content::Source(source) => Server::Operations(source.open(inode, flags)?),
            // Only O_PATH opens a symlink itself (open(2), O_NOFOLLOW).
            Content::Symlink(_) | Content::Magic(_) => return Err(Errno::ELOOP),
            Content::Special(_) => Server::Operations(crate::device::open_special(inode, flags)?),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is open.
    #[inline(always)]
    pub fn inode(&self) -> &Arc<Inode> {
        // INVARIANT: `open` and the anonymous files take only dentries that have an inode, and it never changes.
        match self.path.dentry.inode() {
            Some(inode) => inode,
            None => unreachable!("an open file has an inode"),
        }
    }

    pub(crate) fn served_by(&self) -> &Server {
        &self.server
    }

    /// Whoever serves it, if that is neither the page cache nor a folder.
    pub fn operations(&self) -> Option<&Arc<dyn FileOperations>> {
        match &self.server {
            Server::Operations(operations) => Some(operations),
            _ => None,
        }
    }

    /// The credentials with which it was opened.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// As `fcntl(F_GETFL)` shows them.
    #[inline(always)]
    pub fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    /// `fcntl(F_SETFL)`: changes those of [`OpenFlags::SETTABLE`], and ignores the others.
    pub fn set_flags(&self, flags: OpenFlags) {
        let kept = self.flags() - OpenFlags::SETTABLE;
        self.flags.store((kept | flags & OpenFlags::SETTABLE).bits(), Ordering::Relaxed);
    }

    /// Whether it was opened by `O_PATH`, and is good for its place only.
    pub fn is_path_only(&self) -> bool {
        matches!(self.server, Server::Nobody)
    }

    /// EBADF unless it was opened for reading.
    #[inline(always)]
    pub fn check_readable(&self) -> Result<(), Errno> {
        if self.rights & READS != 0 { Ok(()) } else { Err(Errno::EBADF) }
    }

    /// EBADF unless it was opened for writing.
    #[inline(always)]
    pub fn check_writable(&self) -> Result<(), Errno> {
        if self.rights & WRITES != 0 { Ok(()) } else { Err(Errno::EBADF) }
    }

    pub(crate) fn lock_position(&self) -> PositionGuard<'_> {
        PositionGuard { position: self.position.lock(), last: &self.last_position }
    }

    /// The position, when no transfer is under way.
    pub fn position(&self) -> u64 {
        *self.position.lock()
    }

    /// The position as of the last transfer that ended: `/proc/PID/fdinfo`, which waits for none.
    pub fn last_position(&self) -> u64 {
        self.last_position.load(Ordering::Relaxed)
    }

    pub fn seekable(&self) -> Seekable {
        match &self.server {
            Server::Cache(_) | Server::Directory => Seekable::Yes,
            Server::Nobody => Seekable::No,
            Server::Operations(operations) => operations.seekable(),
        }
    }

    /// What it is ready for. Regular files always are (`poll(2)`).
    pub fn poll(&self, registrations: Option<&mut Registrations>) -> PollEvents {
        match &self.server {
            Server::Operations(operations) => operations.poll(self, registrations),
            Server::Nobody => PollEvents::INVALID,
            _ => PollEvents::IN | PollEvents::OUT | PollEvents::READ_NORMAL | PollEvents::WRITE_NORMAL,
        }
    }

    /// Whether it can be waited for (`epoll_ctl(2)`, EPERM).
    pub fn can_poll(&self) -> bool {
        matches!(&self.server, Server::Operations(operations) if operations.can_poll())
    }

    /// A device's command. EBADF for `O_PATH`; ENOTTY. The commands that all files know are the caller's.
    pub fn ioctl(&self, command: u32, argument: usize) -> Result<usize, Errno> {
        match &self.server {
            Server::Operations(operations) => operations.ioctl(self, command, argument),
            Server::Nobody => Err(Errno::EBADF),
            _ => Err(Errno::ENOTTY),
        }
    }

    /// What to map. ENODEV. Rights are the caller's to check.
    pub fn mapping(&self) -> Result<Mapping, Errno> {
        match &self.server {
            Server::Cache(cache) => Ok(Mapping::Cache(cache.clone())),
            Server::Operations(operations) => operations.mapping(self),
            Server::Directory => Err(Errno::ENODEV),
            Server::Nobody => Err(Errno::EBADF),
        }
    }

    /// `fsync(2)`, `fdatasync(2)`. EIO; EINVAL for what cannot be stored.
    pub fn synchronise(&self) -> Result<(), Errno> {
        match &self.server {
            Server::Cache(cache) => cache.write_back(),
            Server::Directory => self.inode().superblock().operations().synchronise(),
            Server::Operations(operations) => operations.synchronise(self),
            Server::Nobody => Err(Errno::EBADF),
        }
    }

    /// `lseek(2)`. ESPIPE; EINVAL; ENXIO for `SEEK_DATA` and `SEEK_HOLE` beyond the end.
    pub fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let seekable = self.seekable();
        if self.is_path_only() {
            return Err(Errno::EBADF);
        }
        if seekable == Seekable::No {
            return Err(Errno::ESPIPE);
        }
        if seekable == Seekable::AlwaysZero {
            return Ok(0);
        }
        let mut position = self.lock_position();
        let new = match whence {
            Whence::Start => Some(offset),
            Whence::Current => (*position as i64).checked_add(offset),
            Whence::End => (self.end() as i64).checked_add(offset),
            Whence::Data | Whence::Hole => Some(self.seek_data(offset, whence == Whence::Data)? as i64),
        };
        let new = new.ok_or(Errno::EOVERFLOW)?;
        *position = u64::try_from(new).map_err(|_| Errno::EINVAL)?;
        Ok(*position)
    }

    fn end(&self) -> u64 {
        match &self.server {
            Server::Cache(cache) => cache.size(),
            // A folder's positions are cookies; its end is none of them.
            Server::Directory => i64::MAX as u64,
            Server::Operations(operations) => operations.end(self),
            Server::Nobody => 0,
        }
    }

    fn seek_data(&self, offset: i64, data: bool) -> Result<u64, Errno> {
        let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
        match &self.server {
            Server::Cache(cache) => cache.seek(from, data).ok_or(Errno::ENXIO),
            _ if from >= self.end() => Err(Errno::ENXIO),
            _ => Ok(if data { from } else { self.end() }),
        }
    }
}

/// The position, while nobody else can change it.
pub(crate) struct PositionGuard<'a> {
    position: MutexGuard<'a, u64>,
    last: &'a AtomicU64,
}

impl Deref for PositionGuard<'_> {
    type Target = u64;

    #[inline(always)]
    fn deref(&self) -> &u64 {
        &self.position
    }
}

impl DerefMut for PositionGuard<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut u64 {
        &mut self.position
    }
}

impl Drop for PositionGuard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.last.store(*self.position, Ordering::Relaxed);
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        count(Counter::OpenFiles, -1);
        self.watchers.tell();
        if let Server::Operations(operations) = &self.server {
            operations.release(self);
        }
        let inode = self.inode();
        crate::locks::release_flock(inode, core::ptr::from_ref(self) as usize);
        if self.rights & COUNTED != 0 {
            inode.end_writing();
        }
    }
}
