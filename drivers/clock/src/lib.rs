//! Clocks of the PC, and how fast the processor's own counter runs.
//!
//! The kernel tells time by the TSC, whose frequency it must find out: from the command line, from CPUID, or by comparing
//! it with a clock of known rate: HPET, ACPI PM timer, PIT, and at last the CMOS clock's seconds ([`Reference`]).
//!
//! **Brackets.** Reading a reference takes time, and on an emulator with a busy host now and then very long. So each reading
//! is taken between two readings of the counter. Two such samples bound the frequency from both sides, whatever came
//! between; [`Brackets`] intersects the bounds of many pairs, which only ever get tighter, and stops as soon as they are
//! tight enough. A quiet machine is done within a millisecond or so; a loaded one takes longer, and never gets a wrong answer.
//! Windows of fixed length, as they are used elsewhere, must hope that nothing interrupts them.
//!
//! The same logic measures the local APIC's timer against the TSC.
//!
//! **Wall-clock time** comes from the CMOS clock once at boot ([`CmosClock`]).
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod bracket;
mod cmos;
mod cpuid;
mod date;
mod measure;
mod references;

pub use bracket::{Brackets, Estimate, Sample};
pub use cmos::{CmosClock, CmosPorts, CmosRegisters};
pub use cpuid::tsc_frequency_from_cpuid;
pub use date::{Date, seconds_since_epoch};
pub use measure::{measure, measure_by_seconds, measure_with};
pub use references::{CounterReference, Hpet, IntervalTimer, PmTimer, Reference};

#[cfg(test)]
mod tests;
