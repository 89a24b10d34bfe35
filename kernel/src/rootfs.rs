//! The first file system: a tmpfs, filled from the initial RAM disk, and PID 1 in it.
use crate::kernel_log;
use abi::Errno;
use abi::file::{MountFlags, OpenFlags};
use alloc::sync::Arc;
use devfs::DevFs;
use sync::Once;
use time::Timespec;
use vfs::{Credentials, DescriptorTable, FsContext, Namespace, Origin, Path, Vfs};

/// File times are the real-time clock's.
struct RealTime;

impl vfs::Clock for RealTime {
    fn now(&self) -> abi::time::Timespec {
        let now: Timespec = scheduler::realtime();
        abi::time::Timespec { seconds: now.seconds(), nanoseconds: i64::from(now.nanoseconds()) }
    }
}

/// The tree that programs will see.
#[derive(Clone)]
pub struct Root {
    pub vfs: Arc<Vfs>,
    pub namespace: Arc<Namespace>,
    pub context: Arc<FsContext>,
    pub credentials: Arc<Credentials>,
}

impl Root {
    /// What PID 1 begins with. The unpacker's own mask is empty: the archive says what its files permit.
    pub fn context_of_init(&self) -> Arc<FsContext> {
        let FsContext { root, current, .. } = &*self.context;
        Arc::new(FsContext { root: root.clone(), current: current.clone(), umask: 0o022 })
    }

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
    let memory: u64 = memory::statistics().iter().map(|zone| zone.managed as u64).sum();
    vfs.register(Arc::new(tmpfs::TmpfsType::new("tmpfs", memory)));
    vfs.register(Arc::new(tmpfs::TmpfsType::new("ramfs", memory)));
    let superblock = tmpfs::Tmpfs::unlimited(&vfs, "rootfs")?;
    let mount = vfs::calls::mount_root(&superblock, b"rootfs")?;
    let root: Path = mount.root_path();
    let context = Arc::new(FsContext { root: root.clone(), current: root, umask: 0 });
    let namespace = Arc::new(Namespace::new(mount));
    Ok(Root { vfs, namespace, context, credentials: Arc::new(Credentials::root()) })
}

static NAMELESS: Once<tmpfs::NamelessFiles> = Once::new();

/// Makes the file system of files without names: shared memory, memfd_create(2).
///
/// # Errors
/// ENOMEM.
pub fn nameless_files(root: &Root) -> Result<(), Errno> {
    let _ = NAMELESS.set(tmpfs::NamelessFiles::new(&root.vfs)?);
    task::mapping::set_nameless(|name, size, permissions, credentials| {
        NAMELESS.get().ok_or(Errno::ENODEV)?.open(name, size, permissions, credentials)
    });
    Ok(())
}

/// Makes devtmpfs with the memory devices, and /dev for it to be mounted on.
///
/// # Errors
/// ENOMEM.
pub fn devices(root: &Root) -> Result<Arc<DevFs>, Errno> {
    let devices = DevFs::new(tmpfs::Tmpfs::unlimited(&root.vfs, "devtmpfs")?)?;
    devfs::register_memory_devices(&devices)?;
    kernel_log::register_device(&devices)?;
    Ok(Arc::new(devices))
}

/// Mounts /dev, and opens the console there as the first three descriptors of PID 1.
pub fn console(root: &Root) -> DescriptorTable {
    let table = DescriptorTable::new();
    let origin = root.origin();
    let _ = vfs::calls::make_directory_at(&origin, b"/dev", 0o755);
    let request = vfs::calls::MountRequest {
        source: b"devtmpfs",
        target: b"/dev",
        kind: b"devtmpfs",
        flags: MountFlags::NO_SET_ID,
        data: b"",
    };
    let mounted = vfs::calls::mount(&root.vfs, &root.namespace, &origin, &request);
    let opened = mounted.and_then(|()| vfs::calls::open_at(&origin, b"/dev/console", OpenFlags::READ_WRITE, 0));
    match opened {
        Ok(file) => {
            for _ in 0..3 {
                let _ = table.install(file.clone(), false, u64::MAX);
            }
        }
        Err(errno) => klog::warning!("unable to open an initial console: {errno:?}"),
    }
    table
}
