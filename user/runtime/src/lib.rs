//! The smallest thing under a guest program: entry point, system calls, a panic that says where.
//!
//! A static program with the standard library is over half a megabyte, and each boot pays for unpacking it; init needs forty
//! system calls and no allocator. So the calls are made here, directly, as the same numbers on Linux and on Birgus, and
//! nothing of libc is linked. A program defines `birgus_main` and links with `-nostartfiles` (see `user/init/build.rs`).
#![no_std]

mod call;
mod entry;
mod files;
mod memory;
mod processes;
mod terminal;
mod text;

pub use call::{Errno, Result};
pub use entry::Arguments;
pub use files::*;
pub use memory::Pages;
pub use processes::*;
pub use terminal::*;
pub use text::{Text, decimal, hexadecimal};
