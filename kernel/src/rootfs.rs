//! The first file system: a tmpfs, filled from the initial RAM disk, and PID 1 in it.
use crate::kernel_log;
use abi::Errno;
use abi::file::{MountFlags, OpenFlags};
use alloc::boxed::Box;
use alloc::sync::Arc;
use boot::Information;
use core::ops::Range;
use devfs::DevFs;
use memory::PAGE_SIZE;
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
    let superblock = tmpfs::Tmpfs::unlimited(&vfs, "rootfs");
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
    let devices = DevFs::new(tmpfs::Tmpfs::unlimited(&root.vfs, "devtmpfs"))?;
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

/// The initial RAM disk, read a page at a time; a page that has been read belongs to the zones again.
struct RamDisk {
    position: u64,
    end: u64,
    /// Where the first page starts that is the disk's alone.
    whole_from: u64,
    page: Box<[u8; PAGE_SIZE]>,
}

impl RamDisk {
    fn new(range: Range<u64>) -> Self {
        let mut disk = Self {
            position: range.start,
            end: range.end,
            whole_from: range.start.next_multiple_of(PAGE_SIZE as u64),
            page: Box::new([0; PAGE_SIZE]),
        };
        disk.load();
        disk
    }

    /// Bytes from the position to the end of its page.
    fn length(&self) -> usize {
        let page_end = (self.position | (PAGE_SIZE as u64 - 1)) + 1;
        (page_end.min(self.end) - self.position) as usize
    }

    fn load(&mut self) {
        if self.position < self.end {
            let length = self.length();
            if !firmware::read(self.position, &mut self.page[..length]) {
                self.end = self.position;
            }
        }
    }
}

impl initramfs::Source for RamDisk {
    fn peek(&mut self) -> Result<&[u8], initramfs::Reason> {
        let length = if self.position < self.end { self.length() } else { 0 };
        Ok(&self.page[..length])
    }

    fn consume(&mut self, count: usize) {
        let length = self.length();
        self.position += count as u64;
        if count < length {
            self.page.copy_within(count..length, 0);
            return;
        }
        // Only whole pages of the disk are nobody else's.
        let page = (self.position - 1) / PAGE_SIZE as u64;
        if self.position.is_multiple_of(PAGE_SIZE as u64) && self.whole_from <= page * PAGE_SIZE as u64 {
            memory::zones::release(page as u32..page as u32 + 1);
        }
        self.load();
    }
}

/// Unpacks the initial RAM disk, and gives its pages back to the zones.
pub fn unpack(root: &Root, information: &Information) {
    let Some(range) = information.initial_ram_disk.clone() else { return };
    klog::info!("Unpacking initramfs...");
    let mut warn = |name: &[u8], errno: Errno| {
        klog::warning!("initramfs: {}: {errno:?}", core::str::from_utf8(name).unwrap_or("?"))
    };
    if let Err(failure) = initramfs::unpack(&mut RamDisk::new(range), &root.origin(), &mut warn) {
        match failure.reason {
            initramfs::Reason::Compression(name) => {
                klog::error!("Initramfs unpacking failed: compression method {name} not configured");
            }
            reason => klog::error!("Initramfs unpacking failed: {reason:?} at byte {}", failure.position),
        }
    }
}
