//! Tasks: threads of programs, processes, and what happens to them.
//!
//! A [`Task`] is one thread of a program; a [`Process`](process::Process) is what threads share by belonging together. Memory,
//! descriptors and folders hang below a task in counted pointers, so that clone(2) may share each or not. Who descends from
//! whom, groups and sessions are the [`tree`]'s. Threads of the kernel's own are tasks too ([`kernel_threads`]). A program's [`life`] is a loop: user mode, and the answer to whatever ended the
//! stay there.
//!
//! **Locks**, outermost first: the tree, a process's signals, a thread's signals, a task's fields. Each is a spinlock; nothing
//! sleeps under one, and counted pointers are dropped after it.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg(target_os = "none")]

extern crate alloc;

mod answer;
pub mod clock_timers;
mod due;
pub mod execute;
pub mod exit;
pub mod fault;
pub mod files;
pub mod fork;
pub mod futexes;
pub mod groups;
pub mod image;
mod inspect;
pub mod kernel_threads;
pub mod life;
pub mod limits;
pub mod machine;
pub mod mapping;
pub mod names;
pub mod opened;
pub mod priority;
pub mod process;
pub mod random;
pub mod realtime;
pub mod shortage;
pub mod signals;
mod start;
mod stubs;
mod table_registers;
mod task;
pub mod timers;
pub mod traits;
pub mod tree;
pub mod usage;
pub mod wait;
pub mod work;

pub use answer::{Answer, Failure, Restart};
pub use files::{Files, SharedContext};
pub use fork::CloneArguments;
pub use start::{Init, Program, start_init};
pub use stubs::{stub, stubs};
pub use task::{ExecImage, NAME_LENGTH, RestartBlock, Task};
