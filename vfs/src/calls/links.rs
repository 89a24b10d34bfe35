//! `symlink(2)`, `link(2)`.
use super::names::{check_new_entry, make};
use super::open::new_inode;
use crate::credentials::Capabilities;
use crate::inode::Inode;
use crate::path::{Origin, Path};
use crate::walk::{self, Last};
use abi::file::{Access, DeviceNumber, FileType, mode};
use abi::{Errno, PATH_MAX};
use alloc::sync::Arc;

/// `symlinkat(2)`. ENOENT for an empty text; ENAMETOOLONG.
pub fn symlink_at(origin: &Origin<'_>, target: &[u8], path: &[u8]) -> Result<(), Errno> {
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    if target.len() >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let device = DeviceNumber::default();
    make(origin, path, false, |folder| new_inode(origin, folder, FileType::Symlink, 0o777, device, target))?;
    Ok(())
}

/// `linkat(2)`; `follow` is AT_SYMLINK_FOLLOW. EXDEV; EPERM for folders; EEXIST.
pub fn link_at(
    old_origin: &Origin<'_>,
    old_path: &[u8],
    origin: &Origin<'_>,
    path: &[u8],
    follow: bool,
) -> Result<(), Errno> {
    let last = if follow { Last::Follow } else { Last::Keep };
    link(&walk::resolve(old_origin, old_path, last)?, origin, path)
}

/// `linkat(2)` with AT_EMPTY_PATH: gives what the origin's start refers to a (perhaps first) name. The caller has checked
/// CAP_DAC_READ_SEARCH, or come by `/proc/self/fd`.
pub fn link_unnamed(old: &Path, origin: &Origin<'_>, path: &[u8]) -> Result<(), Errno> {
    link(old, origin, path)
}

fn link(old: &Path, origin: &Origin<'_>, path: &[u8]) -> Result<(), Errno> {
    let target = old.inode()?;
    let parent = walk::resolve_parent(origin, path)?;
    let name = parent.name(Errno::EEXIST)?;
    if !Arc::ptr_eq(&old.mount, &parent.path.mount) {
        return Err(Errno::EXDEV);
    }
    let folder = parent.path.inode()?;
    let _exclusive = folder.lock.write();
    if parent.path.dentry.child_locked(&name)?.inode().is_some() {
        return Err(Errno::EEXIST);
    }
    if parent.slash {
        return Err(Errno::ENOENT);
    }
    parent.path.mount.check_writable()?;
    check_new_entry(origin, &parent.path)?;
    check_link(origin, target)?;
    let removing = target.lock.write();
    // A file whose last name went stays gone, unless it never had one (O_TMPFILE).
    if target.links() == 0 && !old.dentry.is_unnamed() {
        return Err(Errno::ENOENT);
    }
    folder.directory()?.link(folder, &name, target)?;
    drop(removing);
    parent.path.dentry.set_child(&name, target.clone());
    Ok(())
}

/// What may be given another name: no folder; and as `fs.protected_hardlinks` is by default in distributions, only what the
/// caller owns or could both read and write, without surprises in its mode. EPERM.
fn check_link(origin: &Origin<'_>, target: &Inode) -> Result<(), Errno> {
    if target.is_directory() {
        return Err(Errno::EPERM);
    }
    let credentials = origin.credentials;
    if credentials.user.file_system == target.user() || credentials.has(Capabilities::FOWNER) {
        return Ok(());
    }
    let permissions = target.permissions();
    let group_runs = mode::SET_GROUP | mode::GROUP_EXECUTE;
    let safe = target.kind() == FileType::Regular
        && permissions & mode::SET_USER == 0
        && permissions & group_runs != group_runs
        && target.check_access(credentials, Access::READ | Access::WRITE).is_ok();
    if safe { Ok(()) } else { Err(Errno::EPERM) }
}
