//! x86-64 as a set of small, typed operations: instructions, registers, feature bits, ports, device memory, the
//! per-CPU area, and the switch from one kernel stack to another.
//!
//! Nothing here decides anything; policy lives above. The crate compiles on the host too, so that logic which only
//! *names* these types can be tested there; privileged instructions simply are not executed there.
//!
//! The **per-CPU area** ([`cpu::Area`]) is what GS points to while the kernel runs. It holds the preempt word, the
//! depth of interrupt disabling, the current thread, and what the entry code needs before it has a stack.
#![no_std]

extern crate alloc;

pub mod bytes;
pub mod context;
pub mod cpu;
pub mod cpu_set;
pub mod features;
pub mod instructions;
pub mod local_apic;
pub mod mmio;
pub mod port;
pub mod registers;
pub mod stack_switch;
pub mod user_state;

pub use cpu_set::CpuSet;
pub use mmio::Mmio;
pub use port::Port;
