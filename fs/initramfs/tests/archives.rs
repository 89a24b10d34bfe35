//! Archives written by the test, whole and damaged.
use abi::Errno;
use abi::file::{AtFlags, DeviceNumber, FileType, OpenFlags, Stat};
use abi::time::Timespec;
use initramfs::{Failure, Reason, Source, Summary, unpack};
use memory::Writer;
use proptest::prelude::*;
use std::sync::Arc;
use vfs::{Clock, Credentials, FsContext, Origin, Vfs, calls};

struct Still;

impl Clock for Still {
    fn now(&self) -> Timespec {
        Timespec { seconds: 1_000_000_000, nanoseconds: 0 }
    }
}

struct World {
    context: FsContext,
    credentials: Arc<Credentials>,
    warnings: Vec<(Vec<u8>, Errno)>,
}

impl World {
    fn new() -> Self {
        let vfs = Vfs::new(Arc::new(Still));
        let superblock = tmpfs::Tmpfs::unlimited(&vfs, "rootfs");
        let root = calls::mount_root(&superblock, b"none").unwrap().root_path();
        let context = FsContext { root: root.clone(), current: root, umask: 0 };
        Self { context, credentials: Arc::new(Credentials::root()), warnings: Vec::new() }
    }

    fn unpack(&mut self, source: &mut dyn Source) -> Result<Summary, Failure> {
        let Self { context, credentials, warnings } = self;
        let origin = Origin { context, credentials, start: None };
        unpack(source, &origin, &mut |name, error| warnings.push((name.to_vec(), error)))
    }

    fn origin(&self) -> Origin<'_> {
        Origin { context: &self.context, credentials: &self.credentials, start: None }
    }

    fn stat(&self, path: &str) -> Stat {
        calls::stat_at(&self.origin(), path.as_bytes(), AtFlags::SYMLINK_NO_FOLLOW).unwrap()
    }

    fn read(&self, path: &str) -> Vec<u8> {
        let file = calls::open_at(&self.origin(), path.as_bytes(), OpenFlags::empty(), 0).unwrap();
        let mut bytes = vec![0; 100_000];
        let count = file.read(&mut Writer::kernel(&mut bytes)).unwrap();
        bytes.truncate(count);
        bytes
    }
}

struct Member<'a> {
    name: &'a str,
    mode: u32,
    inode: u32,
    links: u32,
    device: DeviceNumber,
    body: &'a [u8],
}

const FILE: Member<'static> =
    Member { name: "", mode: 0o100644, inode: 0, links: 1, device: DeviceNumber::new(0, 0), body: b"" };

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

fn add(archive: &mut Vec<u8>, member: &Member<'_>) {
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

fn finish(archive: &mut Vec<u8>) {
    add(archive, &Member { name: "TRAILER!!!", mode: 0, ..FILE });
}

fn example() -> Vec<u8> {
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

fn check(world: &World) {
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
struct Drops<'a>(&'a [u8], usize);

impl Source for Drops<'_> {
    fn peek(&mut self) -> Result<&[u8], Reason> {
        Ok(&self.0[..self.0.len().min(self.1)])
    }
    fn consume(&mut self, count: usize) {
        assert!(count <= self.1);
        self.0 = &self.0[count..];
    }
}

#[test]
fn everything_is_made() {
    let archive = example();
    for step in [1, 3, 4096] {
        let mut world = World::new();
        let summary = world.unpack(&mut Drops(&archive, step)).unwrap();
        assert_eq!((summary.archives, summary.members, summary.bytes, summary.skipped), (1, 9, 14, 0));
        check(&world);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut table = [0u32; 256];
    for (index, entry) in table.iter_mut().enumerate() {
        *entry = (0..8).fold(index as u32, |value, _| (value >> 1) ^ (0xedb8_8320 * (value & 1)));
    }
    let sum = !bytes.iter().fold(!0u32, |sum, byte| table[usize::from(sum as u8 ^ byte)] ^ (sum >> 8));
    let mut packed = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
    packed.extend_from_slice(b"name\0");
    packed.extend(miniz_oxide::deflate::compress_to_vec(bytes, 6));
    packed.extend_from_slice(&sum.to_le_bytes());
    packed.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    packed
}

#[test]
fn compressed_and_concatenated() {
    let mut second = Vec::new();
    // The same inode number in another archive is another file.
    add(&mut second, &Member { name: "third", inode: 9, links: 2, body: b"other", ..FILE });
    let large: Vec<u8> = (0..90_000u32).map(|index| (index.wrapping_mul(index) >> 7) as u8).collect();
    add(&mut second, &Member { name: "large", body: &large, ..FILE });
    finish(&mut second);
    second.extend([0; 500]);
    let mut buffer = gzip(&example());
    buffer.extend([0; 37]);
    buffer.extend(gzip(&second));
    pad(&mut buffer);
    let mut last = Vec::new();
    add(&mut last, &Member { name: "etc/file", body: b"replaced", ..FILE });
    finish(&mut last);
    buffer.extend(&last);
    buffer.extend([0; 3]);
    for step in [1, 100, 4096] {
        let mut world = World::new();
        let summary = world.unpack(&mut Drops(&buffer, step)).unwrap();
        assert_eq!((summary.archives, summary.members), (3, 12));
        assert_eq!(world.read("/etc/link"), b"replaced");
        assert_eq!(world.read("/third"), b"other");
        assert!(world.read("/large") == large);
    }
    let mut damaged = gzip(&second);
    let middle = damaged.len() - 6;
    damaged[middle] ^= 1;
    assert_eq!(World::new().unpack(&mut &damaged[..]).unwrap_err().reason, Reason::BadCompression);
    let cut = gzip(&second);
    assert_eq!(World::new().unpack(&mut &cut[..cut.len() - 20]).unwrap_err().reason, Reason::Truncated);
}

#[test]
fn what_cannot_be_made_is_skipped() {
    let mut archive = Vec::new();
    add(&mut archive, &Member { name: "missing/file", body: b"lost", ..FILE });
    add(&mut archive, &Member { name: "strange", mode: 0o170000, body: b"lost", ..FILE });
    add(&mut archive, &Member { name: "kept", body: b"kept", ..FILE });
    finish(&mut archive);
    let mut world = World::new();
    let summary = world.unpack(&mut &archive[..]).unwrap();
    assert_eq!((summary.members, summary.skipped), (3, 2));
    assert_eq!(world.warnings[0], (b"missing/file".to_vec(), Errno::ENOENT));
    assert_eq!(world.warnings[1], (b"strange".to_vec(), Errno::EINVAL));
    assert_eq!(world.read("/kept"), b"kept");
    let mut wrong = archive.clone();
    let at = wrong.windows(4).rposition(|bytes| bytes == b"kept").unwrap();
    wrong[at] = b'K';
    let mut world = World::new();
    world.unpack(&mut &wrong[..]).unwrap();
    assert_eq!(world.warnings[2], (b"kept".to_vec(), Errno::EBADMSG));
}

#[test]
fn what_is_no_archive_is_told_apart() {
    let fail =
        |bytes: &[u8]| World::new().unpack(&mut &bytes[..]).map_err(|failure| (failure.reason, failure.position));
    assert_eq!(fail(b""), Ok(Summary::default()));
    assert_eq!(fail(&[0; 100]), Ok(Summary::default()));
    assert_eq!(fail(b"\0\0MZ"), Err((Reason::BadMagic, 2)));
    assert_eq!(fail(b"\x28\xb5\x2f\xfd"), Err((Reason::Compression("zstd"), 0)));
    assert_eq!(fail(b"\0\xfd7zXZ\0"), Err((Reason::Compression("xz"), 1)));
    assert_eq!(fail(b"0707"), Err((Reason::Truncated, 4)));
    assert_eq!(fail(&[b'0'; 200]), Err((Reason::BadMagic, 110)));
    let mut old = example();
    old[5] = b'7';
    assert_eq!(fail(&old), Err((Reason::OldFormat, 110)));
}

proptest! {
    /// Whatever it is, it ends, and without a panic.
    #[test]
    fn damage_is_survived(
        packed in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        digits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"0123456789abcdefF".to_vec())), 0..8),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = if packed { gzip(&example()) } else { example() };
        for (index, byte) in changes.into_iter().chain(digits) {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        let _ = World::new().unpack(&mut &bytes[..]);
    }

    #[test]
    fn noise_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = World::new().unpack(&mut &bytes[..]);
        let mut with_magic = b"070701".to_vec();
        with_magic.extend(&bytes);
        let _ = World::new().unpack(&mut &with_magic[..]);
    }
}
