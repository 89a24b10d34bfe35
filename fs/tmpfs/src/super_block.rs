//! A mounted tmpfs as a whole.
use crate::attributes::Space;
use crate::directory::Folder;
use crate::entries::Remains;
use crate::options::{Limits, Options};
use abi::file::{DeviceNumber, FileType, MountFlags, Statfs};
use abi::{Errno, NAME_MAX, PAGE_SIZE};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use cache::{Backing, Behaviour};
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering};
use memory::Frame;
use memory::frame::Use;
use sync::{Rank, SpinLock};
use vfs::{Content, ExtendedAttributes, FileSystem, FileSystemType, Inode, NewInode, Properties, SuperBlock, Vfs};

/// `TMPFS_MAGIC` (linux/magic.h).
const MAGIC: i64 = 0x0102_1994;

/// What all files of one tmpfs share: its limits, and the backing of their pages.
pub struct Tmpfs {
    options: SpinLock<Options>,
    /// As it was without options, to show only what differs.
    defaults: Options,
    memory: u64,
    page_limit: AtomicU64,
    pages: AtomicU64,
    next_inode: AtomicU64,
    inode_limit: AtomicU64,
    graveyard: SpinLock<Graveyard>,
    pub(crate) space: Arc<Space>,
}

/// Entries of folders that are gone.
struct Graveyard {
    folders: Vec<Remains>,
    digging: bool,
}

/// The type `tmpfs`, or one like it under another name.
pub struct TmpfsType {
    name: &'static str,
    /// Pages of RAM, which sizes in per cent refer to.
    memory: u64,
}

impl TmpfsType {
    pub fn new(name: &'static str, memory: u64) -> Self {
        Self { name, memory }
    }
}

impl FileSystemType for TmpfsType {
    fn name(&self) -> &'static str {
        self.name
    }

    fn mount(&self, vfs: &Arc<Vfs>, _: &[u8], _: MountFlags, data: &[u8]) -> Result<Arc<SuperBlock>, Errno> {
        let defaults = Options::defaults(self.memory);
        let options = defaults.parse(data, self.memory)?;
        Ok(Tmpfs::superblock(vfs, self.name, defaults, options, self.memory)?.0)
    }
}

const UNLIMITED: Options =
    Options { limits: Limits { pages: None, inodes: None }, permissions: 0o755, user: 0, group: 0 };

impl Tmpfs {
    /// A file system without limits, for the root that the initramfs is unpacked into and for devtmpfs. ENOMEM.
    pub fn unlimited(vfs: &Arc<Vfs>, name: &'static str) -> Result<Arc<SuperBlock>, Errno> {
        Ok(Self::superblock(vfs, name, UNLIMITED, UNLIMITED, 0)?.0)
    }

    /// One without limits and without a place in the tree. ENOMEM.
    pub(crate) fn nameless(vfs: &Arc<Vfs>) -> Result<(Arc<SuperBlock>, Arc<Self>), Errno> {
        Self::superblock(vfs, "tmpfs", UNLIMITED, UNLIMITED, 0)
    }

    fn superblock(
        vfs: &Arc<Vfs>,
        name: &'static str,
        defaults: Options,
        options: Options,
        memory: u64,
    ) -> Result<(Arc<SuperBlock>, Arc<Self>), Errno> {
        let file_system = Arc::new(Self {
            options: SpinLock::new(Rank::Attributes, options),
            defaults,
            memory,
            page_limit: AtomicU64::new(options.limits.pages.unwrap_or(u64::MAX)),
            pages: AtomicU64::new(0),
            next_inode: AtomicU64::new(2),
            inode_limit: AtomicU64::new(options.limits.inodes.unwrap_or(u64::MAX)),
            graveyard: SpinLock::new(Rank::Attributes, Graveyard { folders: Vec::new(), digging: false }),
            space: Arc::new(Space::new(options.limits.inodes)),
        });
        let properties = Properties {
            kind: name,
            block_size: PAGE_SIZE as u32,
            max_size: i64::MAX as u64,
            device: None,
            internal: false,
        };
        let superblock = SuperBlock::new(vfs, properties, file_system.clone())?;
        let new = NewInode {
            kind: FileType::Directory,
            permissions: options.permissions,
            user: options.user,
            group: options.group,
            device: DeviceNumber::default(),
            target: &[],
        };
        let content = Content::Directory(Arc::new(Folder::new(file_system.clone())));
        superblock.set_root(Inode::new(superblock.clone(), 1, &new, content));
        Ok((superblock, file_system))
    }

    /// A number for a new inode. ENOSPC.
    pub(crate) fn next_inode(&self, superblock: &SuperBlock) -> Result<u64, Errno> {
        if superblock.counters.inodes.load(Ordering::Relaxed) as u64 >= self.inode_limit.load(Ordering::Relaxed) {
            return Err(Errno::ENOSPC);
        }
        Ok(self.next_inode.fetch_add(1, Ordering::Relaxed))
    }

    /// Counts a page. ENOSPC.
    fn charge(&self) -> Result<(), Errno> {
        if self.pages.fetch_add(1, Ordering::Relaxed) >= self.page_limit.load(Ordering::Relaxed) {
            self.left(1);
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }

    fn charged(&self, frame: Option<Frame>) -> Result<Frame, Errno> {
        frame.ok_or_else(|| {
            self.left(1);
            Errno::ENOMEM
        })
    }

    /// Lets go of the entries of a folder that is gone, and of folders that go with them, one after another.
    pub(crate) fn bury(&self, entries: Remains) {
        if entries.is_empty() {
            return;
        }
        let mut graveyard = self.graveyard.lock();
        graveyard.folders.push(entries);
        if core::mem::replace(&mut graveyard.digging, true) {
            return;
        }
        while let Some(last) = graveyard.folders.last_mut() {
            let entry = last.pop();
            let emptied = if entry.is_none() { graveyard.folders.pop() } else { None };
            drop(graveyard);
            drop((entry, emptied));
            graveyard = self.graveyard.lock();
        }
        graveyard.digging = false;
    }
}

impl Backing for Tmpfs {
    fn behaviour(&self) -> Behaviour {
        Behaviour { absent_is_zero: true, write_back: false }
    }

    fn load(&self, _: u64) -> Result<Frame, Errno> {
        self.charge()?;
        self.charged(Frame::allocate_zeroed_for(Use::Files))
    }

    fn make(&self, _: u64) -> Result<Frame, Errno> {
        self.charge()?;
        self.charged(Frame::allocate_for(Use::Files))
    }

    fn left(&self, pages: u64) {
        self.pages.fetch_sub(pages, Ordering::Relaxed);
    }
}

impl FileSystem for Tmpfs {
    fn statistics(&self) -> Statfs {
        let limits = self.options.lock().limits;
        let used = self.pages.load(Ordering::Relaxed);
        let free = |limit: Option<u64>, used: u64| limit.map_or(0, |limit| limit.saturating_sub(used));
        Statfs {
            kind: MAGIC,
            block_size: PAGE_SIZE as i64,
            fragment_size: PAGE_SIZE as i64,
            blocks: limits.pages.unwrap_or(0),
            blocks_free: free(limits.pages, used),
            blocks_available: free(limits.pages, used),
            files: limits.inodes.unwrap_or(0),
            files_free: limits.inodes.unwrap_or(0),
            name_length: NAME_MAX as i64,
            ..Statfs::default()
        }
    }

    fn options(&self, output: &mut String) {
        let options = *self.options.lock();
        if options.limits.pages != self.defaults.limits.pages {
            let _ = write!(output, ",size={}k", options.limits.pages.unwrap_or(0) * (PAGE_SIZE as u64 / 1024));
        }
        if options.limits.inodes != self.defaults.limits.inodes {
            let _ = write!(output, ",nr_inodes={}", options.limits.inodes.unwrap_or(0));
        }
        if options.permissions != self.defaults.permissions {
            let _ = write!(output, ",mode={:03o}", options.permissions);
        }
        if options.user != 0 {
            let _ = write!(output, ",uid={}", options.user);
        }
        if options.group != 0 {
            let _ = write!(output, ",gid={}", options.group);
        }
    }

    fn remount(&self, data: &[u8]) -> Result<(), Errno> {
        let mut options = self.options.lock();
        let new = options.parse(data, self.memory)?;
        // The root's owner and mode are those of the first mount.
        options.limits = new.limits;
        self.page_limit.store(new.limits.pages.unwrap_or(u64::MAX), Ordering::Relaxed);
        self.space.set_limit(new.limits.inodes);
        self.inode_limit.store(new.limits.inodes.unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(())
    }

    fn extended_attributes(&self) -> Option<&dyn ExtendedAttributes> {
        Some(self)
    }

    fn cached_pages(&self) -> (u64, u64) {
        let pages = self.pages.load(Ordering::Relaxed);
        (pages, pages)
    }
}
