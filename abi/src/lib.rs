//! Linux's binary interface for x86-64: numbers, layouts, error codes. No behaviour.
//!
//! Structures that cross the boundary are defined here with zerocopy's derives, so that a type with implicit
//! padding does not compile and nothing of the kernel's memory can leak through it. Plain constants come from
//! `linux-raw-sys`, which is generated from the kernel's own UAPI headers.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod elf;
pub mod errno;
pub mod file;
pub mod registers;
pub mod signal;
pub mod system;
pub mod terminal;
pub mod time;

pub use errno::Errno;
/// Constants generated from the UAPI headers.
pub use linux_raw_sys as raw;
pub use registers::PtRegs;

/// Bytes in a page of the smallest size.
pub const PAGE_SIZE: usize = 4096;
/// First address beyond what a program may map with four-level tables: Linux's `TASK_SIZE_MAX`.
pub const USER_END: usize = 0x7fff_ffff_f000;
/// Longest path that a system call takes, the terminating NUL included (limits.h).
pub const PATH_MAX: usize = 4096;
/// Longest name of a directory entry, without a NUL (limits.h).
pub const NAME_MAX: usize = 255;
