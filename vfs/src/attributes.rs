//! Attributes as `stat(2)` and `statx(2)` show them.
use crate::inode::Inode;
use crate::path::Path;
use abi::file::{FileType, Stat, Statx};

/// Bytes in a unit of `st_blocks`.
const BLOCK: u64 = 512;

impl Inode {
    fn blocks(&self) -> u64 {
        self.cached_pages() * (abi::PAGE_SIZE as u64 / BLOCK)
    }

    /// The attributes, each as it is at some moment of the call.
    pub fn stat(&self) -> Stat {
        let times = self.times();
        let special = match self.kind() {
            FileType::CharacterDevice | FileType::BlockDevice => self.device().encode(),
            _ => 0,
        };
        Stat {
            device: self.superblock().device().encode(),
            inode: self.number(),
            links: u64::from(self.links()),
            mode: self.mode(),
            user: self.user(),
            group: self.group(),
            padding: 0,
            special,
            size: self.size() as i64,
            block_size: i64::from(self.superblock().properties().block_size),
            blocks: self.blocks() as i64,
            accessed: times.accessed,
            modified: times.modified,
            changed: times.changed,
            reserved: [0; 3],
        }
    }
}

/// Fields of `statx(2)` that are always there, and those that are there when asked for.
const BASIC: u32 = 0x7ff;
const CREATED: u32 = 0x800;
const MOUNT: u32 = 0x1000;
/// `STATX_ATTR_MOUNT_ROOT`.
const MOUNT_ROOT: u64 = 0x2000;

impl Path {
    /// The attributes in their newer form; `mask` tells which are wanted.
    pub fn statx(&self, inode: &Inode, mask: u32) -> Statx {
        let stat = inode.stat();
        let device = inode.superblock().device();
        let is_root = alloc::sync::Arc::ptr_eq(&self.dentry, self.mount.root());
        Statx {
            mask: BASIC | (mask & CREATED) | MOUNT,
            block_size: stat.block_size as u32,
            attributes: if is_root { MOUNT_ROOT } else { 0 },
            links: inode.links(),
            user: stat.user,
            group: stat.group,
            mode: stat.mode as u16,
            padding: 0,
            inode: stat.inode,
            size: stat.size as u64,
            blocks: stat.blocks as u64,
            attributes_mask: MOUNT_ROOT,
            accessed: stat.accessed.into(),
            created: if mask & CREATED != 0 { inode.times().created.into() } else { Default::default() },
            changed: stat.changed.into(),
            modified: stat.modified.into(),
            special_major: inode.device().major,
            special_minor: inode.device().minor,
            device_major: device.major,
            device_minor: device.minor,
            mount: u64::from(self.mount.number()),
            direct_memory_alignment: 0,
            direct_offset_alignment: 0,
            reserved: [0; 12],
        }
    }
}
