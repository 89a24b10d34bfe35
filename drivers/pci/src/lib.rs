//! PCI: finding functions, their registers and their interrupts (PCI Local Bus Specification 3.0; PCI Express Base 3.0).
//!
//! **Configuration space** is reached through I/O ports or through memory ([`Ports`], [`Window`]); the first 256 bytes are the
//! same either way, and all that is used here. [`scan`] visits every function, behind bridges too, and gives bridges that the
//! firmware left alone their bus numbers.
//!
//! **Registers.** [`Function::bar`] measures a base address register, and gives it an address from an [`Aperture`] where the
//! firmware did not.
//!
//! **Interrupts** are messages: [`MessageTable`] is a function's MSI-X table as a chip of `irq`, one input per entry.
//! Level-triggered INTx pins are left disabled: the way from a pin to a line is in methods of the ACPI tables, which nothing
//! interprets yet.
//!
//! A function's answers are not trusted: lists are bounded, offsets are checked against their window.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod bar;
mod configuration;
mod function;
mod message;
mod scan;

pub use bar::{Aperture, Bar};
pub use configuration::{Configuration, Location, Ports, Window};
pub use function::{Capability, Function};
pub use message::{Message, MessageTable, Messages};
pub use scan::scan;

#[cfg(test)]
mod model;
