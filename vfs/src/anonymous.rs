//! Open files without a place in the tree: pipes, sockets, and the other objects that only have descriptors.
use crate::credentials::Credentials;
use crate::dentry::Dentry;
use crate::file::{FileOperations, OpenFile};
use crate::inode::{Content, Inode, NewInode};
use crate::mount::Mount;
use crate::path::Path;
use crate::superblock::{FileSystem, Properties, SuperBlock, Vfs};
use abi::Errno;
use abi::file::{DeviceNumber, FileType, MountFlags, OpenFlags, Statfs};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sync::Once;

/// Which kind of object, as `/proc/PID/fd` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnonymousKind {
    /// `pipe:[7]`: an inode of its own, of type FIFO.
    Pipe,
    /// `socket:[9]`: an inode of its own, of type socket.
    Socket,
    /// `anon_inode:NAME`, such as `anon_inode:[eventfd]`.
    Other(&'static str),
}

/// The internal file systems.
pub(crate) struct Anonymous {
    mounts: [Once<Arc<Mount>>; 3],
}

struct Internal {
    magic: i64,
}

impl FileSystem for Internal {
    fn statistics(&self) -> Statfs {
        Statfs { kind: self.magic, block_size: 4096, fragment_size: 4096, name_length: 255, ..Statfs::default() }
    }
}

impl Anonymous {
    pub(crate) fn new() -> Self {
        Self { mounts: [const { Once::new() }; 3] }
    }
}

impl AnonymousKind {
    /// Name of the file system, its magic number (linux/magic.h), and the type of its inodes.
    fn file_system(self) -> (&'static str, i64, FileType) {
        match self {
            Self::Pipe => ("pipefs", 0x5049_5045, FileType::Fifo),
            Self::Socket => ("sockfs", 0x534f_434b, FileType::Socket),
            Self::Other(_) => ("anon_inodefs", 0x0904_1934, FileType::Regular),
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Pipe => 0,
            Self::Socket => 1,
            Self::Other(_) => 2,
        }
    }
}

impl Vfs {
    /// Makes the internal file systems; part of making the [`Vfs`].
    pub(crate) fn mount_internal(self: &Arc<Self>) {
        for kind in [AnonymousKind::Pipe, AnonymousKind::Socket, AnonymousKind::Other("")] {
            let (name, magic, _) = kind.file_system();
            let properties =
                Properties { kind: name, block_size: 4096, max_size: i64::MAX as u64, device: None, internal: true };
            let superblock =
                SuperBlock::new(self, properties, Arc::new(Internal { magic })).expect("memory at the start");
            let inode = Inode::new(superblock.clone(), 1, &new_inode(FileType::Regular, 0o600), Content::special());
            let root = Dentry::root(superblock.clone(), inode);
            let _ = self.anonymous.mounts[kind.index()].set(Mount::new(superblock, root, MountFlags::empty(), b"none"));
        }
    }

    /// A place for an object: both ends of a pipe share one.
    pub fn anonymous_path(self: &Arc<Self>, kind: AnonymousKind) -> Result<Path, Errno> {
        let mount = self.anonymous.mounts[kind.index()].get().ok_or(Errno::ENODEV)?.clone();
        let superblock = mount.superblock().clone();
        let (_, _, file_type) = kind.file_system();
        let own_inode = |permissions| {
            let number = self.next_anonymous.fetch_add(1, Ordering::Relaxed);
            Inode::new(superblock.clone(), number, &new_inode(file_type, permissions), Content::special())
        };
        let dentry = match kind {
            AnonymousKind::Pipe => Dentry::alone(superblock.clone(), b"pipe:", own_inode(0o600)),
            AnonymousKind::Socket => Dentry::alone(superblock.clone(), b"socket:", own_inode(0o777)),
            AnonymousKind::Other(name) => {
                let shared = mount.root().existing()?.clone();
                Dentry::alone(superblock, &[b"anon_inode:", name.as_bytes()].concat(), shared)
            }
        };
        Ok(Path { mount, dentry })
    }

    /// An open file at such a place.
    pub fn anonymous_file(
        self: &Arc<Self>,
        path: Path,
        operations: Arc<dyn FileOperations>,
        flags: OpenFlags,
        credentials: &Arc<Credentials>,
    ) -> Arc<OpenFile> {
        OpenFile::with_operations(path, operations, flags, credentials)
    }
}

impl Path {
    /// A place for a file that never had a name in its file system, shown as `/NAME (deleted)`.
    pub fn nameless(mount: &Arc<Mount>, name: &[u8], inode: Arc<Inode>) -> Self {
        let dentry = Dentry::alone(mount.superblock().clone(), name, inode);
        dentry.mark_unnamed(false);
        Self { mount: mount.clone(), dentry }
    }
}

fn new_inode(kind: FileType, permissions: u32) -> NewInode<'static> {
    NewInode { kind, permissions, user: 0, group: 0, device: DeviceNumber::default(), target: &[] }
}
