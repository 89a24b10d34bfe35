//! `mount(2)`, `umount2(2)`, `pivot_root(2)`, and the rows of `/proc/PID/mountinfo`.
use crate::credentials::Capabilities;
use crate::mount::{Mount, Namespace, PER_MOUNT};
use crate::path::{Origin, Path};
use crate::superblock::Vfs;
use crate::walk::{self, Last};
use abi::Errno;
use abi::file::{MountFlags, UnmountFlags};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The arguments of `mount(2)`.
#[derive(Clone, Copy, Debug)]
pub struct MountRequest<'a> {
    pub source: &'a [u8],
    pub target: &'a [u8],
    pub kind: &'a [u8],
    pub flags: MountFlags,
    pub data: &'a [u8],
}

fn check_administrator(origin: &Origin<'_>) -> Result<(), Errno> {
    if origin.credentials.has(Capabilities::SYS_ADMIN) { Ok(()) } else { Err(Errno::EPERM) }
}

/// The mount whose root `path` is. EINVAL.
fn mount_at(path: &Path) -> Result<&Arc<Mount>, Errno> {
    if Arc::ptr_eq(&path.dentry, path.mount.root()) { Ok(&path.mount) } else { Err(Errno::EINVAL) }
}

/// `mount(2)`. EBUSY; EPERM; ENODEV for an unknown type; EINVAL; ENOTDIR.
pub fn mount(
    vfs: &Arc<Vfs>,
    namespace: &Namespace,
    origin: &Origin<'_>,
    request: &MountRequest<'_>,
) -> Result<(), Errno> {
    check_administrator(origin)?;
    let target = walk::resolve(origin, request.target, Last::Follow)?;
    let flags = request.flags;
    let propagation = MountFlags::SHARED | MountFlags::PRIVATE | MountFlags::SLAVE | MountFlags::UNBINDABLE;
    if flags.contains(MountFlags::REMOUNT) {
        return remount(&target, request);
    }
    if flags.contains(MountFlags::BIND) {
        let source = walk::resolve(origin, request.source, Last::Follow)?;
        return bind(namespace, &source, target, flags);
    }
    if flags.intersects(propagation) {
        // All mounts are private: that much is true already. Sharing is not there yet.
        mount_at(&target)?;
        let private = !flags.contains(MountFlags::SHARED);
        return if private { Ok(()) } else { Err(Errno::EINVAL) };
    }
    if flags.contains(MountFlags::MOVE) {
        let source = walk::resolve(origin, request.source, Last::Follow)?;
        return namespace.relocate(mount_at(&source)?, target);
    }
    let kind = vfs.file_system_type(request.kind)?;
    let superblock = kind.mount(vfs, request.source, flags, request.data)?;
    let root = superblock.root()?;
    if Arc::ptr_eq(target.mount.superblock(), &superblock) && Arc::ptr_eq(target.mount.root(), &target.dentry) {
        // The same file system twice on one place: the one there is what was wanted.
        return Err(Errno::EBUSY);
    }
    let mount = Mount::new(superblock.clone(), root, flags, request.source);
    if flags.contains(MountFlags::READ_ONLY) && superblock.counters.mounts() == 1 {
        superblock.set_flags(MountFlags::READ_ONLY);
    }
    namespace.attach(&mount, target)
}

/// The first mount of a tree: that of a file system's root.
pub fn mount_root(superblock: &Arc<crate::SuperBlock>, source: &[u8]) -> Result<Arc<Mount>, Errno> {
    let mount = Mount::new(superblock.clone(), superblock.root()?, MountFlags::empty(), source);
    mount.clear_flags();
    Ok(mount)
}

/// `MS_REMOUNT`: of the mount alone with MS_BIND, else of the file system too.
fn remount(target: &Path, request: &MountRequest<'_>) -> Result<(), Errno> {
    let mount = mount_at(target)?;
    if !request.flags.contains(MountFlags::BIND) {
        let superblock = mount.superblock();
        superblock.operations().remount(request.data)?;
        superblock.set_flags(request.flags & (MountFlags::READ_ONLY | MountFlags::SYNCHRONOUS));
    }
    mount.set_flags(request.flags & PER_MOUNT | request.flags & MountFlags::STRICT_ACCESS_TIME);
    Ok(())
}

/// `MS_BIND`: the same tree in a second place; with MS_REC, with what is mounted in it.
fn bind(namespace: &Namespace, source: &Path, target: Path, flags: MountFlags) -> Result<(), Errno> {
    let copy = |from: &Arc<Mount>, root| {
        let mount = Mount::new(from.superblock().clone(), root, MountFlags::empty(), from.source());
        mount.set_flags(from.flags());
        mount
    };
    let mount = copy(&source.mount, source.dentry.clone());
    namespace.attach(&mount, target)?;
    if !flags.contains(MountFlags::RECURSIVE) {
        return Ok(());
    }
    // Each mount below, in the order of making, so that parents come first.
    let mut copies = alloc::vec![(source.mount.clone(), mount.clone())];
    for below in namespace.mounts() {
        let Some(place) = below.place() else { continue };
        let parent = copies.iter().find(|(original, _)| Arc::ptr_eq(original, &place.mount));
        let Some((original, parent)) = parent.cloned() else { continue };
        let inside = !Arc::ptr_eq(&original, &source.mount) || source.dentry.is_above(&place.dentry);
        if !inside || Arc::ptr_eq(&below, &mount) {
            continue;
        }
        let second = copy(&below, below.root().clone());
        namespace.attach(&second, Path { mount: parent, dentry: place.dentry })?;
        copies.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        copies.push((below, second));
    }
    Ok(())
}

/// `umount2(2)`. EPERM; EINVAL where it is no mount; EBUSY; EAGAIN for MNT_EXPIRE, which nothing here makes come true.
pub fn unmount(namespace: &Namespace, origin: &Origin<'_>, path: &[u8], flags: UnmountFlags) -> Result<(), Errno> {
    check_administrator(origin)?;
    let last = if flags.contains(UnmountFlags::NO_FOLLOW) { Last::Keep } else { Last::Follow };
    let target = walk::resolve(origin, path, last)?;
    mount_at(&target)?;
    if flags.contains(UnmountFlags::EXPIRE) {
        return Err(Errno::EINVAL);
    }
    let Path { mount, dentry } = target;
    drop(dentry);
    namespace.detach(mount, flags.contains(UnmountFlags::DETACH))
}

/// `pivot_root(2)`: the new root's mount becomes the root of the tree, the old one is put at `old`. Answers both paths: whoever
/// stands at the first is to stand at the second (the caller's to do, for all tasks). EBUSY; EINVAL; ENOTDIR.
pub fn pivot_root(namespace: &Namespace, origin: &Origin<'_>, new: &[u8], old: &[u8]) -> Result<(Path, Path), Errno> {
    check_administrator(origin)?;
    let new = walk::resolve(origin, new, Last::Follow)?;
    let old = walk::resolve(origin, old, Last::Follow)?;
    let root = &origin.context.root;
    for path in [&new, &old] {
        path.inode()?.directory()?;
    }
    if Arc::ptr_eq(&new.mount, &root.mount) || Arc::ptr_eq(&old.mount, &root.mount) {
        return Err(Errno::EBUSY);
    }
    mount_at(&new)?;
    mount_at(root)?;
    // The old root goes to the new root or below.
    let mut place = old.clone();
    while !Arc::ptr_eq(&place.mount, &new.mount) {
        place = place.mount.place().ok_or(Errno::EINVAL)?;
    }
    if !new.dentry.is_above(&place.dentry) || new.mount.place().is_none() {
        return Err(Errno::EINVAL);
    }
    let from = root.clone();
    namespace.exchange_root(&root.mount, &new.mount, old)?;
    Ok((from, new))
}

/// A row of `/proc/PID/mountinfo` (`proc(5)`) for a reader whose root is `root`; nothing for what lies outside of it.
pub fn mount_info(mount: &Arc<Mount>, root: &Path, output: &mut Vec<u8>) -> Result<(), Errno> {
    let superblock = mount.superblock();
    let parent = mount.place().map_or(mount.number(), |place| place.mount.number());
    let device = superblock.device();
    let inner = mount_root_text(mount)?;
    let place = mount.root_path().text(root)?;
    if place.starts_with(b"(unreachable)") {
        return Ok(());
    }
    output.try_reserve(256 + 4 * (inner.len() + place.len())).map_err(|_| Errno::ENOMEM)?;
    let numbers = alloc::format!("{} {parent} {}:{} ", mount.number(), device.major, device.minor);
    output.extend_from_slice(numbers.as_bytes());
    escape(&inner, output);
    output.push(b' ');
    escape(&place, output);
    output.push(b' ');
    write_flags(mount.flags(), output);
    output.extend_from_slice(b" - ");
    output.extend_from_slice(superblock.kind().as_bytes());
    output.push(b' ');
    escape(mount.source(), output);
    output.extend_from_slice(if superblock.is_read_only() { b" ro" } else { b" rw" });
    let mut options = String::new();
    superblock.operations().options(&mut options);
    output.extend_from_slice(options.as_bytes());
    output.push(b'\n');
    Ok(())
}

/// A row of `/proc/PID/mounts` (`fstab(5)`), likewise.
pub fn mount_row(mount: &Arc<Mount>, root: &Path, output: &mut Vec<u8>) -> Result<(), Errno> {
    let superblock = mount.superblock();
    let place = mount.root_path().text(root)?;
    if place.starts_with(b"(unreachable)") {
        return Ok(());
    }
    output.try_reserve(256 + 4 * place.len()).map_err(|_| Errno::ENOMEM)?;
    escape(if mount.source().is_empty() { b"none" } else { mount.source() }, output);
    output.push(b' ');
    escape(&place, output);
    output.push(b' ');
    output.extend_from_slice(superblock.kind().as_bytes());
    output.push(b' ');
    let read_only = superblock.flags() & MountFlags::READ_ONLY;
    write_flags(mount.flags() | read_only, output);
    let mut options = String::new();
    superblock.operations().options(&mut options);
    output.extend_from_slice(options.as_bytes());
    output.extend_from_slice(b" 0 0\n");
    Ok(())
}

/// The path of a mount's root within its file system.
fn mount_root_text(mount: &Arc<Mount>) -> Result<Vec<u8>, Errno> {
    let mut names = Vec::new();
    let mut current = mount.root().clone();
    while let Some(above) = current.parent() {
        names.push(current.with_place(|name, _| name.to_vec()));
        current = above;
    }
    let mut text = Vec::new();
    for name in names.iter().rev() {
        text.push(b'/');
        text.extend_from_slice(name);
    }
    text.extend(names.is_empty().then_some(b'/'));
    Ok(text)
}

fn write_flags(flags: MountFlags, output: &mut Vec<u8>) {
    output.extend_from_slice(if flags.contains(MountFlags::READ_ONLY) { b"ro" } else { b"rw" });
    let names = [
        (MountFlags::NO_SET_ID, ",nosuid"),
        (MountFlags::NO_DEVICES, ",nodev"),
        (MountFlags::NO_EXECUTE, ",noexec"),
        (MountFlags::NO_ACCESS_TIME, ",noatime"),
        (MountFlags::NO_DIRECTORY_ACCESS_TIME, ",nodiratime"),
        (MountFlags::RELATIVE_ACCESS_TIME, ",relatime"),
        (MountFlags::NO_SYMLINK_FOLLOW, ",nosymfollow"),
    ];
    names
        .iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .for_each(|(_, name)| output.extend_from_slice(name.as_bytes()));
}

/// Blanks, tabs, newlines, backslashes and hashes as octal numbers, other bytes as they are.
fn escape(text: &[u8], output: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' | b'#' => {
                let octal = [b'\\', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)];
                output.extend_from_slice(&octal);
            }
            _ => output.push(byte),
        }
    }
}
