//! The type, and a mount as a whole.
use crate::folder::{Root, root_of};
use crate::instance::{Instance, Masters};
use crate::options::Options;
use abi::file::{DeviceNumber, FileType, MountFlags, Statfs};
use abi::{Errno, NAME_MAX, PAGE_SIZE};
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use sync::Once;
use vfs::{Content, FileSystem, FileSystemType, Inode, NewInode, Properties, SuperBlock, Vfs};

/// linux/magic.h.
const MAGIC: i64 = 0x1cd1;
const ROOT_INODE: u64 = 1;

/// How `mount(2)` finds it.
pub struct DevPtsType(Arc<dyn Masters>);

impl DevPtsType {
    pub fn new(masters: Arc<dyn Masters>) -> Self {
        Self(masters)
    }
}

impl FileSystemType for DevPtsType {
    fn name(&self) -> &'static str {
        "devpts"
    }

    fn mount(&self, vfs: &Arc<Vfs>, _: &[u8], _: MountFlags, data: &[u8]) -> Result<Arc<SuperBlock>, Errno> {
        let options = Options::default().parse(data)?;
        let instance = Arc::new(Instance::new(options, self.0.clone()));
        let properties =
            Properties { kind: "devpts", block_size: 1024, max_size: i64::MAX as u64, device: None, internal: false };
        let mounted = Arc::new(Mounted { instance: instance.clone(), superblock: Once::new() });
        let superblock = SuperBlock::new(vfs, properties, mounted.clone())?;
        let _ = mounted.superblock.set(Arc::downgrade(&superblock));
        instance.set_superblock(&superblock);
        let new = NewInode {
            kind: FileType::Directory,
            permissions: 0o755,
            user: 0,
            group: 0,
            device: DeviceNumber::default(),
            target: b"",
        };
        let root = Content::Directory(Arc::new(Root::new(&superblock, instance)));
        superblock.set_root(Inode::new(superblock.clone(), ROOT_INODE, &new, root));
        Ok(superblock)
    }
}

struct Mounted {
    instance: Arc<Instance>,
    superblock: Once<Weak<SuperBlock>>,
}

impl FileSystem for Mounted {
    fn statistics(&self) -> Statfs {
        Statfs {
            kind: MAGIC,
            block_size: PAGE_SIZE as i64,
            fragment_size: PAGE_SIZE as i64,
            name_length: NAME_MAX as i64,
            ..Statfs::default()
        }
    }

    fn options(&self, output: &mut String) {
        self.instance.options.lock().show(output);
    }

    /// What is not said goes back to the defaults, and holds for slaves to come (parse_mount_options).
    fn remount(&self, data: &[u8]) -> Result<(), Errno> {
        let options = Options::default().parse(data)?;
        let ptmx_mode = options.ptmx_mode;
        *self.instance.options.lock() = options;
        let root = self.superblock.get().and_then(Weak::upgrade).and_then(|superblock| superblock.root().ok());
        if let Some(root) = root
            && let Some(folder) = root.inode().and_then(|inode| root_of(inode))
        {
            folder.set_ptmx_mode(ptmx_mode);
        }
        Ok(())
    }
}
