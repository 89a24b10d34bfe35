//! A small system of one tmpfs.
#![allow(dead_code, reason = "each test uses a part")]
use abi::Errno;
use abi::file::{AtFlags, OpenFlags, Stat};
use abi::time::Timespec;
use memory::{Reader, Writer};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use vfs::{Clock, Credentials, FsContext, Namespace, OpenFile, Origin, SuperBlock, Vfs, calls};

/// Every look at it is a second later.
pub struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Timespec {
        Timespec { seconds: self.0.fetch_add(1, Ordering::Relaxed), nanoseconds: 0 }
    }
}

pub struct World {
    pub vfs: Arc<Vfs>,
    pub superblock: Arc<SuperBlock>,
    pub namespace: Namespace,
    pub context: FsContext,
    pub credentials: Arc<Credentials>,
}

impl World {
    pub fn new() -> Self {
        let vfs = Vfs::new(Arc::new(Ticks(AtomicI64::new(1))));
        vfs.register(Arc::new(tmpfs::TmpfsType::new("tmpfs", 4096)));
        let superblock = tmpfs::Tmpfs::unlimited(&vfs, "rootfs").unwrap();
        let mount = calls::mount_root(&superblock, b"none").unwrap();
        let root = mount.root_path();
        let context = FsContext { root: root.clone(), current: root, umask: 0o022 };
        let namespace = Namespace::new(mount);
        Self { vfs, superblock, namespace, context, credentials: Arc::new(Credentials::root()) }
    }

    pub fn origin(&self) -> Origin<'_> {
        Origin { context: &self.context, credentials: &self.credentials, start: None }
    }

    pub fn open(&self, path: &str, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
        calls::open_at(&self.origin(), path.as_bytes(), flags, 0o666)
    }

    pub fn create(&self, path: &str) -> Arc<OpenFile> {
        self.open(path, OpenFlags::CREATE | OpenFlags::READ_WRITE).unwrap()
    }

    pub fn write(&self, path: &str, bytes: &[u8]) {
        assert_eq!(self.create(path).write(&mut Reader::kernel(bytes), u64::MAX), Ok(bytes.len()));
    }

    pub fn read(&self, path: &str) -> Result<Vec<u8>, Errno> {
        read_all(&*self.open(path, OpenFlags::empty())?)
    }

    pub fn stat(&self, path: &str) -> Result<Stat, Errno> {
        calls::stat_at(&self.origin(), path.as_bytes(), AtFlags::empty())
    }

    pub fn lstat(&self, path: &str) -> Result<Stat, Errno> {
        calls::stat_at(&self.origin(), path.as_bytes(), AtFlags::SYMLINK_NO_FOLLOW)
    }

    pub fn mkdir(&self, path: &str) -> Result<(), Errno> {
        calls::make_directory_at(&self.origin(), path.as_bytes(), 0o777)
    }

    pub fn unlink(&self, path: &str) -> Result<(), Errno> {
        calls::unlink_at(&self.origin(), path.as_bytes())
    }

    pub fn rmdir(&self, path: &str) -> Result<(), Errno> {
        calls::remove_directory_at(&self.origin(), path.as_bytes())
    }

    pub fn symlink(&self, target: &str, path: &str) -> Result<(), Errno> {
        calls::symlink_at(&self.origin(), target.as_bytes(), path.as_bytes())
    }

    pub fn link(&self, old: &str, new: &str) -> Result<(), Errno> {
        calls::link_at(&self.origin(), old.as_bytes(), &self.origin(), new.as_bytes(), false)
    }

    pub fn rename(&self, old: &str, new: &str, flags: abi::file::RenameFlags) -> Result<(), Errno> {
        calls::rename_at(&self.origin(), old.as_bytes(), &self.origin(), new.as_bytes(), flags)
    }

    pub fn names(&self, path: &str) -> Vec<String> {
        let folder = self.open(path, OpenFlags::DIRECTORY).unwrap();
        let mut names = Vec::new();
        folder
            .for_each_entry(&mut |entry| {
                names.push(String::from_utf8_lossy(entry.name).into_owned());
                true
            })
            .unwrap();
        names
    }
}

pub fn read_all(file: &OpenFile) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::new();
    loop {
        let mut bytes = [0; 500];
        match file.read(&mut Writer::kernel(&mut bytes))? {
            0 => return Ok(all),
            count => all.extend_from_slice(&bytes[..count]),
        }
    }
}
