//! What a file system does for its folders.
use crate::inode::{Inode, NewInode};
use crate::name::Name;
use abi::Errno;
use abi::file::{FileType, RenameFlags};
use alloc::sync::Arc;

/// Which results of look-ups the dentry cache keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Those that found something, and those that did not.
    All,
    /// Only those that found something.
    Found,
    /// Only those that found something that was not marked by [`Inode::mark_fleeting`].
    Lasting,
}

/// One entry, as `getdents64(2)` shows it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub name: &'a [u8],
    pub inode: u64,
    pub kind: FileType,
    /// The position behind it.
    pub next: u64,
}

/// Takes an entry; false where there is no room for it, and reading ends.
pub type Sink<'a> = dyn FnMut(Entry<'_>) -> bool + 'a;

/// A rename, both folders locked for writing.
pub struct Rename<'a> {
    pub from: &'a Arc<Inode>,
    pub name: &'a Name<'a>,
    pub inode: &'a Arc<Inode>,
    pub to: &'a Arc<Inode>,
    pub new_name: &'a Name<'a>,
    /// What the new name stood for: to be replaced, or exchanged.
    pub replaced: Option<&'a Arc<Inode>>,
    pub flags: RenameFlags,
}

/// The entries of a folder. All may sleep. `inode` is the folder's own. For changes its lock is held for writing, for
/// look-ups and reading at least for reading; names and permissions are checked; times, link counts and sizes of all that
/// take part are the file system's to change.
pub trait Directory: Send + Sync {
    /// The inode of that name: the same object for the same file. ENOENT.
    fn lookup(&self, inode: &Arc<Inode>, name: &Name<'_>) -> Result<Arc<Inode>, Errno>;

    /// Makes a file, folder, symlink or node under a name that is not there. ENOSPC; EPERM where it cannot.
    fn create(&self, inode: &Arc<Inode>, name: &Name<'_>, new: &NewInode<'_>) -> Result<Arc<Inode>, Errno> {
        let _ = (inode, name, new);
        Err(Errno::EPERM)
    }

    /// Makes a file without a name (`O_TMPFILE`), its link count 0. EOPNOTSUPP.
    fn create_unnamed(&self, inode: &Arc<Inode>, new: &NewInode<'_>) -> Result<Arc<Inode>, Errno> {
        let _ = (inode, new);
        Err(Errno::EOPNOTSUPP)
    }

    /// Gives `target` another name, which is not there. EMLINK; ENOSPC.
    fn link(&self, inode: &Arc<Inode>, name: &Name<'_>, target: &Arc<Inode>) -> Result<(), Errno> {
        let _ = (inode, name, target);
        Err(Errno::EPERM)
    }

    /// Removes an entry; `victim` is its inode, locked. ENOTEMPTY for a folder that has entries.
    fn remove(&self, inode: &Arc<Inode>, name: &Name<'_>, victim: &Arc<Inode>) -> Result<(), Errno> {
        let _ = (inode, name, victim);
        Err(Errno::EPERM)
    }

    /// Moves an entry. ENOTEMPTY for a replaced folder that has entries; EINVAL for flags that it lacks.
    fn rename(&self, rename: &Rename<'_>) -> Result<(), Errno> {
        let _ = rename;
        Err(Errno::EPERM)
    }

    /// Shows entries from `position` on, without `.` and `..`, which have the positions 0 and 1: it starts at 2. Answers the
    /// position to go on from.
    fn read(&self, inode: &Arc<Inode>, position: u64, sink: &mut Sink<'_>) -> Result<u64, Errno>;

    fn caching(&self) -> Caching {
        Caching::All
    }

    /// For a file system to find its own folder again in a rename.
    fn as_any(&self) -> Option<&dyn core::any::Any> {
        None
    }
}
