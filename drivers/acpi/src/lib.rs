//! What the machine consists of, as its firmware tells (ACPI 6.5; Intel MultiProcessor Specification 1.4).
//!
//! [`Platform::discover`] reads the tables once at boot and answers with plain data: CPUs, I/O APICs and how legacy lines
//! are wired to them, timers, PCI configuration windows, virtio-mmio windows, and recipes for power-off and reset. Nothing of
//! ACPI runs later on.
//!
//! **Only declarations are read from AML.** The differentiated description table (DSDT) is a program, but what this kernel
//! asks of it (`_HID`, `_CRS`, `_S5`) is constant data in it on all machines that virtual machine monitors make. So there is
//! no interpreter: a reader that knows the declarations' grammar walks scopes and devices, skips method bodies by their
//! length, and stops reading a scope where it meets something else. It costs some ten thousand instructions; an
//! interpreter costs a hundred times that, and can be made to loop. What needs one is not there: methods that compute
//! resources, `_PRT`, events.
//!
//! **Tables are hostile until proven otherwise**: every read is bounded, lengths and checksums are checked, lists are as long as
//! their tables at the most, nesting is limited. A damaged table counts as absent.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod aml;
mod bytes;
mod fixed;
mod interrupts;
mod multiprocessor;
mod platform;
mod power;
mod resources;
mod tables;
mod timers;

pub use fixed::{Address, PmTimer};
pub use interrupts::{Cpu, IoApic, Override, Polarity, Trigger, Wiring};
pub use platform::{Platform, VirtioWindow};
pub use power::{PowerOff, ReadyPowerOff, ReadyReset, Reset};
pub use tables::Memory;
pub use timers::ConfigurationWindow;

#[cfg(test)]
mod tests;
