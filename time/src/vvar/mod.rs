//! The page from which programs read the clocks without entering the kernel (`[vvar]` in `/proc/PID/maps`, `vdso(7)`).
//!
//! **Model.** [`ClockPage`] is the layout and the readers, which the vDSO runs in user mode; [`Publisher`] makes the stores
//! by which the kernel changes the page. The kernel reaches the page through a counted frame and never as a reference, so
//! it gets offsets and words, to be stored in the order given, each no earlier than the ones before (release stores). It
//! publishes under the lock under which it changes its own clock, so that the system calls and the page agree.
//!
//! **Invariant.** The sequence is even from the first store of an update to its last, and odd once there are clocks to read. A reader
//! that finds it odd, and the same afterwards, has seen one update's words and no other's. A page of zeros is valid: it leaves
//! everything to the kernel. That "nothing here" is even too, so one look tells a reader whether it may go on.
//!
//! **Coarse clocks** are the exact ones rounded down to the tick: never ahead of these, never more than a tick behind, and as
//! steady. **Why not** store them at each tick, as Linux does: that needs a tick that always runs, on some CPU, for a
//! handful of instructions less.

mod page;
mod publish;

pub use page::{ClockPage, Counter};
pub use publish::{Contents, Publisher, Store};

/// `ClockPage::mode`: no counter that user mode may trust; every exact clock is a system call.
pub const MODE_NONE: u32 = 0;
/// `ClockPage::mode`: the time-stamp counter, readable in user mode and the same on all CPUs.
pub const MODE_TSC: u32 = 1;

/// `ClockPage::cpu_source`: nothing in user mode tells the CPU; `getcpu(2)` is a system call.
pub const CPU_SOURCE_NONE: u32 = 0;
/// The limit of the segment [`CPU_SELECTOR`] is the node and CPU.
pub const CPU_SOURCE_SEGMENT: u32 = 1;
/// `RDPID`, that is the register `TSC_AUX`, is the node and CPU.
pub const CPU_SOURCE_RDPID: u32 = 2;

/// The selector whose limit tells the CPU: entry 15 of the descriptor table, for user mode, as Linux has it.
pub const CPU_SELECTOR: u16 = 0x7b;

/// Bits of the CPU's number in what `RDPID` and the segment's limit say; the node's number stands above.
pub const CPU_BITS: u32 = 12;

/// What `TSC_AUX` and the limit of [`CPU_SELECTOR`] hold for a CPU. The limit has 20 bits: 256 nodes, 4096 CPUs.
#[must_use]
pub const fn cpu_word(cpu: u32, node: u32) -> u32 {
    cpu & ((1 << CPU_BITS) - 1) | node << CPU_BITS
}

/// The inverse of [`cpu_word`]: the CPU and the node.
#[inline]
#[must_use]
pub const fn cpu_and_node(word: u32) -> (u32, u32) {
    (word & ((1 << CPU_BITS) - 1), word >> CPU_BITS)
}
