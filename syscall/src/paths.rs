//! Calls on paths and on what they name.
use crate::origin::{path_in, read_path, with_origin};
use crate::pipes::{file, vfs as vfs_of};
use crate::{Fd, UserString};
use abi::Errno;
use abi::file::{Access, AtFlags, DeviceNumber, MountFlags, RenameFlags, Stat, Statfs, Statx, UnmountFlags};
use abi::raw::general::*;
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::{UserPtr, UserSlice, UserText, Writer};
use sync::Once;
use task::Task;
use vfs::calls::{self, MountRequest, Place};
use vfs::{EntryFormat, FsContext, Last, Namespace, Origin};

static NAMESPACE: Once<Arc<Namespace>> = Once::new();

/// Says which mounts there are. Once.
pub fn set_namespace(namespace: Arc<Namespace>) {
    let _ = NAMESPACE.set(namespace);
}

const HERE: Fd = Fd(AT_FDCWD);

fn at<R>(
    task: &Task,
    folder: Fd,
    path: UserString,
    body: impl FnOnce(&Origin<'_>, &[u8]) -> Result<R, Errno>,
) -> Result<R, Errno> {
    let mut room = UserText::new();
    let path = path_in(path, &mut room)?;
    with_origin(task, folder, path, |origin| body(origin, path))
}

/// Flags of an `*at` call that knows those in `known`. EINVAL.
fn at_flags(flags: u32, known: u32) -> Result<AtFlags, Errno> {
    if flags & !known != 0 { Err(Errno::EINVAL) } else { Ok(AtFlags::from_bits_truncate(flags)) }
}

/// Flags of stat's family.
const STAT_FLAGS: u32 = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | STAT_SYNC;
const STAT_SYNC: u32 = AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC;

pub fn newfstatat(task: &Task, folder: Fd, path: UserString, place: UserPtr<Stat>, flags: u32) -> Result<(), Errno> {
    let flags = at_flags(flags, STAT_FLAGS)?;
    place.write(&at(task, folder, path, |origin, path| calls::stat_at(origin, path, flags))?)
}

pub fn stat(task: &Task, path: UserString, place: UserPtr<Stat>) -> Result<(), Errno> {
    newfstatat(task, HERE, path, place, 0)
}

pub fn lstat(task: &Task, path: UserString, place: UserPtr<Stat>) -> Result<(), Errno> {
    newfstatat(task, HERE, path, place, AT_SYMLINK_NOFOLLOW)
}

pub fn fstat(task: &Task, fd: Fd, place: UserPtr<Stat>) -> Result<(), Errno> {
    place.write(&file(task, fd)?.inode().stat())
}

pub fn statx(
    task: &Task,
    folder: Fd,
    path: UserString,
    flags: u32,
    mask: u32,
    place: UserPtr<Statx>,
) -> Result<(), Errno> {
    if mask & STATX__RESERVED != 0 || flags & STAT_SYNC == STAT_SYNC {
        return Err(Errno::EINVAL);
    }
    let flags = at_flags(flags, STAT_FLAGS)?;
    place.write(&at(task, folder, path, |origin, path| calls::statx_at(origin, path, flags, mask))?)
}

pub fn faccessat2(task: &Task, folder: Fd, path: UserString, wanted: u32, flags: u32) -> Result<(), Errno> {
    let wanted = Access::from_bits(wanted).ok_or(Errno::EINVAL)?;
    if flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    at(task, folder, path, |origin, path| {
        let kept = AtFlags::from_bits_truncate(flags & (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
        if flags & AT_EACCESS != 0 {
            return calls::access_at(origin, path, wanted, kept);
        }
        let real = Arc::new(origin.credentials.for_access());
        calls::access_at(&Origin { credentials: &real, ..*origin }, path, wanted, kept)
    })
}

pub fn faccessat(task: &Task, folder: Fd, path: UserString, wanted: u32) -> Result<(), Errno> {
    faccessat2(task, folder, path, wanted, 0)
}

pub fn access(task: &Task, path: UserString, wanted: u32) -> Result<(), Errno> {
    faccessat2(task, HERE, path, wanted, 0)
}

pub fn readlinkat(task: &Task, folder: Fd, path: UserString, buffer: usize, size: i32) -> Result<usize, Errno> {
    let size = usize::try_from(size).ok().filter(|&size| size > 0).ok_or(Errno::EINVAL)?;
    let text = at(task, folder, path, calls::read_link_at)?;
    let length = text.len().min(size);
    UserSlice::new(buffer, length).write(&text[..length])?;
    Ok(length)
}

pub fn readlink(task: &Task, path: UserString, buffer: usize, size: i32) -> Result<usize, Errno> {
    readlinkat(task, HERE, path, buffer, size)
}

pub fn mkdirat(task: &Task, folder: Fd, path: UserString, mode: u32) -> Result<(), Errno> {
    at(task, folder, path, |origin, path| calls::make_directory_at(origin, path, mode))
}

pub fn mkdir(task: &Task, path: UserString, mode: u32) -> Result<(), Errno> {
    mkdirat(task, HERE, path, mode)
}

pub fn mknodat(task: &Task, folder: Fd, path: UserString, mode: u32, device: u32) -> Result<(), Errno> {
    at(task, folder, path, |origin, path| calls::make_node_at(origin, path, mode, DeviceNumber::decode(device)))
}

pub fn mknod(task: &Task, path: UserString, mode: u32, device: u32) -> Result<(), Errno> {
    mknodat(task, HERE, path, mode, device)
}

pub fn unlinkat(task: &Task, folder: Fd, path: UserString, flags: u32) -> Result<(), Errno> {
    match flags {
        0 => at(task, folder, path, calls::unlink_at),
        AT_REMOVEDIR => at(task, folder, path, calls::remove_directory_at),
        _ => Err(Errno::EINVAL),
    }
}

pub fn unlink(task: &Task, path: UserString) -> Result<(), Errno> {
    unlinkat(task, HERE, path, 0)
}

pub fn rmdir(task: &Task, path: UserString) -> Result<(), Errno> {
    unlinkat(task, HERE, path, AT_REMOVEDIR)
}

pub fn renameat2(
    task: &Task,
    old_folder: Fd,
    old: UserString,
    folder: Fd,
    new: UserString,
    flags: u32,
) -> Result<(), Errno> {
    let flags = RenameFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    let new = read_path(new)?;
    at(task, old_folder, old, |old_origin, old| {
        with_origin(task, folder, &new, |origin| calls::rename_at(old_origin, old, origin, &new, flags))
    })
}

pub fn renameat(task: &Task, old_folder: Fd, old: UserString, folder: Fd, new: UserString) -> Result<(), Errno> {
    renameat2(task, old_folder, old, folder, new, 0)
}

pub fn rename(task: &Task, old: UserString, new: UserString) -> Result<(), Errno> {
    renameat2(task, HERE, old, HERE, new, 0)
}

pub fn linkat(
    task: &Task,
    old_folder: Fd,
    old: UserString,
    folder: Fd,
    new: UserString,
    flags: u32,
) -> Result<(), Errno> {
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let new = read_path(new)?;
    at(task, old_folder, old, |old_origin, old| {
        with_origin(task, folder, &new, |origin| match old_origin.start {
            Some(unnamed) if old.is_empty() && flags & AT_EMPTY_PATH != 0 => calls::link_unnamed(unnamed, origin, &new),
            _ => calls::link_at(old_origin, old, origin, &new, flags & AT_SYMLINK_FOLLOW != 0),
        })
    })
}

pub fn link(task: &Task, old: UserString, new: UserString) -> Result<(), Errno> {
    linkat(task, HERE, old, HERE, new, 0)
}

pub fn symlinkat(task: &Task, target: UserString, folder: Fd, path: UserString) -> Result<(), Errno> {
    let target = read_path(target)?;
    at(task, folder, path, |origin, path| calls::symlink_at(origin, &target, path))
}

pub fn symlink(task: &Task, target: UserString, path: UserString) -> Result<(), Errno> {
    symlinkat(task, target, HERE, path)
}

pub fn fchmodat2(task: &Task, folder: Fd, path: UserString, mode: u32, flags: u32) -> Result<(), Errno> {
    let flags = at_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    let last = if flags.contains(AtFlags::SYMLINK_NO_FOLLOW) { Last::Keep } else { Last::Follow };
    at(task, folder, path, |origin, path| calls::change_mode_at(origin, Place::Path(path, last), flags, mode))
}

pub fn fchmodat(task: &Task, folder: Fd, path: UserString, mode: u32) -> Result<(), Errno> {
    fchmodat2(task, folder, path, mode, 0)
}

pub fn chmod(task: &Task, path: UserString, mode: u32) -> Result<(), Errno> {
    fchmodat(task, HERE, path, mode)
}

pub fn fchmod(task: &Task, fd: Fd, mode: u32) -> Result<(), Errno> {
    let file = file(task, fd)?;
    with_origin(task, HERE, b"", |origin| calls::change_mode_at(origin, Place::File(&file), AtFlags::empty(), mode))
}

/// An owner as chown(2) takes it: all ones changes nothing.
fn owner(number: u32) -> Option<u32> {
    (number != u32::MAX).then_some(number)
}

pub fn fchownat(task: &Task, folder: Fd, path: UserString, user: u32, group: u32, flags: u32) -> Result<(), Errno> {
    let flags = at_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    let last = if flags.contains(AtFlags::SYMLINK_NO_FOLLOW) { Last::Keep } else { Last::Follow };
    at(task, folder, path, |origin, path| {
        calls::change_owner_at(origin, Place::Path(path, last), flags, owner(user), owner(group))
    })
}

pub fn chown(task: &Task, path: UserString, user: u32, group: u32) -> Result<(), Errno> {
    fchownat(task, HERE, path, user, group, 0)
}

pub fn lchown(task: &Task, path: UserString, user: u32, group: u32) -> Result<(), Errno> {
    fchownat(task, HERE, path, user, group, AT_SYMLINK_NOFOLLOW)
}

pub fn fchown(task: &Task, fd: Fd, user: u32, group: u32) -> Result<(), Errno> {
    let file = file(task, fd)?;
    with_origin(task, HERE, b"", |origin| {
        calls::change_owner_at(origin, Place::File(&file), AtFlags::empty(), owner(user), owner(group))
    })
}

fn length(length: i64) -> Result<u64, Errno> {
    u64::try_from(length).map_err(|_| Errno::EINVAL)
}

pub fn truncate(task: &Task, path: UserString, size: i64) -> Result<(), Errno> {
    let (size, limit) = (length(size)?, task.limit(RLIMIT_FSIZE));
    at(task, HERE, path, |origin, path| calls::truncate(origin, path, size, limit))
}

pub fn ftruncate(task: &Task, fd: Fd, size: i64) -> Result<(), Errno> {
    let file = file(task, fd)?;
    file.check_writable().map_err(|_| Errno::EINVAL)?;
    file.truncate(length(size)?, task.limit(RLIMIT_FSIZE))
}

pub fn getcwd(task: &Task, buffer: usize, size: usize) -> Result<usize, Errno> {
    let context = task.files.context();
    if context.current.dentry.is_deleted() {
        return Err(Errno::ENOENT);
    }
    let mut text = context.current.text(&context.root)?;
    text.push(0);
    if text.len() > size {
        return Err(Errno::ERANGE);
    }
    UserSlice::new(buffer, text.len()).write(&text)?;
    Ok(text.len())
}

fn replace(task: &Task, context: FsContext) {
    let old = task.files.set_context(Arc::new(context));
    drop(old);
}

pub fn chdir(task: &Task, path: UserString) -> Result<(), Errno> {
    let context = at(task, HERE, path, |origin, path| calls::change_directory(origin, Some(path)))?;
    replace(task, context);
    Ok(())
}

pub fn fchdir(task: &Task, fd: Fd) -> Result<(), Errno> {
    file(task, fd)?;
    let context = with_origin(task, fd, b"", |origin| calls::change_directory(origin, None))?;
    replace(task, context);
    Ok(())
}

pub fn chroot(task: &Task, path: UserString) -> Result<(), Errno> {
    let context = at(task, HERE, path, calls::change_root)?;
    replace(task, context);
    Ok(())
}

pub fn umask(task: &Task, mask: u32) -> usize {
    let context = task.files.context();
    replace(task, FsContext { umask: mask & 0o777, ..(*context).clone() });
    context.umask as usize
}

pub fn statfs(task: &Task, path: UserString, place: UserPtr<Statfs>) -> Result<(), Errno> {
    place.write(&at(task, HERE, path, |origin, path| Ok(calls::statfs(&vfs::resolve(origin, path, Last::Follow)?)))?)
}

pub fn fstatfs(task: &Task, fd: Fd, place: UserPtr<Statfs>) -> Result<(), Errno> {
    place.write(&calls::statfs(file(task, fd)?.path()))
}

pub fn getdents64(task: &Task, fd: Fd, buffer: usize, size: u32) -> Result<usize, Errno> {
    file(task, fd)?.read_entries(&mut Writer::user(UserSlice::new(buffer, size as usize)), EntryFormat::New)
}

pub fn getdents(task: &Task, fd: Fd, buffer: usize, size: u32) -> Result<usize, Errno> {
    file(task, fd)?.read_entries(&mut Writer::user(UserSlice::new(buffer, size as usize)), EntryFormat::Old)
}

pub fn sync(_: &Task) -> Result<(), Errno> {
    vfs_of()?.synchronise();
    Ok(())
}

pub fn fsync(task: &Task, fd: Fd) -> Result<(), Errno> {
    file(task, fd)?.synchronise()
}

/// A string that may be absent.
fn optional(path: UserString) -> Result<Vec<u8>, Errno> {
    if path.0.is_null() { Ok(Vec::new()) } else { read_path(path) }
}

pub fn mount(
    task: &Task,
    source: UserString,
    target: UserString,
    kind: UserString,
    flags: u64,
    data: UserString,
) -> Result<(), Errno> {
    let namespace = NAMESPACE.get().ok_or(Errno::ENOSYS)?;
    let is_kind_given = !kind.0.is_null();
    let (source, target, kind, data) = (optional(source)?, read_path(target)?, optional(kind)?, optional(data)?);
    let flags = MountFlags::from_bits_truncate(flags);
    let request = MountRequest { source: &source, target: &target, kind: &kind, flags, data: &data };
    let other = MountFlags::REMOUNT
        | MountFlags::BIND
        | MountFlags::MOVE
        | MountFlags::SHARED
        | MountFlags::PRIVATE
        | MountFlags::SLAVE
        | MountFlags::UNBINDABLE;
    if !is_kind_given && !flags.intersects(other) {
        return Err(Errno::EINVAL);
    }
    with_origin(task, HERE, b"", |origin| calls::mount(vfs_of()?, namespace, origin, &request))
}

/// pivot_root(2): whoever stands in the old root goes along to the new one.
pub fn pivot_root(task: &Task, new: UserString, old: UserString) -> Result<(), Errno> {
    let namespace = NAMESPACE.get().ok_or(Errno::ENOSYS)?;
    let (new, old) = (read_path(new)?, read_path(old)?);
    let (from, to) = with_origin(task, HERE, b"", |origin| calls::pivot_root(namespace, origin, &new, &old))?;
    task::files::move_all(&from, &to);
    Ok(())
}

pub fn umount2(task: &Task, path: UserString, flags: u32) -> Result<(), Errno> {
    let namespace = NAMESPACE.get().ok_or(Errno::ENOSYS)?;
    let flags = UnmountFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    at(task, HERE, path, |origin, path| calls::unmount(namespace, origin, path, flags))
}
