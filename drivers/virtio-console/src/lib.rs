//! The virtio console: byte streams to the host, many over one device (virtio 1.2, 5.3).
//!
//! A device has up to some number of **ports**, each with a queue in and a queue out. A **console port** carries a terminal
//! (`hvc0`), any other a stream with a name (`/dev/vportNpM`, found under /sys/class/virtio-ports). Which ports there are, and
//! what they are called, the host says by messages on a pair of **control queues**; they arrive by interrupt, but are handled
//! by a thread ([`Console::serve`]), since what they bring about sleeps.
//!
//! **Coming in.** The host fills pages that the port lent it. A full page is the port's buffer: readers copy straight from it and
//! then lend it again, so a slow reader makes the host wait, and nothing is copied twice. A console port gives its bytes to a
//! [`Sink`] from the interrupt handler instead.
//!
//! **Going out.** Writers copy into fresh pages, as many as a bound allows, and hand them over. Interrupts about the
//! queue out are asked for only while a writer waits for room.
//!
//! **Locks.** A sleeping lock per direction orders readers and writers (it is held over copies to and from programs); a
//! spinlock per direction with interrupts off guards the queue. Sinks are called, and sleepers woken, with neither.
//!
//! Semantics of the files (who gets EAGAIN, 0, ENODEV and when) are those of Linux's driver.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod console;
mod control;
mod incoming;
mod outgoing;
mod port;
mod streams;

pub use console::{Console, Observer};
pub use port::{Port, Sink};
pub use streams::Readiness;

#[cfg(test)]
mod tests;
