//! Folders.
use crate::entries::Entries;
use crate::super_block::Tmpfs;
use abi::Errno;
use abi::file::{FileType, RenameFlags};
use alloc::sync::Arc;
use vfs::{Content, Directory, Entry, Inode, Name, NewInode, Rename, Sink};

/// What an entry adds to the size of its folder, as Linux counts (BOGO_DIRENT_SIZE).
const ENTRY_SIZE: u64 = 20;
/// Where reading starts: behind `.` and `..`.
const FIRST: u64 = 2;

/// A folder's entries.
pub(crate) struct Folder {
    file_system: Arc<Tmpfs>,
    entries: Entries,
}

impl Folder {
    pub(crate) fn new(file_system: Arc<Tmpfs>) -> Self {
        Self { file_system, entries: Entries::new() }
    }

    fn make(&self, folder: &Arc<Inode>, new: &NewInode<'_>) -> Result<Arc<Inode>, Errno> {
        let superblock = folder.superblock();
        let number = self.file_system.next_inode(superblock)?;
        let content = match new.kind {
            FileType::Directory => Content::Directory(Arc::new(Folder::new(self.file_system.clone()))),
            FileType::Regular => Content::cached(self.file_system.clone(), 0),
            FileType::Symlink => Content::Symlink(Arc::from(new.target)),
            _ => Content::special(),
        };
        Ok(Inode::new(superblock.clone(), number, new, content))
    }
}

/// A folder gained (or lost) an entry now.
fn resize(folder: &Inode, grows: bool) {
    let size = folder.size();
    folder.set_size(if grows { size + ENTRY_SIZE } else { size.saturating_sub(ENTRY_SIZE) });
    folder.touch_modified();
}

impl Directory for Folder {
    fn lookup(&self, _: &Arc<Inode>, name: &Name<'_>) -> Result<Arc<Inode>, Errno> {
        self.entries.get(name).ok_or(Errno::ENOENT)
    }

    fn create(&self, folder: &Arc<Inode>, name: &Name<'_>, new: &NewInode<'_>) -> Result<Arc<Inode>, Errno> {
        let inode = self.make(folder, new)?;
        self.entries.insert(name, inode.clone());
        if inode.is_directory() {
            folder.add_links(1);
        }
        resize(folder, true);
        Ok(inode)
    }

    fn create_unnamed(&self, folder: &Arc<Inode>, new: &NewInode<'_>) -> Result<Arc<Inode>, Errno> {
        let inode = self.make(folder, new)?;
        inode.set_links(0);
        Ok(inode)
    }

    fn link(&self, folder: &Arc<Inode>, name: &Name<'_>, target: &Arc<Inode>) -> Result<(), Errno> {
        self.entries.insert(name, target.clone());
        target.add_links(1);
        target.touch_changed();
        resize(folder, true);
        Ok(())
    }

    fn remove(&self, folder: &Arc<Inode>, name: &Name<'_>, victim: &Arc<Inode>) -> Result<(), Errno> {
        self.file_system.check_empty(victim)?;
        self.entries.remove(name).ok_or(Errno::ENOENT)?;
        self.unlink(folder, victim);
        resize(folder, false);
        Ok(())
    }

    fn rename(&self, rename: &Rename<'_>) -> Result<(), Errno> {
        let target = folder_of(rename.to)?;
        let same_folder = Arc::ptr_eq(rename.from, rename.to);
        let moves_folder = rename.inode.is_directory() && !same_folder;
        if rename.flags.contains(RenameFlags::EXCHANGE) {
            let other = rename.replaced.ok_or(Errno::ENOENT)?;
            self.entries.replace(rename.name, other.clone());
            target.replace(rename.new_name, rename.inode.clone());
            let difference = i32::from(moves_folder) - i32::from(other.is_directory() && !same_folder);
            rename.from.add_links(-difference);
            rename.to.add_links(difference);
            other.touch_changed();
        } else {
            if let Some(replaced) = rename.replaced {
                self.file_system.check_empty(replaced)?;
                target.remove(rename.new_name);
                self.unlink(rename.to, replaced);
                resize(rename.to, false);
            }
            self.entries.remove(rename.name).ok_or(Errno::ENOENT)?;
            target.insert(rename.new_name, rename.inode.clone());
            if moves_folder {
                rename.from.add_links(-1);
                rename.to.add_links(1);
            }
            resize(rename.from, false);
            resize(rename.to, true);
        }
        rename.from.touch_modified();
        rename.to.touch_modified();
        rename.inode.touch_changed();
        Ok(())
    }

    fn read(&self, _: &Arc<Inode>, position: u64, sink: &mut Sink<'_>) -> Result<u64, Errno> {
        // Behind the start, positions say the highest number that is left.
        let left = if position <= FIRST { u64::MAX } else { position - FIRST - 1 };
        let at = |left: u64| left.saturating_add(FIRST + 1);
        let refused = self.entries.find_newest(left, |entry| {
            let inode = &entry.inode;
            !sink(Entry {
                name: entry.name.bytes(),
                inode: inode.number(),
                kind: inode.kind(),
                next: at(entry.number - 1),
            })
        });
        Ok(at(refused.unwrap_or(0)))
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

impl Folder {
    /// A name of `victim` is gone.
    fn unlink(&self, folder: &Inode, victim: &Inode) {
        if victim.is_directory() {
            // Its own `.`, its name, and its `..`.
            victim.set_links(0);
            folder.add_links(-1);
        } else {
            victim.add_links(-1);
        }
        victim.touch_changed();
    }
}

impl Tmpfs {
    /// ENOTEMPTY for a folder with entries.
    fn check_empty(&self, inode: &Inode) -> Result<(), Errno> {
        if inode.is_directory() && !folder_of(inode)?.is_empty() { Err(Errno::ENOTEMPTY) } else { Ok(()) }
    }
}

/// The entries of another folder of this file system.
fn folder_of(inode: &Inode) -> Result<&Entries, Errno> {
    let directory = inode.directory()?.as_any().ok_or(Errno::EXDEV)?;
    directory.downcast_ref::<Folder>().map(|folder| &folder.entries).ok_or(Errno::EXDEV)
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.file_system.bury(self.entries.take());
    }
}
