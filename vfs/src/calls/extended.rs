//! `getxattr(2)`, `setxattr(2)`, `listxattr(2)`, `removexattr(2)`: who may, and which names there are.
use super::Place;
use super::attributes::locate_place;
use crate::credentials::Capabilities;
use crate::extended::{ExtendedAttributes, LONGEST_VALUE, SetMode, Value};
use crate::inode::Inode;
use crate::path::Origin;
use abi::Errno;
use abi::file::{Access, FileType, mode};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The name of file capabilities.
const CAPABILITY: &[u8] = b"security.capability";

/// The kinds of names, by their prefix.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    User,
    Trusted,
    Security,
}

/// EOPNOTSUPP for another prefix; EINVAL for a prefix without a name.
fn kind(name: &[u8]) -> Result<Kind, Errno> {
    let prefixes = [(&b"user."[..], Kind::User), (b"trusted.", Kind::Trusted), (b"security.", Kind::Security)];
    let (prefix, kind) = prefixes.into_iter().find(|(prefix, _)| name.starts_with(prefix)).ok_or(Errno::EOPNOTSUPP)?;
    if name.len() == prefix.len() { Err(Errno::EINVAL) } else { Ok(kind) }
}

/// Whether the caller may read or write an attribute of that name (xattr_permission in Linux). EPERM or ENODATA; EACCES.
fn check(origin: &Origin<'_>, inode: &Inode, name: &[u8], write: bool) -> Result<(), Errno> {
    let refused = Err(if write { Errno::EPERM } else { Errno::ENODATA });
    let credentials = origin.credentials;
    if name.starts_with(b"security.") {
        let needed = if name == CAPABILITY { Capabilities::SETFCAP } else { Capabilities::SYS_ADMIN };
        return if write && !credentials.has(needed) { refused } else { Ok(()) };
    }
    if name.starts_with(b"trusted.") {
        return if credentials.has(Capabilities::SYS_ADMIN) { Ok(()) } else { refused };
    }
    if name.starts_with(b"user.") {
        if !matches!(inode.kind(), FileType::Regular | FileType::Directory) {
            return refused;
        }
        let sticky = inode.is_directory() && inode.permissions() & mode::STICKY != 0;
        if write && sticky && inode.check_owner(credentials).is_err() {
            return refused;
        }
    }
    inode.check_access(credentials, if write { Access::WRITE } else { Access::READ })
}

fn store(inode: &Inode) -> Result<&dyn ExtendedAttributes, Errno> {
    inode.superblock().operations().extended_attributes().ok_or(Errno::EOPNOTSUPP)
}

/// `getxattr(2)`. ENODATA; EOPNOTSUPP.
pub fn get_attribute(origin: &Origin<'_>, place: Place<'_>, name: &[u8]) -> Result<Value, Errno> {
    let path = locate_place(origin, place)?;
    let inode = path.inode()?;
    check(origin, inode, name, false)?;
    kind(name)?;
    store(inode)?.get(inode, name)
}

/// `setxattr(2)`; `removexattr(2)` where there is no value. EROFS; EPERM; EEXIST; ENODATA; ENOSPC; EOPNOTSUPP.
pub fn set_attribute(
    origin: &Origin<'_>,
    place: Place<'_>,
    name: &[u8],
    value: Option<Vec<u8>>,
    mode: SetMode,
) -> Result<(), Errno> {
    let path = locate_place(origin, place)?;
    path.mount.check_writable()?;
    let inode = path.inode()?;
    check(origin, inode, name, true)?;
    kind(name)?;
    let store = store(inode)?;
    let _changing = inode.lock.write();
    store.set(inode, name, value.map(Arc::new), mode)?;
    inode.touch_changed();
    Ok(())
}

/// `listxattr(2)`: names with their NULs. Trusted ones are for administrators. E2BIG; ENOMEM.
pub fn list_attributes(origin: &Origin<'_>, place: Place<'_>) -> Result<Vec<u8>, Errno> {
    let path = locate_place(origin, place)?;
    let inode = path.inode()?;
    let mut names: Vec<u8> = Vec::new();
    let Ok(store) = store(inode) else { return Ok(names) };
    let all = origin.credentials.has(Capabilities::SYS_ADMIN);
    store.list(inode, &mut |name| {
        if !all && name.starts_with(b"trusted.") {
            return Ok(());
        }
        if names.len() + name.len() + 1 > LONGEST_VALUE {
            return Err(Errno::E2BIG);
        }
        names.try_reserve(name.len() + 1).map_err(|_| Errno::ENOMEM)?;
        names.extend_from_slice(name);
        names.push(0);
        Ok(())
    })?;
    Ok(names)
}
