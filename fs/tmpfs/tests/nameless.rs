//! Files without names: their pages, seals and space; extended attributes.
mod world;
use abi::Errno;
use abi::file::AllocateFlags;
use memory::{Reader, Writer};
use tmpfs::NamelessFiles;
use vfs::calls::{Place, get_attribute, list_attributes, set_attribute};
use vfs::{Last, OpenFile, Seals, SetMode};
use world::World;

const PAGE: u64 = 4096;

fn write(file: &OpenFile, at: u64, length: usize) -> Result<usize, Errno> {
    file.write_at(at, &mut Reader::kernel(&vec![7; length]), u64::MAX)
}

#[test]
fn seals_hold() {
    let world = World::new();
    let files = NamelessFiles::new(&world.vfs).unwrap();
    let file = files.open(b"memfd:name", 0, 0o777, &world.credentials).unwrap();
    assert_eq!(file.path().text(&world.context.root).unwrap(), b"/memfd:name (deleted)");
    assert_eq!(file.add_seals(Seals::GROW.bits()), Err(Errno::EPERM), "sealed against seals by default");
    file.inode().set_first_seals(Seals::empty());
    assert_eq!(write(&file, 0, 6000), Ok(6000));
    assert_eq!(file.add_seals(0x100), Err(Errno::EINVAL));
    file.add_seals((Seals::GROW | Seals::SHRINK).bits()).unwrap();
    assert_eq!((file.truncate(5000, u64::MAX), file.truncate(7000, u64::MAX)), (Err(Errno::EPERM), Err(Errno::EPERM)));
    assert_eq!(write(&file, 0, 7000), Ok(4096), "the last page would grow the file");
    assert_eq!(write(&file, 5990, 20), Err(Errno::EPERM));
    file.add_seals((Seals::WRITE | Seals::SEAL).bits()).unwrap();
    assert_eq!(write(&file, 0, 1), Err(Errno::EPERM));
    let hole = AllocateFlags::PUNCH_HOLE | AllocateFlags::KEEP_SIZE;
    assert_eq!(file.allocate(hole, 0, PAGE, u64::MAX), Err(Errno::EPERM));
    assert_eq!(file.add_seals(Seals::EXECUTE.bits()), Err(Errno::EPERM));
    assert_eq!(file.inode().admits_shared_writing(false), None);
    drop(file);
    assert_eq!(world.vfs.cached_pages(), (0, 0));
}

#[test]
fn space_is_set_aside_and_given_back() {
    let world = World::new();
    let file = world.create("/file");
    file.allocate(AllocateFlags::empty(), 100, 3 * PAGE, u64::MAX).unwrap();
    assert_eq!((file.inode().size(), file.inode().cached_pages()), (3 * PAGE + 100, 4));
    file.allocate(AllocateFlags::KEEP_SIZE, 10 * PAGE, PAGE, u64::MAX).unwrap();
    assert_eq!(file.inode().size(), 3 * PAGE + 100);
    assert_eq!(write(&file, 0, 3 * PAGE as usize), Ok(3 * PAGE as usize));
    let hole = AllocateFlags::PUNCH_HOLE | AllocateFlags::KEEP_SIZE;
    file.allocate(hole, PAGE - 10, PAGE + 20, u64::MAX).unwrap();
    assert_eq!(file.inode().cached_pages(), 3);
    let mut bytes = [1; 30];
    file.read_at(2 * PAGE - 5, &mut Writer::kernel(&mut bytes)).unwrap();
    assert!(bytes[..15].iter().all(|&byte| byte == 0) && bytes[15..].iter().all(|&byte| byte == 7));
    assert_eq!(file.allocate(AllocateFlags::ZERO_RANGE, 0, 1, u64::MAX), Err(Errno::EOPNOTSUPP));
    assert_eq!(file.allocate(AllocateFlags::empty(), i64::MAX as u64, 2, u64::MAX), Err(Errno::EFBIG));
    world.mkdir("/small").unwrap();
    let request = vfs::calls::MountRequest {
        source: b"none",
        target: b"/small",
        kind: b"tmpfs",
        flags: abi::file::MountFlags::empty(),
        data: b"size=8k,nr_inodes=3",
    };
    vfs::calls::mount(&world.vfs, &world.namespace, &world.origin(), &request).unwrap();
    let file = world.create("/small/file");
    assert_eq!(file.allocate(AllocateFlags::empty(), 0, 3 * PAGE, u64::MAX), Err(Errno::ENOSPC));
    assert_eq!((file.inode().size(), file.inode().cached_pages()), (0, 0));
    let set = |name: &[u8], length: usize| {
        let place = Place::Path(b"/small/file", Last::Follow);
        set_attribute(&world.origin(), place, name, Some(vec![1; length]), SetMode::Any)
    };
    assert_eq!(set(b"user.large", 4000), Err(Errno::ENOSPC));
    assert_eq!((set(b"user.some", 2000), set(b"trusted.large", 4000)), (Ok(()), Ok(())));
}

#[test]
fn attributes_by_kind_of_name() {
    let world = World::new();
    world.create("/file");
    let origin = world.origin();
    let place = || Place::Path(b"/file", Last::Follow);
    let set = |name: &[u8]| set_attribute(&origin, place(), name, Some(b"value".to_vec()), SetMode::Any);
    assert_eq!(set(b"user."), Err(Errno::EINVAL));
    assert_eq!(set(b"system.posix_acl_access"), Err(Errno::EOPNOTSUPP));
    assert_eq!((set(b"user.b"), set(b"trusted.c"), set(b"security.a")), (Ok(()), Ok(()), Ok(())));
    assert_eq!(list_attributes(&origin, place()).unwrap(), b"security.a\0trusted.c\0user.b\0");
    assert_eq!(get_attribute(&origin, place(), b"user.b").unwrap().as_slice(), b"value");
    assert_eq!(get_attribute(&origin, place(), b"user.x"), Err(Errno::ENODATA));
    let user = std::sync::Arc::new(vfs::Credentials::user(5, 5));
    let other = vfs::Origin { credentials: &user, ..world.origin() };
    assert_eq!(list_attributes(&other, place()).unwrap(), b"security.a\0user.b\0");
    assert_eq!(get_attribute(&other, place(), b"trusted.c"), Err(Errno::ENODATA));
    let refused = set_attribute(&other, place(), b"trusted.c", None, SetMode::Any);
    assert_eq!(refused, Err(Errno::EPERM));
    let refused = set_attribute(&other, place(), b"user.b", None, SetMode::Any);
    assert_eq!(refused, Err(Errno::EACCES));
}
