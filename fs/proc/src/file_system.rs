//! Trees as file systems to be mounted.
use crate::folder::inode_of;
use crate::node::{Folder, Node};
use abi::file::{MountFlags, Statfs};
use abi::{Errno, NAME_MAX, PAGE_SIZE};
use alloc::sync::Arc;
use vfs::{FileSystem, FileSystemType, Properties, SuperBlock, Vfs};

/// A tree under the name of a file system's type: `proc`, `sysfs`.
pub struct TreeType {
    name: &'static str,
    /// As `statfs(2)` tells it (linux/magic.h).
    magic: i64,
    root: Arc<dyn Folder>,
    permissions: u32,
}

/// Number of the root inode.
const ROOT: u64 = 1;

impl TreeType {
    pub fn new(name: &'static str, magic: i64, root: Arc<dyn Folder>, permissions: u32) -> Self {
        Self { name, magic, root, permissions }
    }

    /// `proc`, whose root is `root`.
    pub fn proc(root: Arc<dyn Folder>) -> Self {
        Self::new("proc", 0x9fa0, root, 0o555)
    }

    /// `sysfs`, whose root is `root`.
    pub fn sysfs(root: Arc<dyn Folder>) -> Self {
        Self::new("sysfs", 0x6265_6572, root, 0o755)
    }
}

impl FileSystemType for TreeType {
    fn name(&self) -> &'static str {
        self.name
    }

    /// Each mount has inodes of its own over the one tree.
    fn mount(&self, vfs: &Arc<Vfs>, _: &[u8], _: MountFlags, _: &[u8]) -> Result<Arc<SuperBlock>, Errno> {
        let properties = Properties {
            kind: self.name,
            block_size: if self.name == "proc" { 1024 } else { PAGE_SIZE as u32 },
            max_size: i64::MAX as u64,
            device: None,
            internal: false,
        };
        let superblock = SuperBlock::new(vfs, properties, Arc::new(Tree { magic: self.magic }))?;
        superblock.set_root(inode_of(
            &superblock,
            ROOT,
            &Node::folder(self.root.clone()).with_permissions(self.permissions),
        ));
        Ok(superblock)
    }
}

struct Tree {
    magic: i64,
}

impl FileSystem for Tree {
    fn statistics(&self) -> Statfs {
        let size = PAGE_SIZE as i64;
        Statfs {
            kind: self.magic,
            block_size: size,
            fragment_size: size,
            name_length: NAME_MAX as i64,
            ..Statfs::default()
        }
    }
}
