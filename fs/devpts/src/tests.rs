use crate::options::Options;
use crate::{DevPtsType, Instance, Masters};
use abi::Errno;
use abi::file::{AtFlags, MountFlags, OpenFlags};
use std::sync::Arc;
use vfs::calls::MountRequest;
use vfs::{Credentials, FileOperations, FileSource, FsContext, Inode, Namespace, Origin, Vfs, calls};

struct NoTime;

impl vfs::Clock for NoTime {
    fn now(&self) -> abi::time::Timespec {
        abi::time::Timespec::default()
    }
}

struct Nothing;

impl FileOperations for Nothing {}

impl FileSource for Nothing {
    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        Ok(Arc::new(Nothing))
    }
}

/// A master that keeps a number for as long as it is open.
struct Kept(#[expect(dead_code, reason = "held, not looked at")] crate::Number);

impl FileOperations for Kept {}

struct Makers;

impl Masters for Makers {
    fn open(&self, instance: &Arc<Instance>, _: OpenFlags) -> Result<Arc<dyn FileOperations>, Errno> {
        let number = instance.take_number()?;
        number.show(&Credentials::root(), Arc::new(Nothing))?;
        Ok(Arc::new(Kept(number)))
    }
}

#[test]
fn options_as_linux_shows_them() {
    let shown = |data: &[u8]| {
        let mut text = String::new();
        Options::default().parse(data).map(|options| options.show(&mut text)).map(|()| text)
    };
    assert_eq!(shown(b"").unwrap(), ",mode=600,ptmxmode=000");
    assert_eq!(shown(b"gid=5,mode=620,newinstance,max=9").unwrap(), ",gid=5,mode=620,ptmxmode=000,max=9");
    assert_eq!(shown(b"mode=9"), Err(Errno::EINVAL));
    assert_eq!(shown(b"what"), Err(Errno::EINVAL));
}

#[test]
fn names_come_and_go() {
    let vfs = Vfs::new(Arc::new(NoTime));
    let root = calls::mount_root(&tmpfs::Tmpfs::unlimited(&vfs, "rootfs").unwrap(), b"rootfs").unwrap();
    let path = root.root_path();
    let context = FsContext { root: path.clone(), current: path, umask: 0 };
    let credentials = Arc::new(Credentials::root());
    let origin = Origin { context: &context, credentials: &credentials, start: None };
    let namespace = Namespace::new(root);
    vfs.register(Arc::new(DevPtsType::new(Arc::new(Makers))));
    for target in [&b"/a"[..], b"/b"] {
        calls::make_directory_at(&origin, target, 0o755).unwrap();
        let (data, flags) = (b"ptmxmode=666,max=2", MountFlags::empty());
        let request = MountRequest { source: b"none", target, kind: b"devpts", flags, data };
        calls::mount(&vfs, &namespace, &origin, &request).unwrap();
    }
    let open = || calls::open_at(&origin, b"/a/ptmx", OpenFlags::READ_WRITE, 0);
    let is_there = |name: &[u8]| calls::stat_at(&origin, name, AtFlags::empty()).is_ok();
    let (first, second) = (open().unwrap(), open().unwrap());
    assert_eq!(open().map(drop), Err(Errno::ENOSPC));
    assert!(is_there(b"/a/0") && is_there(b"/a/1") && !is_there(b"/b/0") && !is_there(b"/a/00"));
    drop(first);
    assert!(!is_there(b"/a/0"));
    let third = open().unwrap();
    assert!(is_there(b"/a/0"), "the lowest free number");
    drop((second, third));
    assert!(!is_there(b"/a/0") && !is_there(b"/a/1"));
    assert_eq!(calls::unlink_at(&origin, b"/a/ptmx"), Err(Errno::EPERM));
}
