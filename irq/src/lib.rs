//! Interrupt lines and softirqs: who is called when a vector arrives, and what is put off until later.
//!
//! **Lines.** A device's interrupt reaches a CPU as a *vector*. A line stands for one input of an interrupt controller
//! (a [`Chip`]: the I/O APICs, a device's MSI-X table); [`Interrupts`] gives it a vector when its first handler is
//! requested, and takes it back with the last. Several devices may share a line: each handler says whether the interrupt was
//! [`Handled::Mine`]. The table of lines is indexed by vector, so [`Interrupts::dispatch`] finds a line in constant time.
//!
//! **A line's lock** is held while its handlers run. That is what "never re-entered" and "free waits for the handler" mean
//! here, in one word. It is no lock shared by CPUs: a line is delivered to one CPU at a time, and lines share nothing.
//! A handler must not request or free an interrupt. Its own locks rank after the line's.
//!
//! **Storms.** A line of whose last 100,000 interrupts all but a few were nobody's is masked and reported; else a stuck
//! level-triggered line would keep its CPU for ever.
//!
//! **Softirqs** ([`Softirqs`]) are Linux's ten vectors, bits of a word per CPU. They run with interrupts on when an interrupt
//! or a softirqs-off section ends, lowest number first. After ten rounds or 2 ms ([`Budget`]) they are handed to a thread, so that
//! a flood of packets cannot starve programs.
//!
//! **Work that may sleep** is put off to threads: [`Item`] says where a piece of it stands, [`Pool`] how many workers it takes. The queues
//! and the threads are `task`'s.
//!
//! No statics: the kernel owns one of each.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod budget;
mod counts;
mod item;
mod line;
mod pool;
mod softirq;
mod table;

pub use budget::Budget;
pub use counts::Counts;
pub use item::{Accepted, Item};
pub use line::{Handled, Handler, Source};
pub use pool::{Next, Pool, Wake};
pub use softirq::{Action, Softirq, Softirqs, raise};
pub use table::{Dispatched, FIRST_VECTOR, Interrupts, LAST_VECTOR, Registration, RequestError, Row};

/// An interrupt controller, or a device's own message table. Called with the line's lock held and interrupts off: takes
/// only locks that rank after `Rank::InterruptLine`, and never waits.
pub trait Chip: Send + Sync {
    /// As /proc/interrupts shows it: `IO-APIC`, `PCI-MSI`.
    fn name(&self) -> &'static str;
    /// How the input is triggered, as /proc/interrupts shows it: `edge`, `fasteoi`.
    fn flow(&self, input: u32) -> &'static str;
    /// Has `input` arrive as `vector` on CPU `cpu`; masked inputs stay masked. False where the chip cannot: no such input, or
    /// no such CPU for it.
    fn connect(&self, input: u32, vector: u8, cpu: usize) -> bool;
    /// Holds the input's interrupts back.
    fn mask(&self, input: u32);
    /// Lets them come.
    fn unmask(&self, input: u32);
    /// Ends the interrupt that was just handled.
    fn acknowledge(&self, input: u32);
}
