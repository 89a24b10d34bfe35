//! Extended attributes: kept in the inode; those of users count against the file system's limit of inodes, as on Linux.
use crate::super_block::Tmpfs;
use abi::Errno;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use vfs::{AttributeSpace, Attributes, ExtendedAttributes, Inode, SetMode, Value};

/// What an inode counts for (BOGO_INODE_SIZE), in bytes.
const INODE: u64 = 1024;

/// The room that attributes of users take.
pub(crate) struct Space {
    used: AtomicU64,
    limit: AtomicU64,
}

impl Space {
    pub(crate) fn new(inodes: Option<u64>) -> Self {
        Self { used: AtomicU64::new(0), limit: AtomicU64::new(Self::bytes(inodes)) }
    }

    fn bytes(inodes: Option<u64>) -> u64 {
        inodes.map_or(u64::MAX, |inodes| inodes.saturating_mul(INODE))
    }

    pub(crate) fn set_limit(&self, inodes: Option<u64>) {
        self.limit.store(Self::bytes(inodes), Ordering::Relaxed);
    }
}

/// What one attribute takes: as Linux's `simple_xattr_space`, a header of 32 bytes besides.
fn size(name: &[u8], value: Option<&Value>) -> u64 {
    value.map_or(0, |value| (32 + name.len() + 1 + value.len()) as u64)
}

impl AttributeSpace for Space {
    fn change(&self, name: &[u8], old: Option<&Value>, new: Option<&Value>) -> Result<(), Errno> {
        if !name.starts_with(b"user.") {
            return Ok(());
        }
        let (less, more) = (size(name, old), size(name, new));
        let limit = self.limit.load(Ordering::Relaxed);
        let change = |used: u64| {
            let now = used.saturating_sub(less).saturating_add(more);
            (now <= limit || more <= less).then_some(now)
        };
        let changed = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
        changed.map(|_| ()).map_err(|_| Errno::ENOSPC)
    }
}

impl ExtendedAttributes for Tmpfs {
    fn get(&self, inode: &Inode, name: &[u8]) -> Result<Value, Errno> {
        inode.existing_attributes().ok_or(Errno::ENODATA)?.get(name)
    }

    fn set(&self, inode: &Inode, name: &[u8], value: Option<Value>, mode: SetMode) -> Result<(), Errno> {
        let attributes = match value {
            None => inode.existing_attributes().ok_or(Errno::ENODATA)?,
            Some(_) => inode.attributes(|| Attributes::new(self.space.clone() as Arc<_>)).ok_or(Errno::ENOSPC)?,
        };
        attributes.set(name, value, mode)
    }

    fn list(&self, inode: &Inode, visit: &mut dyn FnMut(&[u8]) -> Result<(), Errno>) -> Result<(), Errno> {
        inode.existing_attributes().map_or(Ok(()), |attributes| attributes.list(visit))
    }
}
