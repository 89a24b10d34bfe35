//! What the files of /proc and /sys say.
//!
//! **Problem.** Programs read the system's state as text, in formats that grew over thirty years and that nobody may change.
//! Whoever owns a figure should not have to know them, and nobody should have to lock the system to print it.
//!
//! **Model.** The trees are `procfs`'s; here are their texts. Each is a function from accessors of the owners to an
//! [`Output`](procfs::Output): figures are taken first, each under its owner's lock, and written afterwards. What is not known
//! is not written: a file exists only where its figures do, and a field that is always 0 says beside it why that is the truth.
//!
//! **Processes** come and go. A folder of one holds its first thread weakly ([`process::Subject`]) and everything below it
//! is fleeting, so that neither an open file nor the dentry cache keeps a process; reading on after its end is ESRCH. The
//! owners' counters for this are `task`'s, in the tree until the process has been waited for.
//!
//! **Who may look** is decided by the reader's credentials against the process's, as `ptrace(2)` decides: when a link is
//! followed, or when a file is opened. The reader is the running task: the one place where a file asks who is running.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(target_os = "none")]
mod accounts;
pub mod bitmap;
pub mod blocks;
pub mod cpu_flags;
#[cfg(target_os = "none")]
mod inside;
#[cfg(target_os = "none")]
mod memory_tree;
#[cfg(target_os = "none")]
mod process;
#[cfg(target_os = "none")]
mod roots;
#[cfg(target_os = "none")]
mod system;
#[cfg(target_os = "none")]
mod system_tree;
pub mod topology;

#[cfg(target_os = "none")]
pub use roots::{Sources, register};
