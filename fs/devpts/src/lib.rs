//! devpts: the folder `/dev/pts`, where pseudo-terminals' slaves have their names, and `ptmx`, which makes new ones.
//!
//! **Model.** Each mount is an [`Instance`] with numbers and options of its own, as on Linux since 4.7; so a container that mounts it
//! sees its own pseudo-terminals only. What a master and a slave *do* is not here: whoever registers the type says what opening
//! `ptmx` does ([`Masters`]), takes a [`Number`] from the instance, and gives it the slave's file.
//!
//! **Names** come and go without a word to the dentry cache: their inodes are fleeting, and looked up anew each time.
//!
//! **Locks.** An instance's entries and options are under one spinlock each, taken for a few steps and never together.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod file_system;
mod folder;
mod instance;
mod options;

pub use file_system::DevPtsType;
pub use instance::{Instance, Masters, Number};

/// Linux's major number of slaves.
pub const SLAVE_MAJOR: u32 = 136;

#[cfg(test)]
mod tests;
