//! Measuring inside the machine: what `guest-bench` and `guest-prove` have in common.
//!
//! `mark` says to the host where what is measured begins and ends; `meter` finds how often an operation must be done for the clock's
//! own cost not to count; `system` is the C library with errors as values. Nothing here knows of one kernel or the other.
#![allow(clippy::undocumented_unsafe_blocks, reason = "calls of libc whose arguments live on the stack")]
#![allow(clippy::not_unsafe_ptr_arg_deref, reason = "programs that measure touch memory by its address")]

pub mod mark;
pub mod meter;
pub mod system;

use system::Errno;

/// Does an operation so many times; answers how many nanoseconds that took. Under QEMU's `-icount` a nanosecond is an instruction.
pub type Batch = Box<dyn FnMut(u64) -> Result<u64, Errno>>;
