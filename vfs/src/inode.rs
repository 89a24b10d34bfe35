//! Inodes: what files are, apart from their names.
use crate::directory::Directory;
use crate::extended::Attributes;
use crate::file::{FileOperations, OpenFile};
use crate::locks::FileLocks;
use crate::seals::Seals;
use crate::superblock::SuperBlock;
use abi::Errno;
use abi::file::{DeviceNumber, FileType, OpenFlags, mode};
use abi::time::Timespec;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use cache::{Backing, PageCache};
use core::any::Any;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use sync::{Once, Rank, RwSemaphore, SpinLock};

/// Times of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub accessed: Timespec,
    pub modified: Timespec,
    /// Of the attributes.
    pub changed: Timespec,
    pub created: Timespec,
}

/// A regular file whose contents are in the page cache, made when first needed.
pub struct Cached {
    backing: Arc<dyn Backing>,
    size: u64,
    cache: Once<Arc<PageCache>>,
}

/// A file whose openings the file system makes itself (proc, sysfs).
pub trait FileSource: Send + Sync {
    /// Opens it. May sleep.
    fn open(&self, inode: &Arc<Inode>, flags: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno>;

    /// The size that `stat(2)` shows.
    fn size(&self) -> u64 {
        0
    }
}

/// Where a symlink leads.
pub enum Target {
    /// A path.
    Path(Arc<[u8]>),
    /// An object itself, whatever its name is now (the "magic links" of `proc(5)`).
    Object(crate::Path),
}

/// A symlink that is not plain text.
pub trait MagicLink: Send + Sync {
    /// What following it leads to. EACCES; ENOENT; may sleep.
    fn follow(&self) -> Result<Target, Errno>;
    /// What `readlink(2)` shows.
    fn text(&self) -> Result<Vec<u8>, Errno>;
    /// The size that `stat(2)` shows.
    fn size(&self) -> u64 {
        0
    }
}

/// What an inode is, by type.
pub enum Content {
    Directory(Arc<dyn Directory>),
    Cached(Cached),
    Source(Arc<dyn FileSource>),
    Symlink(Arc<[u8]>),
    Magic(Arc<dyn MagicLink>),
    /// A FIFO, socket or device: whatever its openings share hangs here.
    Special(SpinLock<Option<Arc<dyn Any + Send + Sync>>>),
}

impl Content {
    /// A regular file of `size` bytes whose pages come from `backing`.
    pub fn cached(backing: Arc<dyn Backing>, size: u64) -> Self {
        Self::Cached(Cached { backing, size, cache: Once::new() })
    }

    pub fn special() -> Self {
        Self::Special(SpinLock::new(Rank::Attributes, None))
    }
}

/// An inode. What it is never changes; attributes do, each atomically, together under its lock.
pub struct Inode {
    number: u64,
    kind: FileType,
    device: DeviceNumber,
    superblock: Arc<SuperBlock>,
    /// Permission bits.
    permissions: AtomicU32,
    user: AtomicU32,
    group: AtomicU32,
    links: AtomicU32,
    /// Size of what has no page cache.
    size: AtomicU64,
    times: SpinLock<Times>,
    /// Writers less those who deny writing (an executed file): ETXTBSY.
    writers: AtomicI32,
    /// Not to be kept in the dentry cache.
    fleeting: AtomicBool,
    /// What may never be done to it again (`F_ADD_SEALS`); changes under the lock.
    pub(crate) seals: AtomicU32,
    /// Excludes changes of a folder's entries, of a file's size, and writers among themselves.
    pub lock: RwSemaphore<()>,
    content: Content,
    locks: Once<Box<FileLocks>>,
    /// Extended attributes, where the file system keeps them in memory and there ever were any.
    attributes: Once<Box<Attributes>>,
}

/// A file to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewInode<'a> {
    pub kind: FileType,
    pub permissions: u32,
    pub user: u32,
    pub group: u32,
    /// For devices.
    pub device: DeviceNumber,
    /// For symlinks: what they say.
    pub target: &'a [u8],
}

impl Inode {
    /// A new inode with one link (two for a folder), all times now. `number` is unique in the file system.
    pub fn new(superblock: Arc<SuperBlock>, number: u64, new: &NewInode<'_>, content: Content) -> Arc<Self> {
        let now = superblock.now();
        let directory = new.kind == FileType::Directory;
        let (rank, links) = if directory { (Rank::Directory, 2) } else { (Rank::Inode, 1) };
        superblock.counters.inodes.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            number,
            kind: new.kind,
            device: new.device,
            superblock,
            permissions: AtomicU32::new(new.permissions & mode::PERMISSIONS),
            user: AtomicU32::new(new.user),
            group: AtomicU32::new(new.group),
            links: AtomicU32::new(links),
            size: AtomicU64::new(match &content {
                Content::Symlink(text) => text.len() as u64,
                _ => 0,
            }),
            times: SpinLock::new(Rank::Attributes, Times { accessed: now, modified: now, changed: now, created: now }),
            writers: AtomicI32::new(0),
            fleeting: AtomicBool::new(false),
            seals: AtomicU32::new(Seals::SEAL.bits()),
            lock: RwSemaphore::new(rank, ()),
            content,
            locks: Once::new(),
            attributes: Once::new(),
        })
    }

    #[inline(always)]
    pub fn number(&self) -> u64 {
        self.number
    }

    #[inline(always)]
    pub fn kind(&self) -> FileType {
        self.kind
    }

    /// The device that it stands for.
    pub fn device(&self) -> DeviceNumber {
        self.device
    }

    #[inline(always)]
    pub fn superblock(&self) -> &Arc<SuperBlock> {
        &self.superblock
    }

    pub fn content(&self) -> &Content {
        &self.content
    }

    #[inline(always)]
    pub fn is_directory(&self) -> bool {
        self.kind == FileType::Directory
    }

    /// Its entries. ENOTDIR.
    #[inline(always)]
    pub fn directory(&self) -> Result<&Arc<dyn Directory>, Errno> {
        match &self.content {
            Content::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// The pages of a regular file that has them. Made at first use, which may sleep.
    #[inline]
    pub fn cache(&self) -> Option<&Arc<PageCache>> {
        let Content::Cached(cached) = &self.content else { return None };
        match cached.cache.get() {
            Some(cache) => Some(cache),
            None => {
                self.make_cache(cached);
                cached.cache.get()
            }
        }
    }

    #[cold]
    fn make_cache(&self, cached: &Cached) {
        let cache = Arc::new(PageCache::new(cached.backing.clone(), cached.size));
        // One setter at a time, so that whoever loses finds the winner's.
        let _one = self.times.lock();
        let _ = cached.cache.set(cache);
    }

    /// Bytes.
    #[inline]
    pub fn size(&self) -> u64 {
        match &self.content {
            Content::Cached(cached) => cached.cache.get().map_or(cached.size, |cache| cache.size()),
            Content::Source(source) => source.size(),
            Content::Magic(link) => link.size(),
            _ => self.size.load(Ordering::Relaxed),
        }
    }

    /// Sets the size of what has no page cache: a folder's, as its file system counts it.
    pub fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::Relaxed);
    }

    /// Pages in the cache.
    pub fn cached_pages(&self) -> u64 {
        match &self.content {
            Content::Cached(cached) => cached.cache.get().map_or(0, |cache| cache.page_count()),
            _ => 0,
        }
    }

    pub fn permissions(&self) -> u32 {
        self.permissions.load(Ordering::Relaxed)
    }

    /// Type and permissions, as in `st_mode`.
    pub fn mode(&self) -> u32 {
        self.kind.mode() | self.permissions()
    }

    pub fn user(&self) -> u32 {
        self.user.load(Ordering::Relaxed)
    }

    pub fn group(&self) -> u32 {
        self.group.load(Ordering::Relaxed)
    }

    pub fn links(&self) -> u32 {
        self.links.load(Ordering::Relaxed)
    }

    /// Changes the number of links by `difference`. File systems call it, in the order of `link(2)` and `unlink(2)`.
    pub fn add_links(&self, difference: i32) {
        self.links.fetch_add(difference as u32, Ordering::Relaxed);
    }

    pub fn set_links(&self, links: u32) {
        self.links.store(links, Ordering::Relaxed);
    }

    pub fn set_permissions(&self, permissions: u32) {
        self.permissions.store(permissions & mode::PERMISSIONS, Ordering::Relaxed);
    }

    pub fn set_owner(&self, user: u32, group: u32) {
        self.user.store(user, Ordering::Relaxed);
        self.group.store(group, Ordering::Relaxed);
    }

    pub fn times(&self) -> Times {
        *self.times.lock()
    }

    pub fn change_times(&self, change: impl FnOnce(&mut Times)) {
        change(&mut self.times.lock());
    }

    /// The contents changed now.
    pub fn touch_modified(&self) {
        let now = self.superblock.now();
        self.change_times(|times| (times.modified, times.changed) = (now, now));
    }

    /// The attributes changed now.
    pub fn touch_changed(&self) {
        let now = self.superblock.now();
        self.change_times(|times| times.changed = now);
    }

    /// What it stands for may go at any time, without a word to the dentry cache: it is looked up anew each time.
    pub fn mark_fleeting(&self) {
        self.fleeting.store(true, Ordering::Relaxed);
    }

    pub fn is_fleeting(&self) -> bool {
        self.fleeting.load(Ordering::Relaxed)
    }

    /// A writer opens it. ETXTBSY while it is executed.
    pub(crate) fn begin_writing(&self) -> Result<(), Errno> {
        let more = |writers: i32| (writers >= 0).then_some(writers + 1);
        self.writers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).map_or(Err(Errno::ETXTBSY), |_| Ok(()))
    }

    pub(crate) fn end_writing(&self) {
        self.writers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Keeps writers out while it is executed, until `allow_writing`. ETXTBSY while it is open for writing.
    pub(crate) fn deny_writing(&self) -> Result<(), Errno> {
        let less = |writers: i32| (writers <= 0).then_some(writers - 1);
        self.writers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).map_or(Err(Errno::ETXTBSY), |_| Ok(()))
    }

    pub(crate) fn allow_writing(&self) {
        self.writers.fetch_add(1, Ordering::Relaxed);
    }

    /// Advisory locks, if there ever were any.
    #[inline(always)]
    pub(crate) fn existing_locks(&self) -> Option<&FileLocks> {
        self.locks.get().map(|locks| &**locks)
    }

    /// Advisory locks, made when first needed.
    pub(crate) fn locks(&self) -> Option<&FileLocks> {
        if self.locks.get().is_none() {
            let made = Box::new(FileLocks::new());
            // One setter at a time, as for the cache.
            let _one = self.times.lock();
            let _ = self.locks.set(made);
        }
        self.existing_locks()
    }

    /// Extended attributes kept in memory, if there ever were any.
    pub fn existing_attributes(&self) -> Option<&Attributes> {
        self.attributes.get().map(|attributes| &**attributes)
    }

    /// Extended attributes kept in memory, made when first needed, by a caller with the lock.
    pub fn attributes(&self, make: impl FnOnce() -> Attributes) -> Option<&Attributes> {
        if self.attributes.get().is_none() {
            let _ = self.attributes.set(Box::new(make()));
        }
        self.existing_attributes()
    }

    /// What the openings of a FIFO, socket or device share; made by `make` where there is none yet.
    pub fn shared_state<T: Any + Send + Sync>(&self, make: impl FnOnce() -> Arc<T>) -> Option<Arc<T>> {
        let Content::Special(state) = &self.content else { return None };
        let existing = state.lock().clone();
        let shared = match existing {
            Some(shared) => shared,
            None => {
                let made: Arc<dyn Any + Send + Sync> = make();
                state.lock().get_or_insert(made).clone()
            }
        };
        shared.downcast().ok()
    }

    /// Releases what [`Inode::shared_state`] made, where `unused` says so of it (the last opening of a FIFO is closed).
    pub fn drop_shared_state(&self, unused: impl FnOnce(&Arc<dyn Any + Send + Sync>) -> bool) {
        let Content::Special(state) = &self.content else { return };
        let mut state = state.lock();
        let gone = if state.as_ref().is_some_and(unused) { state.take() } else { None };
        drop(state);
        drop(gone);
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        self.superblock.counters.inodes.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether two openings are of one inode.
pub fn same_file(first: &OpenFile, second: &OpenFile) -> bool {
    Arc::ptr_eq(first.inode(), second.inode())
}
