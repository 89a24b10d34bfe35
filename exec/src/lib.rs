//! What `execve(2)` finds in a file and what it builds from it: ELF images, `#!` lines, the first stack.
//!
//! **Problem.** The file is hostile, and the old program must survive until nothing can fail that the caller is still to be
//! told about. So reading and judging a file is separate from mapping it.
//!
//! **Model.** Three steps, each a value:
//! 1. [`Program::parse`] reads the headers. Its errors are those that `execve` returns; the old program lives on.
//!    [`parse_script`] does the same for `#!` files.
//! 2. [`Program::layout`] checks the segments and says what to map, in order, later mappings over earlier ones. Linux finds
//!    these errors beyond the point of no return, and the new program dies of SIGSEGV; a caller that wants
//!    to be exact calls it there.
//! 3. [`StackImage`] lays strings, auxiliary vector and pointers out below the top of the stack and hands them out in
//!    pieces that never cross a page. [`Arguments`] collects the strings first, within the limits of `execve(2)`.
//!
//! **Invariants.** All addresses of a [`Layout`] lie below `USER_END` and inside `start .. start + span`, whatever the file says.
//! Work and memory are linear in the program header table, which has at most 64 KiB.
//!
//! **Contexts.** Everything here may allocate; reading an [`Image`] may sleep. No locks, no globals.
//!
//! **Why not** an ELF crate: they parse for tools, accept or reject by the specification, and Linux does
//! neither: it ignores class and byte order, for instance, and programs exist that rely on it.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod arguments;
mod auxiliary;
mod layout;
mod program;
mod script;
mod stack;
mod strings;
mod table;

pub use arguments::{Arguments, MAX_STRING, Strings as StringTable};
pub use auxiliary::AuxiliaryValues;
pub use layout::{FilePart, Layout, Mapping};
pub use program::{Kind, Program, Protection, Role, Segment};
pub use script::{HEADER_SIZE, MAX_DEPTH, Script, parse_script};
pub use stack::{StackImage, StackLayout};
pub use table::Image;

pub(crate) const PAGE: u64 = abi::PAGE_SIZE as u64;
pub(crate) const USER_END: u64 = abi::USER_END as u64;

/// The start of the page that holds `address`.
pub(crate) const fn page_start(address: u64) -> u64 {
    address & !(PAGE - 1)
}

/// The first page boundary at or after `address`, which is at most [`USER_END`].
pub(crate) const fn page_end(address: u64) -> u64 {
    page_start(address.saturating_add(PAGE - 1))
}
