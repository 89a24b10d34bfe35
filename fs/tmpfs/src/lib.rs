//! tmpfs: files that live in the page cache and nowhere else (`tmpfs(5)`).
//!
//! **Model.** A file is its page cache: a page that is not there is a hole. A folder has two indexes of its entries: by name,
//! and by a number that entries are given in the order of their making and never again. Reading a folder follows the numbers
//! from the highest down, so a position stays good whatever comes and goes, and the order is that of Linux: newest first.
//!
//! **Limits.** Pages and inodes are counted for each mounted file system, and refused with ENOSPC beyond its limits.
//!
//! **Locks.** Entries change under the folder's inode lock, held for writing by the caller; the locks here only guard the
//! two indexes for the length of one step: a spinlock for the one by name, which every look-up takes, a sleeping one for the
//! order. Link counts, sizes and times of the inodes involved are kept exact here.
//!
//! **Letting go.** Folders own their entries' inodes, and nest to any depth; so what a dying folder held is put on a list and
//! let go one by one, not recursively.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod attributes;
mod directory;
mod entries;
mod nameless;
mod options;
mod super_block;

pub use nameless::NamelessFiles;
pub use options::{Limits, Options};
pub use super_block::{Tmpfs, TmpfsType};
