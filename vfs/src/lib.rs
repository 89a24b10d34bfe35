//! The virtual file system: one tree of names over many file systems.
//!
//! **Model.** An [`Inode`] is a file, a [`Dentry`] a name in memory, a [`Mount`] a file system at a place, and a [`Path`] a
//! dentry seen through a mount. An [`OpenFile`] is one opening; a [`DescriptorTable`] numbers a process's openings. A file
//! system implements small traits by role: [`FileSystemType`] and [`FileSystem`] for the whole, [`Directory`] for folders,
//! [`FileSource`] for files whose openings are objects of their own. Regular files live in the page cache, whose `Backing` the
//! file system implements; reading, writing and mapping them is done here, for all alike.
//!
//! **Nothing ambient.** Who asks, from where, and under which limits comes in as arguments ([`Origin`]); the clock and the
//! registries hang off [`Vfs`], which each superblock knows. The calls of user space are functions in [`calls`], one for
//! each, that take paths as bytes.
//!
//! **Walks** take one spinlock per name, of the folder that is searched, and sleep only for names not in memory. What a dentry
//! stands for never changes, so its inode is read without a lock; see [`dentry`](Dentry).
//!
//! **Locks, outermost first.** An open file's position · `SuperBlock::renaming` and the mount tree (`Namespace`) · a folder's
//! `Inode::lock` (`Directory`; a second folder nests: ancestors first, else by address) · a file's `Inode::lock` (`Inode`) ·
//! a dentry's children (`Dentry`) · its name and parent, a mount's place (`DentryPlace`) · attributes.
//!
//! **Why not** Linux's walk without any lock: it needs read-copy-update with deferred freeing, which the floor below does not
//! offer yet. When it does, [`Dentry`]'s index is the one place to change.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod anonymous;
mod attributes;
pub mod calls;
mod credentials;
mod dentry;
mod descriptors;
pub mod device;
mod directory;
mod entries;
mod executed;
mod extended;
mod file;
mod inode;
mod locks;
mod mount;
pub mod name;
pub mod name_trie;
mod path;
mod permission;
mod seals;
mod shrink;
mod superblock;
mod transfer;
mod walk;
mod watchers;

pub use anonymous::AnonymousKind;
pub use credentials::{Capabilities, Credentials, Identity};
pub use dentry::Dentry;
pub use descriptors::{DescriptorTable, MOST as MOST_DESCRIPTORS, Reservation};
pub use device::{DeviceFile, DeviceRegistry, FifoOpener, Openers};
pub use directory::{Caching, Directory, Entry, Rename, Sink};
pub use entries::EntryFormat;
pub use executed::ExecutedFile;
pub use extended::{AttributeSpace, Attributes, ExtendedAttributes, LONGEST_NAME, LONGEST_VALUE, SetMode, Value};
pub use file::{FileOperations, Mapping, OpenFile, Seekable};
pub use inode::{Content, FileSource, Inode, MagicLink, NewInode, Target, Times, same_file};
pub use locks::{LockKind, LockOwner, LockRange};
pub use mount::{Mount, Namespace};
pub use name::Name;
pub use path::{FsContext, Origin, Path};
pub use seals::Seals;
pub use shrink::shrink;
pub use superblock::{Clock, Counters, FileSystem, FileSystemType, Properties, SuperBlock, Totals, Vfs};
pub use transfer::MAX_TRANSFER;
pub use walk::{Last, resolve};
pub use watchers::Watcher;
