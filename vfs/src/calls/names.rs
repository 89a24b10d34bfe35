//! `mkdir(2)`, `mknod(2)`, `unlink(2)`, `rmdir(2)`.
use super::open::new_inode;
use crate::credentials::Capabilities;
use crate::dentry::Dentry;
use crate::inode::{Inode, NewInode};
use crate::path::{Origin, Path};
use crate::walk::{self, Parent};
use abi::Errno;
use abi::file::{Access, DeviceNumber, FileType, mode};
use alloc::sync::Arc;

/// Checks that a file may be made in a folder, and answers what it will be. ENOENT where the folder was removed; EACCES.
pub(super) fn prepare(
    origin: &Origin<'_>,
    folder: &Path,
    kind: FileType,
    permissions: u32,
) -> Result<NewInode<'static>, Errno> {
    let inode = folder.inode()?;
    check_new_entry(origin, folder)?;
    Ok(new_inode(origin, inode, kind, permissions, DeviceNumber::default(), &[]))
}

/// Whether a name may be added to a folder, which is locked. ENOENT; EACCES.
pub(super) fn check_new_entry(origin: &Origin<'_>, folder: &Path) -> Result<(), Errno> {
    if folder.dentry.is_deleted() {
        return Err(Errno::ENOENT);
    }
    folder.inode()?.check_access(origin.credentials, Access::WRITE | Access::EXECUTE)
}

/// Makes something other than a regular file by `open`. EEXIST; ENOENT for a name with a slash behind it unless `folders`.
pub(super) fn make<'n>(
    origin: &Origin<'_>,
    path: &[u8],
    folders: bool,
    new: impl FnOnce(&Inode) -> NewInode<'n>,
) -> Result<Arc<Dentry>, Errno> {
    let parent = walk::resolve_parent(origin, path)?;
    let name = parent.name(Errno::EEXIST)?;
    let folder = parent.path.inode()?;
    let _exclusive = folder.lock.write();
    if parent.path.dentry.child_locked(&name)?.inode().is_some() {
        return Err(Errno::EEXIST);
    }
    if parent.slash && !folders {
        return Err(Errno::ENOENT);
    }
    parent.path.mount.check_writable()?;
    check_new_entry(origin, &parent.path)?;
    let inode = folder.directory()?.create(folder, &name, &new(folder))?;
    Ok(parent.path.dentry.set_child(&name, inode))
}

/// `mkdirat(2)`.
pub fn make_directory_at(origin: &Origin<'_>, path: &[u8], permissions: u32) -> Result<(), Errno> {
    let permissions = permissions & (0o777 | mode::STICKY);
    let kind = FileType::Directory;
    make(origin, path, true, |folder| new_inode(origin, folder, kind, permissions, DeviceNumber::default(), &[]))?;
    Ok(())
}

/// `mknodat(2)`. EPERM for devices without CAP_MKNOD, and for folders; EINVAL for an unknown type.
pub fn make_node_at(origin: &Origin<'_>, path: &[u8], mode: u32, device: DeviceNumber) -> Result<(), Errno> {
    let kind = match mode & mode::TYPE {
        0 => FileType::Regular,
        _ => FileType::of_mode(mode).ok_or(Errno::EINVAL)?,
    };
    match kind {
        FileType::Directory => return Err(Errno::EPERM),
        FileType::Symlink => return Err(Errno::EINVAL),
        FileType::CharacterDevice | FileType::BlockDevice if !origin.credentials.has(Capabilities::MKNOD) => {
            return Err(Errno::EPERM);
        }
        _ => {}
    }
    make(origin, path, false, |folder| new_inode(origin, folder, kind, mode, device, &[]))?;
    Ok(())
}

/// The victim of a removal, in its locked folder. ENOENT; EROFS; EACCES; EPERM; EBUSY where something is mounted on it.
fn victim(origin: &Origin<'_>, parent: &Parent<'_>, name: &crate::Name<'_>) -> Result<Arc<Dentry>, Errno> {
    let dentry = parent.path.dentry.child_locked(name)?;
    let inode = dentry.existing()?;
    parent.path.mount.check_writable()?;
    parent.path.inode()?.check_removal(origin.credentials, inode)?;
    Ok(dentry)
}

/// `unlinkat(2)` without AT_REMOVEDIR. EISDIR.
pub fn unlink_at(origin: &Origin<'_>, path: &[u8]) -> Result<(), Errno> {
    let parent = walk::resolve_parent(origin, path)?;
    let name = parent.name(Errno::EISDIR)?;
    let folder = parent.path.inode()?;
    let exclusive = folder.lock.write();
    let dentry = victim(origin, &parent, &name)?;
    let inode = dentry.existing()?;
    if inode.is_directory() {
        return Err(Errno::EISDIR);
    }
    if parent.slash {
        return Err(Errno::ENOTDIR);
    }
    if dentry.is_mountpoint() {
        return Err(Errno::EBUSY);
    }
    let removing = inode.lock.write();
    folder.directory()?.remove(folder, &name, inode)?;
    drop(removing);
    parent.path.dentry.remove_child(&name, &dentry);
    drop(exclusive);
    // Here, without locks, the file's pages go, if this was its last name and nobody has it open.
    drop(dentry);
    Ok(())
}

/// `rmdir(2)`, `unlinkat(2)` with AT_REMOVEDIR. EINVAL for `.`; ENOTEMPTY for `..`; EBUSY for `/` and mount points; ENOTDIR.
pub fn remove_directory_at(origin: &Origin<'_>, path: &[u8]) -> Result<(), Errno> {
    let parent = walk::resolve_parent(origin, path)?;
    let name = parent.name(match () {
        () if parent.is_dot() => Errno::EINVAL,
        () if parent.is_dot_dot() => Errno::ENOTEMPTY,
        () => Errno::EBUSY,
    })?;
    let folder = parent.path.inode()?;
    let exclusive = folder.lock.write();
    let dentry = victim(origin, &parent, &name)?;
    let inode = dentry.existing()?;
    if !inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    if dentry.is_mountpoint() {
        return Err(Errno::EBUSY);
    }
    let removing = inode.lock.write_nested();
    folder.directory()?.remove(folder, &name, inode)?;
    // Under the lock of the folder itself, so that nobody looks a name up in it and keeps the result.
    parent.path.dentry.remove_child(&name, &dentry);
    drop(removing);
    drop(exclusive);
    Ok(())
}
