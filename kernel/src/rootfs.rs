//! The first file system: a tmpfs, filled from the initial RAM disk, and PID 1 in it.
use abi::Errno;
use alloc::sync::Arc;
use boot::Information;
use time::Timespec;
use vfs::{Credentials, FsContext, Namespace, Origin, Path, Vfs};

/// File times are the real-time clock's.
struct RealTime;

impl vfs::Clock for RealTime {
    fn now(&self) -> abi::time::Timespec {
        let now: Timespec = scheduler::realtime();
        abi::time::Timespec { seconds: now.seconds(), nanoseconds: i64::from(now.nanoseconds()) }
    }
}

/// The tree that programs will see.
pub struct Root {
    pub vfs: Arc<Vfs>,
    pub namespace: Arc<Namespace>,
    pub context: Arc<FsContext>,
    pub credentials: Arc<Credentials>,
}

impl Root {
    pub fn origin(&self) -> Origin<'_> {
        Origin { context: &self.context, credentials: &self.credentials, start: None }
    }
}

/// Mounts the root.
///
/// # Errors
/// ENOMEM.
pub fn mount() -> Result<Root, Errno> {
    let vfs = Vfs::new(Arc::new(RealTime));
    let memory: u64 = memory::statistics().iter().map(|zone| zone.managed as u64 * 4096).sum();
    vfs.register(Arc::new(tmpfs::TmpfsType::new("tmpfs", memory)));
    vfs.register(Arc::new(tmpfs::TmpfsType::new("ramfs", memory)));
    let superblock = tmpfs::Tmpfs::unlimited(&vfs, "rootfs");
    let mount = vfs::calls::mount_root(&superblock, b"rootfs")?;
    let root: Path = mount.root_path();
    let context = Arc::new(FsContext { root: root.clone(), current: root, umask: 0 });
    let namespace = Arc::new(Namespace::new(mount));
    Ok(Root { vfs, namespace, context, credentials: Arc::new(Credentials::root()) })
}

/// Unpacks the initial RAM disk, and gives its pages back to the zones.
pub fn unpack(root: &Root, information: &Information) {
    let Some(range) = information.initial_ram_disk.clone() else { return };
    klog::info!("Unpacking initramfs...");
    let result = crate::unpack::unpack(root, range);
    if let Err(errno) = result {
        klog::error!("Initramfs unpacking failed: {errno:?}");
    }
}
