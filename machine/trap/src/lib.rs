//! Ways into the kernel and out of it: descriptor tables, the 256 vectors, both doors for system calls, and the return to
//! user mode.
//!
//! **From user mode.** The registers of a program live in a [`UserContext`] at the very top of its thread's kernel stack.
//! [`enter_user`] saves the kernel's callee-saved registers, loads the context and leaves. Whatever ends the stay (system
//! call, exception, interrupt) pushes the registers back into the context, finds the kernel's stack pointer in the word
//! below, and *returns* from `enter_user`. A handler is therefore an ordinary function with `&mut UserContext` in its hand.
//!
//! **From kernel mode.** A [`KernelFrame`] is pushed where the stack pointer stands, and the trap is handled above it: a
//! fault of the user-copy routines, an interrupt (on this CPU's interrupt stack), or a bug.
//!
//! **Gaps.** Between `syscall` and the stack switch, and between the stack switch and `sysret`, kernel code runs with a
//! user's stack pointer or GS. Maskable interrupts are off there. NMI, debug exception, double fault and machine check
//! come on stacks of their own, at whose top stands the address of the per-CPU area, so that GS is found without trusting
//! anything. A fault in the final `iretq` itself (a context that the CPU refuses) is recognised by its address and turned
//! into an exception of the program.
//!
//! **Flags.** DF, AC, TF and NT are clear in kernel code: masked by `syscall`, cleared by each stub.
#![cfg_attr(target_os = "none", no_std)]

extern crate alloc;

#[cfg(target_os = "none")]
pub mod backtrace;
mod context;
#[cfg(target_os = "none")]
mod cpu;
#[cfg(target_os = "none")]
mod entry;
#[cfg(target_os = "none")]
mod hooks;
#[cfg(target_os = "none")]
mod kernel_mode;
pub mod segments;
#[cfg(target_os = "none")]
mod user_mode;
pub mod vector;

pub use context::{CONTEXT_SIZE, Event, FaultCode, KernelFrame, UserContext};
#[cfg(target_os = "none")]
pub use cpu::{CpuStack, CpuTables, EntryCounts, cpu_stacks, entry_counts, initialise_cpu, triple_fault};
#[cfg(target_os = "none")]
pub use hooks::{Hooks, register};
pub use segments::{KERNEL_CODE, USER_CODE, USER_CODE_32, USER_DATA};
#[cfg(target_os = "none")]
pub use user_mode::{enter_user, run_user};
