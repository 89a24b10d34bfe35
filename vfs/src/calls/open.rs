//! `open(2)`, `chdir(2)`, `chroot(2)`.
use crate::credentials::Capabilities;
use crate::dentry::Dentry;
use crate::file::OpenFile;
use crate::inode::{Inode, NewInode};
use crate::name::Name;
use crate::path::{FsContext, Origin, Path};
use crate::walk::{self, Followed, Last, Parent};
use abi::Errno;
use abi::file::{Access, DeviceNumber, FileType, MountFlags, OpenFlags, mode};
use alloc::sync::Arc;

/// `openat(2)`. `permissions` is the mode argument, before the umask.
pub fn open_at(origin: &Origin<'_>, path: &[u8], flags: OpenFlags, permissions: u32) -> Result<Arc<OpenFile>, Errno> {
    if flags.contains(OpenFlags::TEMPORARY) {
        return open_temporary(origin, path, flags, permissions);
    }
    let flags = if flags.contains(OpenFlags::PATH) {
        // O_PATH ignores the others (open(2)).
        flags & (OpenFlags::PATH | OpenFlags::DIRECTORY | OpenFlags::NO_FOLLOW | OpenFlags::CLOSE_ON_EXEC)
    } else {
        flags
    };
    if flags.contains(OpenFlags::CREATE) {
        if flags.contains(OpenFlags::DIRECTORY) {
            return Err(Errno::EINVAL);
        }
        return open_or_create(origin, path, flags, permissions);
    }
    let last = if flags.contains(OpenFlags::NO_FOLLOW) { Last::Keep } else { Last::Follow };
    open_existing(origin, walk::resolve(origin, path, last)?, flags)
}

/// Opens what is there, with all checks.
fn open_existing(origin: &Origin<'_>, path: Path, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    let inode = path.inode()?;
    if flags.contains(OpenFlags::DIRECTORY) && !inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    if flags.contains(OpenFlags::PATH) {
        return OpenFile::open(path, flags, origin.credentials);
    }
    check_open(origin, &path, inode, flags)?;
    let truncates = flags.contains(OpenFlags::TRUNCATE) && inode.kind() == FileType::Regular;
    let file = OpenFile::open(path, flags, origin.credentials)?;
    if truncates && let Some(cache) = file.inode().cache() {
        let inode = file.inode();
        let _writing = inode.lock.write();
        cache.truncate(0);
        inode.touch_modified();
    }
    Ok(file)
}

/// What `open(2)` refuses. ELOOP; EISDIR; EACCES; EROFS; EPERM.
fn check_open(origin: &Origin<'_>, path: &Path, inode: &Inode, flags: OpenFlags) -> Result<(), Errno> {
    let writes = flags.writes() || flags.contains(OpenFlags::TRUNCATE);
    match inode.kind() {
        FileType::Symlink => return Err(Errno::ELOOP),
        FileType::Directory if writes || flags.contains(OpenFlags::CREATE) => return Err(Errno::EISDIR),
        FileType::CharacterDevice | FileType::BlockDevice if path.mount.flags().contains(MountFlags::NO_DEVICES) => {
            return Err(Errno::EACCES);
        }
        FileType::Regular if writes => path.mount.check_writable()?,
        _ => {}
    }
    let mut wanted = if flags.reads() { Access::READ } else { Access::empty() };
    wanted.set(Access::WRITE, writes);
    inode.check_access(origin.credentials, wanted)?;
    if flags.contains(OpenFlags::NO_ACCESS_TIME) {
        inode.check_owner(origin.credentials)?;
    }
    Ok(())
}

fn open_or_create(
    origin: &Origin<'_>,
    path: &[u8],
    flags: OpenFlags,
    permissions: u32,
) -> Result<Arc<OpenFile>, Errno> {
    let mut parent = walk::resolve_parent(origin, path)?;
    loop {
        if parent.slash || !parent.is_name() {
            // A folder, whichever it is, is not made by open(2).
            return Err(Errno::EISDIR);
        }
        let name = parent.name(Errno::EISDIR)?;
        // A name that is not in memory is most likely new: it is looked up under the lock that making it needs, and no negative
        // dentry is left only to be replaced.
        let known = parent.path.dentry.cached_child(&name).filter(|child| child.inode().is_some());
        let dentry = match known {
            Some(child) => child,
            None => match create(origin, &parent, &name, flags, permissions)? {
                Created::New(file) => return Ok(file),
                Created::There(child) => child,
            },
        };
        let found = walk::across_mounts(&parent.path, dentry);
        let inode = found.inode()?;
        if flags.contains(OpenFlags::EXCLUSIVE) {
            return Err(Errno::EEXIST);
        }
        if inode.kind() == FileType::Symlink {
            if flags.contains(OpenFlags::NO_FOLLOW) {
                return Err(Errno::ELOOP);
            }
            match walk::follow(origin, parent, &found)? {
                Followed::Path(next) => parent = next,
                Followed::Object(path, _) => return open_existing(origin, path, flags),
            }
            continue;
        }
        return open_existing(origin, found, flags);
    }
}

/// What became of a name that was to be made.
enum Created {
    New(Arc<OpenFile>),
    /// It was in the file system already, or somebody else made it just now.
    There(Arc<Dentry>),
}

/// Makes a regular file and opens it, where it is not there.
fn create(
    origin: &Origin<'_>,
    parent: &Parent<'_>,
    name: &Name<'_>,
    flags: OpenFlags,
    permissions: u32,
) -> Result<Created, Errno> {
    let folder = parent.path.inode()?;
    let exclusive = folder.lock.write();
    if let Some(child) = parent.path.dentry.existing_child_locked(name)? {
        return Ok(Created::There(child));
    }
    parent.path.mount.check_writable()?;
    let new = super::names::prepare(origin, &parent.path, FileType::Regular, permissions)?;
    let inode = folder.directory()?.create(folder, name, &new)?;
    let dentry = parent.path.dentry.set_child(name, inode);
    drop(exclusive);
    let path = Path { mount: parent.path.mount.clone(), dentry };
    // The new file's mode does not matter for this opening (open(2)).
    OpenFile::open(path, flags, origin.credentials).map(Created::New)
}

/// `O_TMPFILE`. EINVAL unless it is for writing; EOPNOTSUPP.
fn open_temporary(
    origin: &Origin<'_>,
    path: &[u8],
    flags: OpenFlags,
    permissions: u32,
) -> Result<Arc<OpenFile>, Errno> {
    if !flags.contains(OpenFlags::DIRECTORY) || !flags.writes() || flags.contains(OpenFlags::CREATE) {
        return Err(Errno::EINVAL);
    }
    let place = walk::resolve(origin, path, Last::Follow)?;
    let folder = place.inode()?;
    let directory = folder.directory()?;
    place.mount.check_writable()?;
    let exclusive = folder.lock.write();
    let new = super::names::prepare(origin, &place, FileType::Regular, permissions)?;
    let inode = directory.create_unnamed(folder, &new)?;
    drop(exclusive);
    let text = alloc::format!("#{}", inode.number());
    let name = crate::Name::new(text.as_bytes())?;
    let dentry = place.dentry.new_child(&name, Some(inode));
    dentry.mark_unnamed(!flags.contains(OpenFlags::EXCLUSIVE));
    OpenFile::open(Path { mount: place.mount, dentry }, flags, origin.credentials)
}

/// Whether somebody may make `path` their current folder or root. ENOTDIR; EACCES.
fn check_folder(origin: &Origin<'_>, path: &Path) -> Result<(), Errno> {
    let inode = path.inode()?;
    inode.directory()?;
    inode.check_access(origin.credentials, Access::EXECUTE)
}

/// `chdir(2)`, and `fchdir(2)` with `None` and the folder as the origin's start. Answers the new context.
pub fn change_directory(origin: &Origin<'_>, path: Option<&[u8]>) -> Result<FsContext, Errno> {
    let current = match path {
        Some(path) => walk::resolve(origin, path, Last::Follow)?,
        None => origin.start.cloned().ok_or(Errno::EBADF)?,
    };
    check_folder(origin, &current)?;
    Ok(FsContext { current, ..origin.context.clone() })
}

/// `chroot(2)`. EPERM without CAP_SYS_CHROOT. Answers the new context.
pub fn change_root(origin: &Origin<'_>, path: &[u8]) -> Result<FsContext, Errno> {
    let root = walk::resolve(origin, path, Last::Follow)?;
    check_folder(origin, &root)?;
    if !origin.credentials.has(Capabilities::SYS_CHROOT) {
        return Err(Errno::EPERM);
    }
    Ok(FsContext { root, ..origin.context.clone() })
}

/// Owner, group and permissions of a new file.
pub(super) fn new_inode<'a>(
    origin: &Origin<'_>,
    folder: &Inode,
    kind: FileType,
    permissions: u32,
    device: DeviceNumber,
    target: &'a [u8],
) -> NewInode<'a> {
    let masked = match kind {
        FileType::Symlink => 0o777,
        _ => permissions & mode::PERMISSIONS & !(origin.context.umask & 0o777),
    };
    let credentials = origin.credentials;
    let (group, mut permissions) = walk::inherited(folder, credentials, kind, masked);
    // A file may not be given a set-group-ID bit for a group that its maker is not in (inode_init_owner).
    let runs_as_group = permissions & (mode::SET_GROUP | mode::GROUP_EXECUTE) == mode::SET_GROUP | mode::GROUP_EXECUTE;
    if kind != FileType::Directory
        && runs_as_group
        && !credentials.in_group(group)
        && !credentials.has(Capabilities::FSETID)
    {
        permissions &= !mode::SET_GROUP;
    }
    NewInode { kind, permissions, user: credentials.user.file_system, group, device, target }
}
