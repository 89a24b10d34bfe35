//! The PC's interrupt controllers: local APICs, I/O APICs, and the 8259 pair that they replace (Intel SDM vol. 3, ch. 11;
//! 82093AA and 8259A data sheets).
//!
//! **Local APIC.** Each CPU has one, at the same address (xAPIC) or in the same registers (x2APIC); every operation of
//! [`LocalApic`] is on that of the CPU which runs it. It ends interrupts, sends them to other CPUs, and has the timer.
//! An xAPIC's command is two registers, so it is written with interrupts off; a shorthand to all others writes only one of them
//! and may come from an NMI.
//!
//! **I/O APICs** turn lines into messages to local APICs: one entry per line with vector, destination, polarity and trigger.
//! Lines are numbered across all I/O APICs as *global system interrupts* (GSI). [`IoApics`] is the chip that `irq` asks; an
//! interrupt is ended at the local APIC, which tells the I/O APIC where the line is level-triggered.
//!
//! **8259 pair.** Remapped out of the exceptions' vectors and masked.
//!
//! Registers are reached through small traits, so that models stand in for the hardware in tests. x2APIC mode and the TSC
//! deadline have so far run against models only.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod access;
mod io;
mod legacy;
mod local;
mod rate;

pub use access::{Access, Registers};
pub use io::{IndirectRegisters, IoApic, IoApics, Polarity, Trigger};
pub use legacy::{LegacyPorts, Ports, silence_legacy};
pub use local::{Apic, LocalApic, SPURIOUS_VECTOR, Target};
pub use rate::Rate;

#[cfg(test)]
mod model;
