//! Archives written by the test, whole and damaged.
mod world;

use abi::Errno;
use initramfs::{Reason, Summary};
use proptest::prelude::*;
use world::{Drops, FILE, Member, World, add, check, example, finish, pad};

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
    assert_eq!(fail(b"\0BZh9"), Err((Reason::Compression("bzip2"), 1)));
    assert_eq!(fail(b"\x28\xb5\x2f\xfd"), Err((Reason::Truncated, 4)));
    assert_eq!(fail(b"\x28\xb5\x2f\xfc\0"), Err((Reason::BadMagic, 5)));
    assert_eq!(fail(b"\0\xfd7zXZ\0"), Err((Reason::Truncated, 7)));
    assert_eq!(fail(b"\xfd7zXY\0 and so on"), Err((Reason::BadCompression, 6)));
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
