//! One archive as Debian's zstd and xz compress it (`data/README.md` says how), whole, in pieces, beside others, and damaged.
mod world;

use initramfs::Reason;
use proptest::prelude::*;
use world::{Drops, FILE, Member, World, add, check, example, finish, pad};

const UNCHECKED: &str = "zstd --ultra -22 --no-check";

const FORMS: [(&str, &[u8]); 6] = [
    ("zstd -19 --check", include_bytes!("data/level-19.zst")),
    ("zstd --fast from a stream", include_bytes!("data/stream.zst")),
    (UNCHECKED, include_bytes!("data/level-22.zst")),
    ("xz -9e", include_bytes!("data/level-9.xz")),
    ("xz --check=crc32 --block-size=65536 -0", include_bytes!("data/blocks.xz")),
    ("xz --check=sha256 --x86", include_bytes!("data/filter.xz")),
];

/// A body with text in it, pieces of it again, and noise.
fn body() -> Vec<u8> {
    let noise = |index: u32| (index.wrapping_mul(index) >> 7) as u8;
    let line = |index: u32| format!("line {index} of {}\n", index % 7).into_bytes();
    let mut bytes: Vec<u8> = (0..5_000).flat_map(line).collect();
    bytes.extend((0..60_000).map(noise));
    bytes.extend_from_within(20_000..90_000);
    bytes
}

fn archive() -> Vec<u8> {
    let mut bytes = Vec::new();
    add(&mut bytes, &Member { name: "large", body: &body(), ..FILE });
    bytes.extend(example());
    bytes
}

/// Writes what `data/` holds in compressed form.
#[test]
#[ignore = "only to make data/ anew"]
fn write_archive() {
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/archive.cpio"), archive()).unwrap();
}

fn check_all(world: &World) {
    check(world);
    assert!(world.read("/large") == body());
}

#[test]
fn each_form_unpacks() {
    for (form, bytes) in FORMS {
        for step in [1, 7, 1000, 4096, usize::MAX] {
            let mut world = World::new();
            let summary = world.unpack(&mut Drops(bytes, step)).unwrap_or_else(|failure| panic!("{form}: {failure}"));
            assert_eq!((summary.archives, summary.members), (1, 10), "{form}");
            check_all(&world);
        }
    }
}

#[test]
fn forms_follow_one_another() {
    let mut buffer = example();
    for (index, (_, bytes)) in FORMS.into_iter().enumerate() {
        buffer.extend(bytes);
        buffer.extend(vec![0; index]);
        pad(&mut buffer);
        add(&mut buffer, &Member { name: "between", body: &[index as u8], ..FILE });
        finish(&mut buffer);
    }
    let mut world = World::new();
    assert_eq!(world.unpack(&mut Drops(&buffer, 4096)).unwrap().archives, 1 + 2 * FORMS.len() as u32);
    check_all(&world);
    assert_eq!(world.read("/between"), [5]);
}

#[test]
fn each_cut_is_told() {
    for (form, bytes) in FORMS {
        for length in (1..bytes.len()).rev().step_by(97) {
            let failure = World::new().unpack(&mut Drops(&bytes[..length], 4096)).unwrap_err();
            assert_eq!((failure.reason, failure.position), (Reason::Truncated, length as u64), "{form}");
        }
    }
}

/// Where there is a checksum over what comes out.
#[test]
fn each_damage_is_told() {
    for (form, bytes) in FORMS.into_iter().filter(|(form, _)| *form != UNCHECKED) {
        for at in (bytes.len() / 2..bytes.len() - 40).step_by(211) {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 0x10;
            let failure = World::new().unpack(&mut Drops(&damaged, 4096)).expect_err(form);
            assert!(
                !matches!(failure.reason, Reason::Full(_) | Reason::Window(_) | Reason::Memory),
                "{form} at {at}: {failure}"
            );
        }
    }
}

#[test]
fn windows_have_a_limit() {
    let fail = |bytes: &[u8]| World::new().unpack(&mut &bytes[..]).unwrap_err().reason;
    // A frame without a stated size, its window 2^41 bytes, 256 MiB, and one whose content is one segment of 2^40 bytes.
    assert_eq!(fail(b"\x28\xb5\x2f\xfd\x00\xf8"), Reason::Window(1 << 41));
    assert_eq!(fail(b"\x28\xb5\x2f\xfd\x00\x90"), Reason::Window(1 << 28));
    assert_eq!(fail(b"\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\x01\0\0"), Reason::Window(1 << 40));
    assert_eq!(fail(b"\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\xff"), Reason::Window(u64::MAX));
    // 128 MiB are what Linux grants.
    assert_eq!(fail(b"\x28\xb5\x2f\xfd\x00\x88"), Reason::Truncated);
    // Dictionaries are nowhere to be had.
    assert_eq!(fail(b"\x28\xb5\x2f\xfd\x21\x01\x10"), Reason::BadCompression);
}

proptest! {
    /// Whatever it is, it ends, and without a panic.
    #[test]
    fn damage_is_survived(
        form in 0..FORMS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        early in prop::collection::vec((0..200usize, any::<u8>()), 0..4),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = FORMS[form].1.to_vec();
        for (at, byte) in changes.into_iter().map(|(index, byte)| (index.index(FORMS[form].1.len()), byte)).chain(early) {
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        let _ = World::new().unpack(&mut &bytes[..]);
    }

    #[test]
    fn noise_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
        // A frame of zstd with compressed blocks, and a stream of xz with a block of LZMA2.
        let zstd = &[0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x38][..];
        for start in [zstd, &FORMS[3].1[..24]] {
            let mut with_start = start.to_vec();
            with_start.extend(&bytes);
            let _ = World::new().unpack(&mut &with_start[..]);
        }
        let mut block = zstd.to_vec();
        block.extend((bytes.len() as u32 * 8 + 5).to_le_bytes()[..3].iter());
        block.extend(&bytes);
        let _ = World::new().unpack(&mut &block[..]);
    }
}
