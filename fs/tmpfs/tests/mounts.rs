//! Mounts: crossing, busy ones, binding, moving, pivoting, and what they free.
mod world;

use abi::Errno;
use abi::file::{MountFlags, OpenFlags, UnmountFlags};
use std::sync::atomic::Ordering::Relaxed;
use vfs::calls::{self, MountRequest};
use world::World;

fn request<'a>(source: &'a str, target: &'a str, flags: MountFlags) -> MountRequest<'a> {
    MountRequest { source: source.as_bytes(), target: target.as_bytes(), kind: b"tmpfs", flags, data: b"" }
}

fn mount(world: &World, source: &str, target: &str, flags: MountFlags) -> Result<(), Errno> {
    calls::mount(&world.vfs, &world.namespace, &world.origin(), &request(source, target, flags))
}

fn unmount(world: &World, target: &str, flags: UnmountFlags) -> Result<(), Errno> {
    calls::unmount(&world.namespace, &world.origin(), target.as_bytes(), flags)
}

fn info(world: &World) -> String {
    let mut rows = Vec::new();
    for mount in world.namespace.mounts() {
        calls::mount_info(&mount, &world.context.root, &mut rows).unwrap();
    }
    String::from_utf8(rows).unwrap()
}

#[test]
fn a_mount_covers_and_uncovers() {
    let world = World::new();
    world.mkdir("/mnt").unwrap();
    world.write("/mnt/below", b"covered");
    mount(&world, "tmpfs", "/mnt", MountFlags::empty()).unwrap();
    assert_eq!(world.read("/mnt/below"), Err(Errno::ENOENT));
    world.write("/mnt/above", b"covering");
    assert_ne!(world.stat("/mnt").unwrap().device, world.stat("/").unwrap().device);
    assert_eq!(world.rmdir("/mnt"), Err(Errno::EBUSY));
    assert_eq!(world.rename("/mnt", "/other", Default::default()), Err(Errno::EBUSY));
    assert_eq!(world.rename("/mnt/above", "/above", Default::default()), Err(Errno::EXDEV));
    assert_eq!(world.link("/mnt/above", "/above"), Err(Errno::EXDEV));
    assert_eq!(world.stat("/mnt/..").unwrap().inode, world.stat("/").unwrap().inode);
    let superblock = world.open("/mnt", OpenFlags::DIRECTORY).unwrap().inode().superblock().clone();
    let file = world.open("/mnt/above", OpenFlags::empty()).unwrap();
    assert_eq!(file.path().text(&world.context.root).unwrap(), b"/mnt/above");
    assert_eq!(unmount(&world, "/mnt", UnmountFlags::empty()), Err(Errno::EBUSY));
    drop(file);
    assert_eq!(unmount(&world, "/mnt", UnmountFlags::empty()), Ok(()));
    assert_eq!(world.read("/mnt/below").unwrap(), b"covered");
    assert_eq!(superblock.counters.inodes.load(Relaxed), 0);
    assert_eq!(superblock.counters.dentries.load(Relaxed), 0);
    assert_eq!(unmount(&world, "/mnt", UnmountFlags::empty()), Err(Errno::EINVAL));
    assert_eq!(mount(&world, "x", "/none", MountFlags::empty()), Err(Errno::ENOENT));
    assert_eq!(mount(&world, "x", "/mnt/below", MountFlags::empty()), Err(Errno::ENOTDIR));
}

#[test]
fn a_lazy_unmount_lets_users_finish() {
    let world = World::new();
    world.mkdir("/mnt").unwrap();
    mount(&world, "tmpfs", "/mnt", MountFlags::empty()).unwrap();
    world.mkdir("/mnt/inner").unwrap();
    mount(&world, "tmpfs", "/mnt/inner", MountFlags::empty()).unwrap();
    world.write("/mnt/file", b"contents");
    let file = world.open("/mnt/file", OpenFlags::empty()).unwrap();
    let superblock = file.inode().superblock().clone();
    assert_eq!(unmount(&world, "/mnt", UnmountFlags::empty()), Err(Errno::EBUSY));
    assert_eq!(unmount(&world, "/mnt", UnmountFlags::DETACH), Ok(()));
    assert_eq!(world.names("/mnt").len(), 2);
    assert_eq!(world::read_all(&file).unwrap(), b"contents");
    drop(file);
    assert_eq!(superblock.counters.inodes.load(Relaxed), 0);
    assert_eq!(world.namespace.mounts().len(), 1);
}

#[test]
fn binds_show_the_same_files() {
    let world = World::new();
    for folder in ["/a", "/a/deep", "/a/deep/mnt", "/b", "/c"] {
        world.mkdir(folder).unwrap();
    }
    mount(&world, "tmpfs", "/a/deep/mnt", MountFlags::empty()).unwrap();
    world.write("/a/deep/mnt/file", b"x");
    mount(&world, "/a/deep", "/b", MountFlags::BIND).unwrap();
    assert_eq!(world.names("/b/mnt").len(), 2, "without what is mounted below");
    mount(&world, "/a/deep", "/c", MountFlags::BIND | MountFlags::RECURSIVE).unwrap();
    assert_eq!(world.read("/c/mnt/file").unwrap(), b"x");
    assert_eq!(world.stat("/b/..").unwrap().inode, world.stat("/").unwrap().inode);
    world.write("/b/new", b"seen from both");
    assert_eq!(world.read("/a/deep/new").unwrap(), b"seen from both");
    // Read-only through one mount alone.
    let flags = MountFlags::BIND | MountFlags::REMOUNT | MountFlags::READ_ONLY;
    mount(&world, "", "/b", flags).unwrap();
    assert_eq!(world.open("/b/new", OpenFlags::WRITE_ONLY).err(), Some(Errno::EROFS));
    assert_eq!(world.mkdir("/b/x"), Err(Errno::EROFS));
    assert_eq!(world.unlink("/b/new"), Err(Errno::EROFS));
    world.mkdir("/a/deep/x").unwrap();
    let rows = info(&world);
    assert!(rows.contains(" /a/deep /b ro,relatime - rootfs none rw\n"), "{rows}");
    // A file can be covered by a file.
    world.create("/plain");
    assert_eq!(mount(&world, "/a/deep/new", "/plain", MountFlags::BIND), Ok(()));
    assert_eq!(world.read("/plain").unwrap(), b"seen from both");
    assert_eq!(world.unlink("/plain"), Err(Errno::EBUSY));
    assert_eq!(mount(&world, "/a", "/plain", MountFlags::BIND), Err(Errno::ENOTDIR));
}

#[test]
fn mounts_move_and_roots_pivot() {
    let world = World::new();
    for folder in ["/a", "/new"] {
        world.mkdir(folder).unwrap();
    }
    mount(&world, "tmpfs", "/a", MountFlags::empty()).unwrap();
    world.write("/a/file", b"x");
    mount(&world, "/a", "/new", MountFlags::MOVE).unwrap();
    assert_eq!(world.read("/new/file").unwrap(), b"x");
    assert_eq!(world.names("/a").len(), 2);
    world.mkdir("/new/below").unwrap();
    assert_eq!(mount(&world, "/new", "/new/below", MountFlags::MOVE), Err(Errno::ELOOP));
    assert_eq!(mount(&world, "/a", "/new", MountFlags::MOVE), Err(Errno::EINVAL));
    // As switch_root does: the new root is moved onto the old one, and becomes the root of whoever does it.
    let new = vfs::resolve(&world.origin(), b"/new", vfs::Last::Follow).unwrap();
    let origin = vfs::Origin { start: Some(&new), ..world.origin() };
    calls::mount(&world.vfs, &world.namespace, &origin, &request(".", "/", MountFlags::MOVE)).unwrap();
    let context = calls::change_root(&origin, b".").unwrap();
    let inside = vfs::Origin { context: &context, start: None, ..world.origin() };
    assert!(calls::open_at(&inside, b"/file", OpenFlags::empty(), 0).is_ok());
    assert!(calls::open_at(&inside, b"/../../file", OpenFlags::empty(), 0).is_ok());
}

#[test]
fn pivot_root_exchanges() {
    let mut world = World::new();
    world.mkdir("/new").unwrap();
    // The very first root cannot be pivoted away from in Linux either without something above; here it has none.
    mount(&world, "tmpfs", "/new", MountFlags::empty()).unwrap();
    world.mkdir("/new/old").unwrap();
    world.write("/new/inside", b"x");
    world.write("/outside", b"y");
    let wrong = calls::pivot_root(&world.namespace, &world.origin(), b"/", b"/new");
    assert_eq!(wrong.err(), Some(Errno::EBUSY));
    let (from, to) = calls::pivot_root(&world.namespace, &world.origin(), b"/new", b"/new/old").unwrap();
    assert!(from == world.context.root);
    world.context.root = to.clone();
    world.context.current = to;
    drop(from);
    assert_eq!(world.read("/inside").unwrap(), b"x");
    assert_eq!(world.read("/old/outside").unwrap(), b"y");
    assert_eq!(world.read("/old/../inside").unwrap(), b"x");
    assert_eq!(unmount(&world, "/old", UnmountFlags::DETACH), Ok(()));
    assert_eq!(world.names("/old").len(), 2);
}

#[test]
fn sweeps_drop_what_is_not_used() {
    let world = World::new();
    world.mkdir("/folder").unwrap();
    for index in 0..100 {
        world.create(&format!("/folder/{index}"));
        let _ = world.stat(&format!("/folder/missing{index}"));
    }
    let counters = &world.superblock.counters;
    assert_eq!(counters.negative.load(Relaxed), 100);
    let held = world.open("/folder/7", OpenFlags::empty()).unwrap();
    assert!(vfs::shrink(&world.superblock, 1000) >= 199);
    assert_eq!(counters.negative.load(Relaxed), 0);
    assert_eq!(counters.dentries.load(Relaxed), 3, "the root, and the path to the open file");
    assert_eq!(world.stat("/folder/7").unwrap().inode, held.inode().number());
    assert!(world.stat("/folder/8").is_ok());
}
