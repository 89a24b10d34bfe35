//! `stat(2)`, `chmod(2)`, `chown(2)`, `utimensat(2)`, `access(2)`, `readlink(2)`, `truncate(2)`, `statfs(2)`.
use crate::credentials::Capabilities;
use crate::file::OpenFile;
use crate::inode::{Content, Inode};
use crate::path::{Origin, Path};
use crate::transfer;
use crate::walk::{self, Last};
use abi::Errno;
use abi::file::{Access, AtFlags, FileType, MountFlags, Stat, Statfs, Statx, mode};
use abi::time::Timespec;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The file that a call is about.
pub enum Place<'a> {
    /// By path.
    Path(&'a [u8], Last),
    /// By descriptor (`fstat(2)` and the like).
    File(&'a OpenFile),
}

/// What a path and the flags of an `*at` call stand for. An empty path with AT_EMPTY_PATH is the origin's start itself.
pub fn locate(origin: &Origin<'_>, path: &[u8], flags: AtFlags) -> Result<Path, Errno> {
    if path.is_empty() && flags.contains(AtFlags::EMPTY_PATH) {
        return Ok(origin.start.unwrap_or(&origin.context.current).clone());
    }
    let last = if flags.contains(AtFlags::SYMLINK_NO_FOLLOW) { Last::Keep } else { Last::Follow };
    walk::resolve(origin, path, last)
}

/// `newfstatat(2)`. `fstat(2)` is [`Inode::stat`].
pub fn stat_at(origin: &Origin<'_>, path: &[u8], flags: AtFlags) -> Result<Stat, Errno> {
    Ok(locate(origin, path, flags)?.inode()?.stat())
}

/// `statx(2)`.
pub fn statx_at(origin: &Origin<'_>, path: &[u8], flags: AtFlags, mask: u32) -> Result<Statx, Errno> {
    let place = locate(origin, path, flags)?;
    Ok(place.statx(place.inode()?, mask))
}

/// `faccessat2(2)`; the origin has the credentials that count ([`crate::Credentials::for_access`] unless AT_EACCESS). EROFS.
pub fn access_at(origin: &Origin<'_>, path: &[u8], wanted: Access, flags: AtFlags) -> Result<(), Errno> {
    let place = locate(origin, path, flags)?;
    let inode = place.inode()?;
    let file = inode.kind() == FileType::Regular;
    if wanted.contains(Access::EXECUTE) && file && place.mount.flags().contains(MountFlags::NO_EXECUTE) {
        return Err(Errno::EACCES);
    }
    inode.check_access(origin.credentials, wanted)?;
    let on_disk = matches!(inode.kind(), FileType::Regular | FileType::Directory | FileType::Symlink);
    if wanted.contains(Access::WRITE) && on_disk {
        place.mount.check_writable()?;
    }
    Ok(())
}

/// `readlinkat(2)`: the text. EINVAL for what is no symlink; ENOENT for an empty path that is none.
pub fn read_link_at(origin: &Origin<'_>, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let empty = path.is_empty();
    let flags = AtFlags::SYMLINK_NO_FOLLOW | if empty { AtFlags::EMPTY_PATH } else { AtFlags::empty() };
    let place = locate(origin, path, flags)?;
    match place.inode()?.content() {
        Content::Symlink(text) => Ok(text.to_vec()),
        Content::Magic(link) => link.text(),
        _ if empty => Err(Errno::ENOENT),
        _ => Err(Errno::EINVAL),
    }
}

/// Where a call on a path or an open file is. EBADF for what is open by `O_PATH`.
pub(super) fn locate_place(origin: &Origin<'_>, place: Place<'_>) -> Result<Path, Errno> {
    match place {
        Place::Path(path, last) => walk::resolve(origin, path, last),
        Place::File(file) if file.is_path_only() => Err(Errno::EBADF),
        Place::File(file) => Ok(file.path().clone()),
    }
}

/// A place where attributes may be changed. EROFS.
fn changeable(origin: &Origin<'_>, place: Place<'_>, flags: AtFlags) -> Result<(Path, Arc<Inode>), Errno> {
    let path = match place {
        Place::Path(path, Last::Keep) => locate(origin, path, flags | AtFlags::SYMLINK_NO_FOLLOW)?,
        Place::Path(path, Last::Follow) => locate(origin, path, flags - AtFlags::SYMLINK_NO_FOLLOW)?,
        Place::File(file) if file.is_path_only() => return Err(Errno::EBADF),
        Place::File(file) => file.path().clone(),
    };
    path.mount.check_writable()?;
    let inode = path.inode()?.clone();
    Ok((path, inode))
}

/// `chmod(2)`, `fchmod(2)`, `fchmodat(2)`. EPERM; EOPNOTSUPP for a symlink itself.
pub fn change_mode_at(origin: &Origin<'_>, place: Place<'_>, flags: AtFlags, permissions: u32) -> Result<(), Errno> {
    let (_, inode) = changeable(origin, place, flags)?;
    if inode.kind() == FileType::Symlink {
        return Err(Errno::EOPNOTSUPP);
    }
    let _changing = inode.lock.write();
    inode.check_owner(origin.credentials)?;
    let mut permissions = permissions & mode::PERMISSIONS;
    // Who is not in the file's group cannot make it run with that group (chmod(2)).
    if !origin.credentials.in_group(inode.group()) && !origin.credentials.has(Capabilities::FSETID) {
        permissions &= !mode::SET_GROUP;
    }
    inode.check_new_mode(permissions)?;
    inode.set_permissions(permissions);
    inode.touch_changed();
    Ok(())
}

/// `chown(2)`, `fchown(2)`, `fchownat(2)`; `None` leaves one as it is. EPERM.
pub fn change_owner_at(
    origin: &Origin<'_>,
    place: Place<'_>,
    flags: AtFlags,
    user: Option<u32>,
    group: Option<u32>,
) -> Result<(), Errno> {
    let (_, inode) = changeable(origin, place, flags)?;
    let _changing = inode.lock.write();
    let credentials = origin.credentials;
    let owner = credentials.user.file_system == inode.user();
    let may_user = user.is_none_or(|user| owner && user == inode.user());
    let may_group = group.is_none_or(|group| owner && (group == inode.group() || credentials.in_group(group)));
    let may = may_user && may_group || credentials.has(Capabilities::CHOWN);
    if !may {
        return Err(Errno::EPERM);
    }
    inode.set_owner(user.unwrap_or(inode.user()), group.unwrap_or(inode.group()));
    if !inode.is_directory() && (user.is_some() || group.is_some()) {
        // Also for root: whoever is given a file has not made it set-ID (chown(2)).
        let permissions = inode.permissions();
        let runs = if permissions & mode::GROUP_EXECUTE != 0 { mode::SET_GROUP } else { 0 };
        inode.set_permissions(permissions & !(mode::SET_USER | runs));
    }
    inode.touch_changed();
    Ok(())
}

/// A time to set: `utimensat(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    Now,
    Omit,
    To(Timespec),
}

/// `utimensat(2)`: access and modification times. EACCES; EPERM.
pub fn change_times_at(
    origin: &Origin<'_>,
    place: Place<'_>,
    flags: AtFlags,
    accessed: SetTime,
    modified: SetTime,
) -> Result<(), Errno> {
    if accessed == SetTime::Omit && modified == SetTime::Omit {
        return Ok(());
    }
    let (_, inode) = changeable(origin, place, flags)?;
    let both_now = accessed == SetTime::Now && modified == SetTime::Now;
    if inode.check_owner(origin.credentials).is_err() {
        // Whoever may write the file may say that it was touched now, and no more.
        if !both_now {
            return Err(Errno::EPERM);
        }
        inode.check_access(origin.credentials, Access::WRITE)?;
    }
    let now = inode.superblock().now();
    let set = |time: &mut Timespec, to: SetTime| match to {
        SetTime::Now => *time = now,
        SetTime::Omit => {}
        SetTime::To(value) => *time = value,
    };
    inode.change_times(|times| {
        set(&mut times.accessed, accessed);
        set(&mut times.modified, modified);
        times.changed = now;
    });
    Ok(())
}

/// `truncate(2)`; `limit` is RLIMIT_FSIZE. EISDIR; EINVAL; EROFS; EACCES; ETXTBSY; EFBIG.
pub fn truncate(origin: &Origin<'_>, path: &[u8], size: u64, limit: u64) -> Result<(), Errno> {
    let place = walk::resolve(origin, path, Last::Follow)?;
    let inode = place.inode()?;
    match inode.kind() {
        FileType::Directory => return Err(Errno::EISDIR),
        FileType::Regular => {}
        _ => return Err(Errno::EINVAL),
    }
    place.mount.check_writable()?;
    inode.check_access(origin.credentials, Access::WRITE)?;
    inode.begin_writing()?;
    let done = transfer::truncate(inode, size, limit);
    inode.end_writing();
    done?;
    transfer::drop_set_id(inode, inode.permissions(), origin.credentials);
    Ok(())
}

/// `statfs(2)`, `fstatfs(2)`.
pub fn statfs(path: &Path) -> Statfs {
    let superblock = path.dentry.superblock();
    let mut statistics = superblock.operations().statistics();
    let flags = path.mount.flags() | (superblock.flags() & MountFlags::READ_ONLY);
    // ST_VALID; the lower flags have the numbers of mount(2), ST_RELATIME another.
    let relative = if flags.contains(MountFlags::RELATIVE_ACCESS_TIME) { 0x1000 } else { 0 };
    let same = MountFlags::READ_ONLY
        | MountFlags::NO_SET_ID
        | MountFlags::NO_DEVICES
        | MountFlags::NO_EXECUTE
        | MountFlags::SYNCHRONOUS;
    statistics.flags = 0x20 | relative | (flags & same).bits() as i64;
    if flags.contains(MountFlags::NO_ACCESS_TIME) {
        statistics.flags |= 0x400;
    }
    let device = superblock.device().encode();
    statistics.identity = [device as i32, 0];
    statistics
}
