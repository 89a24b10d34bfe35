//! Linux's face: the system calls, one file per family, and the table that names them.
//!
//! A row of the table is a number, a name and a function with typed arguments ([`handler`], [`argument`]). The function rejects
//! flags that it does not know, reads user memory once, and calls the subsystem; what it returns is a value, an error number, or
//! "interrupted" ([`task::Failure`]), which becomes EINTR or a restart only when the signal is handled. Numbers without a row
//! answer ENOSYS. From the same table come both doors' dispatch and the list of what is missing.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg(target_os = "none")]

extern crate alloc;

pub mod argument;
mod attributes;
mod credentials;
mod descriptors;
mod dispatch;
mod epoll;
mod execute;
mod files;
mod futex;
pub mod handler;
mod locks;
mod memory_calls;
mod origin;
mod other_memory;
pub mod paths;
mod pipes;
mod poll;
mod process;
mod process_control;
mod process_files;
mod resources;
mod scheduling;
mod select;
mod signal_files;
mod signals;
mod storage;
mod system;
mod table;
mod time_calls;
mod timer_files;
mod timers;
mod times;
mod vectors;

pub use argument::{Fd, UserString};
pub use dispatch::dispatch;
pub use pipes::set_vfs;
pub use table::{Row, rows};
