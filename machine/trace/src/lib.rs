//! Trace points: named places in the kernel that note, while somebody wants to know, that they were passed.
//!
//! **Problem.** What a CPU does from one microsecond to the next cannot be seen by counters, and not by printing: that
//! takes longer than what it is to show, and is not possible in an NMI. And nobody pays for a view that nobody looks at.
//!
//! **Model.** A point is a row of the table in [`points`]: a name and typed arguments, from which come an inline function of that
//! name, its bit in one word of switches, and how a reader shows it. A point that is off costs a load of that word with a
//! test and a branch never taken (two instructions on x86-64: `test [mask], bit; jnz`), its arguments are not evaluated into anything;
//! points between user mode and the kernel cost nothing at all (see `trap::enter_user`: a work bit of the thread diverts it).
//! One that is on writes a record of fixed size into its CPU's ring ([`ring`]): when (the TSC), in which context (the preempt word), on
//! behalf of which thread (its number), on which stack, and the arguments.
//!
//! **The ring** overwrites its oldest records and knows how many. Its only writer is its CPU, with interrupts masked; an NMI
//! nests inside, whole. So a writer takes no lock and waits for nobody. Each slot carries the number of its record, cleared while it is
//! written: a reader, on any CPU, copies and then sees whether it has a record, or was overtaken.
//!
//! **Rings come and go** ([`resize`]) while points may be passed: the pointer to them is taken away, and they are freed when no CPU is
//! inside a writer any more. Writers are short and masked, so that wait is.
//!
//! **Adding a point** is a row in the table and a call where it happens. Names and arguments are those of Linux's tracefs where it has
//! the same event.
//!
//! Not a lock around one ring for all: CPUs would wait for each other, and an NMI for what it interrupted. Not code that is patched
//! when a point goes on: text is never writable here, and the two instructions are not worth that hole.
#![cfg_attr(target_os = "none", no_std)]

extern crate alloc;

mod control;
pub mod points;
mod reader;
pub mod ring;

pub use control::{
    Statistics, clear, enable, enabled, hits, is_tracing, records_per_cpu, resize, set_tracing, statistics,
};
pub use points::{Event, Kind, POINTS, Point};
pub use reader::{Item, Reader};
pub use ring::Record;
