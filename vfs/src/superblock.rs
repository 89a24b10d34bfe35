//! Mounted file systems as a whole, the types that make them, and what all of them share.
use crate::dentry::Dentry;
use crate::device::{DeviceRegistry, Openers};
use crate::extended::ExtendedAttributes;
use crate::inode::Inode;
use abi::Errno;
use abi::file::{DeviceNumber, MountFlags, Statfs};
use abi::time::Timespec;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use cache::Registry;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use slots::SlotId;
use sync::{Mutex, Rank, SpinLock};

/// The time of day, for time stamps of files. May be called from any context; coarse is good enough.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timespec;
}

/// A mounted file system's own side.
pub trait FileSystem: Send + Sync {
    /// Sizes and counts; the type's number.
    fn statistics(&self) -> Statfs;

    /// Its options beyond the common ones, each with a comma in front, as in `/proc/mounts`.
    fn options(&self, output: &mut String) {
        let _ = output;
    }

    /// Changes its options (`MS_REMOUNT`). EINVAL.
    fn remount(&self, data: &[u8]) -> Result<(), Errno> {
        let _ = data;
        Ok(())
    }

    /// Pages of files in memory, and how many of them live nowhere else.
    fn cached_pages(&self) -> (u64, u64) {
        (0, 0)
    }

    /// Brings everything to stable storage. EIO. May sleep.
    fn synchronise(&self) -> Result<(), Errno> {
        Ok(())
    }

    /// Who keeps extended attributes; `None` where there are none.
    fn extended_attributes(&self) -> Option<&dyn ExtendedAttributes> {
        None
    }

    /// The last mount is gone and no file is open: lets go of inodes. May sleep.
    fn shut_down(&self) {}
}

/// A type of file system, as in `/proc/filesystems`.
pub trait FileSystemType: Send + Sync {
    fn name(&self) -> &'static str;

    fn needs_device(&self) -> bool {
        false
    }

    /// The file system that `mount(2)` wants: a new one, or one that is there already. May sleep.
    fn mount(&self, vfs: &Arc<Vfs>, source: &[u8], flags: MountFlags, data: &[u8]) -> Result<Arc<SuperBlock>, Errno>;
}

/// How many objects of a file system are in memory.
#[derive(Debug, Default)]
pub struct Counters {
    pub inodes: AtomicUsize,
    pub dentries: AtomicUsize,
    pub negative: AtomicUsize,
    pub(crate) mounts: AtomicUsize,
}

impl Counters {
    /// In how many places it is mounted.
    pub fn mounts(&self) -> usize {
        self.mounts.load(Ordering::Relaxed)
    }
}

/// The [`Counters`] of all file systems together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub inodes: usize,
    pub dentries: usize,
    pub negative: usize,
}

/// What a file system tells about itself when it is made.
pub struct Properties {
    /// The type's name.
    pub kind: &'static str,
    /// Bytes.
    pub block_size: u32,
    /// Largest size of a file, in bytes.
    pub max_size: u64,
    /// A device of its own; `None` for the next anonymous one.
    pub device: Option<DeviceNumber>,
    /// Not to be mounted by programs, and without paths: pipes, sockets.
    pub internal: bool,
}

/// A file system that is mounted (perhaps in several places).
pub struct SuperBlock {
    properties: Properties,
    /// Where it stands among all; `None` where there was no memory for that.
    slot: Option<SlotId>,
    /// An anonymous one is its place, from 1: the lowest that is free, as on Linux.
    device: DeviceNumber,
    /// [`MountFlags`] that hold for all mounts of it.
    flags: AtomicU64,
    operations: Arc<dyn FileSystem>,
    vfs: Arc<Vfs>,
    root: SpinLock<Option<Arc<Dentry>>>,
    /// Excludes renames between folders, so that the tree stands still while one is found not to lie below another.
    pub(crate) renaming: Mutex<()>,
    /// Odd while a rename changes names and parents.
    pub(crate) renames: AtomicU64,
    pub counters: Counters,
}

impl SuperBlock {
    /// A file system without a root yet. ENOMEM.
    pub fn new(vfs: &Arc<Vfs>, properties: Properties, operations: Arc<dyn FileSystem>) -> Result<Arc<Self>, Errno> {
        let mut registered = Err(Errno::ENOMEM);
        let superblock = Arc::new_cyclic(|itself| {
            registered = vfs.superblocks.add(itself.clone());
            let anonymous = |slot: SlotId| DeviceNumber::new(0, slot.index() + 1);
            Self {
                device: properties.device.or(registered.ok().map(anonymous)).unwrap_or_default(),
                slot: registered.ok(),
                properties,
                flags: AtomicU64::new(0),
                operations,
                vfs: vfs.clone(),
                root: SpinLock::new(Rank::Attributes, None),
                renaming: Mutex::new(Rank::Namespace, ()),
                renames: AtomicU64::new(0),
                counters: Counters::default(),
            }
        });
        registered.map(|_| superblock)
    }

    /// Gives it its root folder. Once.
    pub fn set_root(self: &Arc<Self>, inode: Arc<Inode>) {
        let root = Dentry::root(self.clone(), inode);
        *self.root.lock() = Some(root);
    }

    /// Keeps it for good, mounted or not: for a file system of which there is only one.
    pub fn pin(&self) {
        self.counters.mounts.fetch_add(1, Ordering::Relaxed);
    }

    /// Its root; ENODEV where it was shut down meanwhile.
    pub fn root(&self) -> Result<Arc<Dentry>, Errno> {
        self.root.lock().clone().ok_or(Errno::ENODEV)
    }

    pub fn kind(&self) -> &'static str {
        self.properties.kind
    }

    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    pub fn device(&self) -> DeviceNumber {
        self.device
    }

    pub fn vfs(&self) -> &Arc<Vfs> {
        &self.vfs
    }

    pub fn operations(&self) -> &Arc<dyn FileSystem> {
        &self.operations
    }

    pub fn flags(&self) -> MountFlags {
        MountFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    pub fn set_flags(&self, flags: MountFlags) {
        self.flags.store(flags.bits(), Ordering::Relaxed);
    }

    pub fn is_read_only(&self) -> bool {
        self.flags().contains(MountFlags::READ_ONLY)
    }

    /// Time stamps come from here.
    pub fn now(&self) -> Timespec {
        self.vfs.clock.now()
    }

    /// The last mount is gone: drops the dentries, and with them the inodes that nobody has open.
    pub(crate) fn shut_down(&self) {
        let root = self.root.lock().take();
        if let Some(root) = root {
            root.forget_children();
        }
        self.operations.shut_down();
    }
}

impl Drop for SuperBlock {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.vfs.superblocks.remove(slot);
        }
    }
}

/// What all file systems share. Made once, by the kernel's start.
pub struct Vfs {
    clock: Arc<dyn Clock>,
    pub(crate) next_mount: AtomicU32,
    pub(crate) next_anonymous: AtomicU64,
    types: SpinLock<Vec<Arc<dyn FileSystemType>>>,
    superblocks: Registry<SuperBlock>,
    /// Devices, and what opens FIFOs and sockets.
    pub devices: DeviceRegistry,
    pub openers: Openers,
    pub(crate) anonymous: crate::anonymous::Anonymous,
}

impl Vfs {
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let vfs = Arc::new(Self {
            clock,
            next_mount: AtomicU32::new(1),
            next_anonymous: AtomicU64::new(1),
            types: SpinLock::new(Rank::Attributes, Vec::new()),
            superblocks: Registry::new(Rank::CacheList),
            devices: DeviceRegistry::new(),
            openers: Openers::new(),
            anonymous: crate::anonymous::Anonymous::new(),
        });
        vfs.mount_internal();
        vfs
    }

    /// Makes a type of file system mountable by name.
    pub fn register(&self, kind: Arc<dyn FileSystemType>) {
        self.types.lock().push(kind);
    }

    /// The type of that name. ENODEV.
    pub fn file_system_type(&self, name: &[u8]) -> Result<Arc<dyn FileSystemType>, Errno> {
        let types = self.types.lock();
        types.iter().find(|kind| kind.name().as_bytes() == name).cloned().ok_or(Errno::ENODEV)
    }

    /// All types, for `/proc/filesystems`.
    pub fn file_system_types(&self) -> Vec<Arc<dyn FileSystemType>> {
        self.types.lock().clone()
    }

    /// Calls `visit` for each file system in memory: `sync(2)`, `/proc/meminfo`, shrinking.
    pub fn for_each_superblock(&self, visit: impl FnMut(&Arc<SuperBlock>)) {
        self.superblocks.for_each(visit);
    }

    /// Pages of files in memory, and how many of them live nowhere else (Cached and Shmem of `/proc/meminfo`).
    pub fn cached_pages(&self) -> (u64, u64) {
        let mut sum = (0, 0);
        self.for_each_superblock(|superblock| {
            let (cached, shared) = superblock.operations.cached_pages();
            sum = (sum.0 + cached, sum.1 + shared);
        });
        sum
    }

    /// Drops all dentries that nobody uses, and with them inodes that live nowhere else; answers how many. May sleep.
    pub fn shrink(&self) -> usize {
        let mut dropped = 0;
        self.for_each_superblock(|superblock| dropped += crate::shrink(superblock, usize::MAX));
        dropped
    }

    /// How many objects of all file systems are in memory.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.for_each_superblock(|superblock| {
            totals.inodes += superblock.counters.inodes.load(Ordering::Relaxed);
            totals.dentries += superblock.counters.dentries.load(Ordering::Relaxed);
            totals.negative += superblock.counters.negative.load(Ordering::Relaxed);
        });
        totals
    }

    /// How many dentries nobody holds but the cache: counted one by one. May sleep.
    pub fn unused_dentries(&self) -> usize {
        let mut unused = 0;
        self.for_each_superblock(|superblock| unused += crate::shrink::unused(superblock));
        unused
    }

    /// `sync(2)`.
    pub fn synchronise(&self) {
        self.for_each_superblock(|superblock| {
            let _ = superblock.operations.synchronise();
        });
    }

    pub fn now(&self) -> Timespec {
        self.clock.now()
    }
}
