//! Files without names: memory that processes share, and `memfd_create(2)`.
use crate::super_block::Tmpfs;
use abi::Errno;
use abi::file::{DeviceNumber, FileType, MountFlags, OpenFlags};
use alloc::sync::Arc;
use vfs::{Content, Credentials, Inode, Mount, NewInode, OpenFile, Path, Vfs};

/// A tmpfs that nobody sees, for files that only have descriptors and mappings.
pub struct NamelessFiles {
    mount: Arc<Mount>,
    file_system: Arc<Tmpfs>,
}

impl NamelessFiles {
    /// ENODEV, ENOMEM.
    pub fn new(vfs: &Arc<Vfs>) -> Result<Self, Errno> {
        let (superblock, file_system) = Tmpfs::nameless(vfs)?;
        let root = superblock.root()?;
        Ok(Self { mount: Mount::new(superblock, root, MountFlags::empty(), b"tmpfs"), file_system })
    }

    /// A new file of `size` bytes, open for reading and writing; `name` is shown in /proc only. ENOSPC.
    pub fn open(
        &self,
        name: &[u8],
        size: u64,
        permissions: u32,
        credentials: &Arc<Credentials>,
    ) -> Result<Arc<OpenFile>, Errno> {
        let superblock = self.mount.superblock();
        let new = NewInode {
            kind: FileType::Regular,
            permissions,
            user: credentials.user.file_system,
            group: credentials.group.file_system,
            device: DeviceNumber::default(),
            target: &[],
        };
        let number = self.file_system.next_inode(superblock)?;
        let inode = Inode::new(superblock.clone(), number, &new, Content::cached(self.file_system.clone(), size));
        inode.set_links(0);
        let path = Path::nameless(&self.mount, name, inode);
        OpenFile::open_nameless(path, OpenFlags::READ_WRITE | OpenFlags::LARGE_FILE, credentials)
    }
}
