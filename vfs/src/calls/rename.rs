//! `renameat2(2)`.
use super::names::check_new_entry;
use crate::dentry::Dentry;
use crate::directory::Rename;
use crate::inode::Inode;
use crate::name::Name;
use crate::path::Origin;
use crate::walk::{self, Parent};
use abi::Errno;
use abi::file::{Access, RenameFlags};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sync::WriteGuard;

/// One end of a rename.
struct End<'a> {
    parent: &'a Parent<'a>,
    name: Name<'a>,
    dentry: Arc<Dentry>,
}

/// `renameat2(2)`. EXDEV; EBUSY; EINVAL; EEXIST; ENOTDIR; EISDIR; ENOTEMPTY.
pub fn rename_at(
    old_origin: &Origin<'_>,
    old_path: &[u8],
    new_origin: &Origin<'_>,
    new_path: &[u8],
    flags: RenameFlags,
) -> Result<(), Errno> {
    let exchange = flags.contains(RenameFlags::EXCHANGE);
    if flags.contains(RenameFlags::WHITEOUT) || (exchange && flags.contains(RenameFlags::NO_REPLACE)) {
        return Err(Errno::EINVAL);
    }
    let old = walk::resolve_parent(old_origin, old_path)?;
    let new = walk::resolve_parent(new_origin, new_path)?;
    if !Arc::ptr_eq(&old.path.mount, &new.path.mount) {
        return Err(Errno::EXDEV);
    }
    let old_name = old.name(Errno::EBUSY)?;
    let busy = if flags.contains(RenameFlags::NO_REPLACE) { Errno::EEXIST } else { Errno::EBUSY };
    let new_name = new.name(busy)?;
    old.path.mount.check_writable()?;
    let superblock = old.path.dentry.superblock().clone();
    let same_folder = Arc::ptr_eq(&old.path.dentry, &new.path.dentry);
    let moving = (!same_folder).then(|| superblock.renaming.lock());
    let locked = lock_folders(&old.path.dentry, &new.path.dentry)?;
    let from = End { dentry: old.path.dentry.child_locked(&old_name)?, parent: &old, name: old_name };
    let to = End { dentry: new.path.dentry.child_locked(&new_name)?, parent: &new, name: new_name };
    if !check(old_origin, &from, &to, flags)? {
        return Ok(());
    }
    superblock.renames.fetch_add(1, Ordering::AcqRel);
    let renamed = apply(&from, &to, flags);
    superblock.renames.fetch_add(1, Ordering::AcqRel);
    drop(locked);
    drop(moving);
    renamed
}

type Locked<'a> = (WriteGuard<'a, ()>, Option<WriteGuard<'a, ()>>);

/// Locks both folders: the one above first, else the one at the lower address.
fn lock_folders<'a>(first: &'a Arc<Dentry>, second: &'a Arc<Dentry>) -> Result<Locked<'a>, Errno> {
    let (one, two) = (first.existing()?, second.existing()?);
    if Arc::ptr_eq(one, two) {
        return Ok((one.lock.write(), None));
    }
    let address = |inode: &Arc<Inode>| Arc::as_ptr(inode) as usize;
    let first_is_outer =
        if second.is_above(first) { false } else { first.is_above(second) || address(one) < address(two) };
    let (outer, inner) = if first_is_outer { (one, two) } else { (two, one) };
    Ok((outer.lock.write(), Some(inner.lock.write_nested())))
}

/// All that `rename(2)` refuses. False where there is nothing to do: both names are of one file.
fn check(origin: &Origin<'_>, from: &End<'_>, to: &End<'_>, flags: RenameFlags) -> Result<bool, Errno> {
    let exchange = flags.contains(RenameFlags::EXCHANGE);
    let source = from.dentry.existing()?;
    let target = to.dentry.inode();
    if target.is_some() && flags.contains(RenameFlags::NO_REPLACE) {
        return Err(Errno::EEXIST);
    }
    if exchange {
        let target = to.dentry.existing()?;
        if to.parent.slash && !target.is_directory() {
            return Err(Errno::ENOTDIR);
        }
    }
    if !source.is_directory() && (from.parent.slash || (!exchange && to.parent.slash)) {
        return Err(Errno::ENOTDIR);
    }
    if source.is_directory() && from.dentry.is_above(&to.parent.path.dentry) {
        return Err(Errno::EINVAL);
    }
    if target.is_some_and(|inode| inode.is_directory()) && to.dentry.is_above(&from.parent.path.dentry) {
        return Err(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
    }
    if target.is_some_and(|target| Arc::ptr_eq(target, source)) {
        return Ok(false);
    }
    check_rights(origin, from, to, exchange)?;
    if from.dentry.is_mountpoint() || to.dentry.is_mountpoint() {
        return Err(Errno::EBUSY);
    }
    Ok(true)
}

fn check_rights(origin: &Origin<'_>, from: &End<'_>, to: &End<'_>, exchange: bool) -> Result<(), Errno> {
    let credentials = origin.credentials;
    let source = from.dentry.existing()?;
    let (old_folder, new_folder) = (from.parent.path.inode()?, to.parent.path.inode()?);
    old_folder.check_removal(credentials, source)?;
    match to.dentry.inode() {
        None => check_new_entry(origin, &to.parent.path)?,
        Some(target) => {
            new_folder.check_removal(credentials, target)?;
            match (source.is_directory(), target.is_directory()) {
                (true, false) if !exchange => return Err(Errno::ENOTDIR),
                (false, true) if !exchange => return Err(Errno::EISDIR),
                _ => {}
            }
        }
    }
    // A folder that moves has its `..` written.
    if !Arc::ptr_eq(old_folder, new_folder) {
        let moved = [Some(source), to.dentry.inode().filter(|_| exchange)];
        for inode in moved.into_iter().flatten().filter(|inode| inode.is_directory()) {
            inode.check_access(credentials, Access::WRITE)?;
        }
    }
    Ok(())
}

/// Has the file system do it, and brings the dentries after.
fn apply(from: &End<'_>, to: &End<'_>, flags: RenameFlags) -> Result<(), Errno> {
    let old_folder = from.parent.path.inode()?;
    let source = from.dentry.existing()?;
    let replaced = to.dentry.inode();
    let exchange = flags.contains(RenameFlags::EXCHANGE);
    let removing = replaced.filter(|_| !exchange).map(|inode| match inode.is_directory() {
        true => inode.lock.write_nested(),
        false => inode.lock.write(),
    });
    old_folder.directory()?.rename(&Rename {
        from: old_folder,
        name: &from.name,
        inode: source,
        to: to.parent.path.inode()?,
        new_name: &to.name,
        replaced,
        flags,
    })?;
    let (old_place, new_place) = (&from.parent.path.dentry, &to.parent.path.dentry);
    if exchange {
        let first = (old_place, &from.name, from.dentry.clone());
        Dentry::exchange(first, (new_place, &to.name, to.dentry.clone()));
        return Ok(());
    }
    // Whatever had the new name, a negative dentry too, leaves the index.
    new_place.remove_child(&to.name, &to.dentry);
    drop(removing);
    old_place.move_child(&from.name, from.dentry.clone(), new_place, &to.name);
    Ok(())
}
