//! What operations cost: an ordinary static Linux program, one process for each operation.
//!
//! `guest-bench list` prints the names; `guest-bench run [NAME…]` measures and prints a line for each: `name least mean` in nanoseconds
//! for one operation, `name unsupported ERRNO`, or `name crashed WHY`. Under QEMU's `-icount` a nanosecond is an instruction.
//! `guest-bench settle [NAME…]` stands still behind each, twice, between the marks that QEMU's plugin counts at, and says `name least mean of COUNT`.
//! `guest-bench profile NAME` runs one batch between the two marks that `birgus profile` looks for, and prints its size;
//! `guest-bench mark CMD…` runs a command between them.
//!
//! `guest-bench boot` is what it does as PID 1: says what start-up took.
//!
//! An operation is a constructor (what need not be measured: files, processes at the other end) that answers a closure; the closure
//! does it so many times and answers how long that took. `meter` finds the count for a batch and takes the least of several.
//! No standard start-up code runs before `main`, and nothing is allocated inside a batch: a process that this one starts is
//! as small as a C program's.
#![cfg_attr(not(test), no_main)]
#![cfg_attr(test, allow(dead_code))]
#![allow(clippy::undocumented_unsafe_blocks, reason = "calls of libc whose arguments live on the stack")]

mod boot;
mod calls;
mod files;
mod growth;
mod memory;
mod messages;
mod processes;
mod runner;
mod signals;
mod system;

use std::ffi::CStr;
use system::Errno;

pub use measure::{Batch, mark, meter};

/// An operation.
pub struct Operation {
    pub name: &'static str,
    /// For an operation that grows: the sizes that it is measured at.
    pub sizes: &'static [u64],
    /// The most that a batch can do.
    pub most: u64,
    /// Gets ready, for a size where there are several.
    pub prepare: fn(u64) -> Result<Batch, Errno>,
}

/// Every operation, in the order of the report.
pub const OPERATIONS: [&[Operation]; 7] = [
    calls::OPERATIONS,
    files::OPERATIONS,
    signals::OPERATIONS,
    memory::OPERATIONS,
    processes::OPERATIONS,
    messages::OPERATIONS,
    growth::OPERATIONS,
];

/// The C library's entry.
///
/// # Safety
/// As the C library calls it.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn main(count: i32, arguments: *const *const libc::c_char) -> i32 {
    // The very first, should this be a machine's first process.
    let counter = boot::counter();
    let count = usize::try_from(count).unwrap_or(0);
    let word = |index: usize| unsafe { CStr::from_ptr(*arguments.add(index)) }.to_str().unwrap_or("");
    // First, and without an allocation: this is what `fork_exec` executes.
    if count > 1 && word(1) == "exit" {
        unsafe { libc::_exit(0) };
    }
    let words: Vec<&str> = (1..count).map(word).collect();
    match words.as_slice() {
        ["list"] => runner::list(),
        ["run", names @ ..] => runner::run(names, false),
        ["settle", names @ ..] => runner::run(names, true),
        ["profile", name] => runner::profile(name),
        ["boot"] => boot::report(counter),
        ["mark", _, ..] => runner::mark(unsafe { arguments.add(2) }),
        _ => {
            eprintln!("usage: guest-bench list | run [NAME…] | settle [NAME…] | profile NAME | mark CMD… | boot");
            2
        }
    }
}
