//! Places in the tree, and their names.
use crate::credentials::Credentials;
use crate::dentry::Dentry;
use crate::inode::Inode;
use crate::mount::Mount;
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// How often a path is read again that renames disturb; then it may mix old and new names.
const RETRIES: u32 = 16;

/// A place: a dentry, seen through a mount.
#[derive(Clone)]
pub struct Path {
    pub mount: Arc<Mount>,
    pub dentry: Arc<Dentry>,
}

/// Where a process stands. Never changed in place: `chdir` and the like make a new one, so that a walk need not lock it.
#[derive(Clone)]
pub struct FsContext {
    pub root: Path,
    pub current: Path,
    pub umask: u32,
}

/// From where, and on whose behalf, a path is walked.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    pub context: &'a FsContext,
    pub credentials: &'a Arc<Credentials>,
    /// Where relative paths start; `None` for the current folder.
    pub start: Option<&'a Path>,
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.dentry, &other.dentry) && Arc::ptr_eq(&self.mount, &other.mount)
    }
}

impl Path {
    /// What is there. ENOENT.
    #[inline(always)]
    pub fn inode(&self) -> Result<&Arc<Inode>, Errno> {
        self.dentry.existing()
    }

    /// The folder above, across mounts, but not above `root`.
    pub fn parent(&self, root: &Path) -> Path {
        let mut path = self.clone();
        loop {
            if path == *root {
                return path;
            }
            if !Arc::ptr_eq(&path.dentry, path.mount.root()) {
                break;
            }
            match path.mount.place() {
                Some(place) => path = place,
                None => return path,
            }
        }
        if let Some(parent) = path.dentry.parent() {
            path.dentry = parent;
        }
        path.cross_mounts();
        path
    }

    /// The absolute path as seen from `root`, for `getcwd(2)` and `/proc`. A place outside of `root` begins with
    /// `(unreachable)`; one whose name was removed ends with ` (deleted)`. ENAMETOOLONG beyond PATH_MAX.
    pub fn text(&self, root: &Path) -> Result<Vec<u8>, Errno> {
        let superblock = self.dentry.superblock();
        if superblock.properties().internal {
            return Ok(self.internal_text());
        }
        let mut text = Vec::new();
        // A rename between folders meanwhile may have joined old names to new ones.
        for _ in 0..RETRIES {
            let before = superblock.renames.load(Ordering::Acquire);
            text = self.text_now(root)?;
            if before.is_multiple_of(2) && superblock.renames.load(Ordering::Acquire) == before {
                break;
            }
        }
        Ok(text)
    }

    /// `pipe:[7]`, `socket:[9]`, `anon_inode:[eventfd]`.
    fn internal_text(&self) -> Vec<u8> {
        self.dentry.with_place(|name, _| {
            let mut text = name.to_vec();
            if name.ends_with(b":") {
                let number = self.dentry.inode().map_or(0, |inode| inode.number());
                text.extend_from_slice(alloc::format!("[{number}]").as_bytes());
            }
            text
        })
    }

    fn text_now(&self, root: &Path) -> Result<Vec<u8>, Errno> {
        // Built backwards: each name reversed, and all of it reversed at the end.
        let mut reversed: Vec<u8> = Vec::new();
        reversed.try_reserve(128).map_err(|_| Errno::ENOMEM)?;
        if self.dentry.is_deleted() {
            reversed.extend(b" (deleted)".iter().rev());
        }
        let mut path = self.clone();
        let mut empty = true;
        while path != *root {
            if Arc::ptr_eq(&path.dentry, path.mount.root()) {
                match path.mount.place() {
                    Some(place) => path = place,
                    None => {
                        reversed.extend(empty.then_some(b'/'));
                        reversed.extend(b"(unreachable)".iter().rev().filter(|_| !is_root_of_all(root)));
                        empty = false;
                        break;
                    }
                }
                continue;
            }
            let parent = path.dentry.with_place(|name, parent| {
                reversed.extend(name.iter().rev());
                reversed.push(b'/');
                parent.cloned()
            });
            empty = false;
            if reversed.len() > abi::PATH_MAX {
                return Err(Errno::ENAMETOOLONG);
            }
            match parent {
                Some(parent) => path.dentry = parent,
                None => break,
            }
        }
        reversed.extend(empty.then_some(b'/'));
        reversed.reverse();
        Ok(reversed)
    }
}

/// Whether nothing lies above, so that nothing is unreachable from it.
fn is_root_of_all(root: &Path) -> bool {
    Arc::ptr_eq(&root.dentry, root.mount.root()) && root.mount.place().is_none()
}
