//! A root to unpack into, and an archive with one of everything.
#![allow(dead_code, reason = "each test uses a part")]
use abi::Errno;
use abi::file::{AtFlags, DeviceNumber, FileType, OpenFlags, Stat};
use abi::time::Timespec;
use initramfs::{Failure, Reason, Source, Summary, unpack};
use memory::Writer;
use std::sync::Arc;
use vfs::{Clock, Credentials, FsContext, Origin, Vfs, calls};

struct Still;

impl Clock for Still {
    fn now(&self) -> Timespec {
        Timespec { seconds: 1_000_000_000, nanoseconds: 0 }
    }
}

pub struct World {
    context: FsContext,
    credentials: Arc<Credentials>,
    pub warnings: Vec<(Vec<u8>, Errno)>,
}

impl World {
    pub fn new() -> Self {
        let vfs = Vfs::new(Arc::new(Still));
        let superblock = tmpfs::Tmpfs::unlimited(&vfs, "rootfs").unwrap();
        let root = calls::mount_root(&superblock, b"none").unwrap().root_path();
        let context = FsContext { root: root.clone(), current: root, umask: 0 };
        Self { context, credentials: Arc::new(Credentials::root()), warnings: Vec::new() }
    }

    pub fn unpack(&mut self, source: &mut dyn Source) -> Result<Summary, Failure> {
        let Self { context, credentials, warnings } = self;
        let origin = Origin { context, credentials, start: None };
        unpack(source, &origin, &mut |name, error| warnings.push((name.to_vec(), error)))
    }

    fn origin(&self) -> Origin<'_> {
        Origin { context: &self.context, credentials: &self.credentials, start: None }
    }

    pub fn stat(&self, path: &str) -> Stat {
        calls::stat_at(&self.origin(), path.as_bytes(), AtFlags::SYMLINK_NO_FOLLOW).unwrap()
    }

    pub fn read(&self, path: &str) -> Vec<u8> {
        let file = calls::open_at(&self.origin(), path.as_bytes(), OpenFlags::empty(), 0).unwrap();
        let mut bytes = vec![0; 300_000];
        let count = file.read(&mut Writer::kernel(&mut bytes)).unwrap();
        bytes.truncate(count);
        bytes
    }
}

pub struct Member<'a> {
    pub name: &'a str,
    pub mode: u32,
    pub inode: u32,
    pub links: u32,
    pub device: DeviceNumber,
    pub body: &'a [u8],
}

pub const FILE: Member<'static> =
    Member { name: "", mode: 0o100644, inode: 0, links: 1, device: DeviceNumber::new(0, 0), body: b"" };

pub fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

pub fn add(archive: &mut Vec<u8>, member: &Member<'_>) {
    let sum: u32 = member.body.iter().map(|&byte| u32::from(byte)).sum();
    let DeviceNumber { major, minor } = member.device;
    let (name, body) = (member.name.as_bytes(), member.body);
    let (name_size, size) = (name.len() as u32 + 1, body.len() as u32);
    let fields = [member.inode, member.mode, 7, 8, member.links, 1234, size, 3, 1, major, minor, name_size, sum];
    archive.extend_from_slice(b"070702");
    fields.iter().for_each(|field| archive.extend_from_slice(format!("{field:08x}").as_bytes()));
    archive.extend_from_slice(name);
    archive.push(0);
    pad(archive);
    archive.extend_from_slice(body);
    pad(archive);
}

pub fn finish(archive: &mut Vec<u8>) {
    add(archive, &Member { name: "TRAILER!!!", mode: 0, ..FILE });
}

pub fn example() -> Vec<u8> {
    let mut archive = Vec::new();
    add(&mut archive, &Member { name: ".", mode: 0o40755, links: 2, ..FILE });
    add(&mut archive, &Member { name: "etc", mode: 0o40750, links: 2, ..FILE });
    add(&mut archive, &Member { name: "etc/file", body: b"contents", ..FILE });
    add(&mut archive, &Member { name: "etc/empty", mode: 0o104755, ..FILE });
    add(&mut archive, &Member { name: "etc/link", mode: 0o120777, body: b"file", ..FILE });
    add(&mut archive, &Member { name: "null", mode: 0o20666, device: DeviceNumber::new(1, 3), ..FILE });
    add(&mut archive, &Member { name: "fifo", mode: 0o10600, ..FILE });
    add(&mut archive, &Member { name: "first", inode: 9, links: 2, ..FILE });
    add(&mut archive, &Member { name: "second", inode: 9, links: 2, body: b"shared", ..FILE });
    finish(&mut archive);
    archive
}

pub fn check(world: &World) {
    assert_eq!(world.warnings, []);
    assert_eq!(world.read("/etc/link"), b"contents");
    let file = world.stat("/etc/file");
    assert_eq!((file.mode, file.user, file.group, file.modified.seconds), (0o100644, 7, 8, 1234));
    let folder = world.stat("/etc");
    assert_eq!((folder.mode, folder.modified.seconds), (0o40750, 1234));
    assert_eq!(world.stat("/etc/empty").mode, 0o104755);
    let null = world.stat("/null");
    assert_eq!((FileType::of_mode(null.mode), null.special), (Some(FileType::CharacterDevice), 0x103));
    assert_eq!(FileType::of_mode(world.stat("/fifo").mode), Some(FileType::Fifo));
    assert_eq!(world.stat("/first").inode, world.stat("/second").inode);
    assert_eq!((world.stat("/first").links, world.read("/first")), (2, b"shared".to_vec()));
    assert_eq!(world.stat("/").mode, 0o40755);
}

/// Shows few bytes at a time.
pub struct Drops<'a>(pub &'a [u8], pub usize);

impl Source for Drops<'_> {
    fn peek(&mut self) -> Result<&[u8], Reason> {
        Ok(&self.0[..self.0.len().min(self.1)])
    }
    fn consume(&mut self, count: usize) {
        assert!(count <= self.1);
        self.0 = &self.0[count..];
    }
}
