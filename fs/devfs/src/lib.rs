//! devtmpfs: the folder `/dev`, filled by the kernel itself, and the devices that need no driver.
//!
//! **Model.** One file system for the whole system, whatever the number of places it is mounted in; the files in it are an
//! ordinary tmpfs's, which programs may change. A driver registers a device once: its number with the registry that `open`
//! asks, and a node of its name here.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod memory_devices;

use abi::Errno;
use abi::file::{AtFlags, DeviceNumber, FileType, MountFlags};
use alloc::sync::Arc;
use vfs::{Credentials, DeviceFile, FileSystemType, FsContext, Mount, Origin, Path, SuperBlock, Vfs, calls};

pub use memory_devices::register_memory_devices;

/// The one devtmpfs.
pub struct DevFs {
    superblock: Arc<SuperBlock>,
    context: FsContext,
    credentials: Arc<Credentials>,
}

/// A device and its node.
#[derive(Clone)]
pub struct Node<'a> {
    /// Below `/dev`; folders in it are made as need be.
    pub name: &'a str,
    pub kind: FileType,
    pub number: DeviceNumber,
    pub permissions: u32,
}

/// How `mount(2)` finds it.
struct DevFsType(Arc<SuperBlock>);

impl FileSystemType for DevFsType {
    fn name(&self) -> &'static str {
        "devtmpfs"
    }

    fn mount(&self, _: &Arc<Vfs>, _: &[u8], _: MountFlags, _: &[u8]) -> Result<Arc<SuperBlock>, Errno> {
        Ok(self.0.clone())
    }
}

impl DevFs {
    /// Takes an empty tmpfs named `devtmpfs`, keeps it for good, and makes it mountable. ENODEV where it has no root.
    pub fn new(superblock: Arc<SuperBlock>) -> Result<Self, Errno> {
        superblock.pin();
        let vfs = superblock.vfs().clone();
        vfs.register(Arc::new(DevFsType(superblock.clone())));
        let mount = Mount::new(superblock.clone(), superblock.root()?, MountFlags::empty(), b"devtmpfs");
        let root = mount.root_path();
        let context = FsContext { root: root.clone(), current: root, umask: 0 };
        Ok(Self { superblock, context, credentials: Arc::new(Credentials::root()) })
    }

    fn origin(&self) -> Origin<'_> {
        Origin { context: &self.context, credentials: &self.credentials, start: None }
    }

    /// The root of the tree, for the kernel to mount or look into.
    pub fn root(&self) -> &Path {
        &self.context.root
    }

    pub fn superblock(&self) -> &Arc<SuperBlock> {
        &self.superblock
    }

    /// Makes a node. EEXIST.
    pub fn make_node(&self, node: &Node<'_>) -> Result<(), Errno> {
        for (at, _) in node.name.match_indices('/') {
            self.make_directory(&node.name[..at], 0o755)?;
        }
        let mode = node.kind.mode() | node.permissions;
        calls::make_node_at(&self.origin(), node.name.as_bytes(), mode, node.number)
    }

    /// Makes a folder, such as `pts` or `shm`, unless it is there.
    pub fn make_directory(&self, name: &str, permissions: u32) -> Result<(), Errno> {
        match calls::make_directory_at(&self.origin(), name.as_bytes(), permissions) {
            Err(Errno::EEXIST) => Ok(()),
            other => other,
        }
    }

    /// Makes a symlink, such as `fd` to `/proc/self/fd`.
    pub fn make_symlink(&self, name: &str, target: &str) -> Result<(), Errno> {
        calls::symlink_at(&self.origin(), target.as_bytes(), name.as_bytes())
    }

    /// Registers a device, for `count` numbers from the node's on, and makes the node of the first. EBUSY; EEXIST.
    pub fn add(
        &self,
        node: &Node<'_>,
        count: u32,
        driver: &'static str,
        device: Arc<dyn DeviceFile>,
    ) -> Result<(), Errno> {
        let vfs = self.superblock.vfs();
        vfs.devices.register(node.kind, node.number, count, driver, device)?;
        self.make_node(node)
    }

    /// Removes a node.
    pub fn remove_node(&self, name: &str) -> Result<(), Errno> {
        calls::unlink_at(&self.origin(), name.as_bytes())
    }

    /// Whether there is something of that name.
    pub fn has(&self, name: &str) -> bool {
        calls::stat_at(&self.origin(), name.as_bytes(), AtFlags::SYMLINK_NO_FOLLOW).is_ok()
    }
}

#[cfg(test)]
mod tests;
