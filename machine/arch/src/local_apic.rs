//! The local APIC's model-specific registers (Intel SDM vol. 3, 11.4.4 and 11.12), behind functions that reach no others.
use crate::features::{self, Feature};
use crate::instructions::{read_msr, read_tsc, write_msr};
use crate::registers::{MSR_APIC_BASE, MSR_TSC_DEADLINE, MSR_X2APIC_BASE};

const ENABLED: u64 = 1 << 11;
const EXTENDED: u64 = 1 << 10;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// The 64-bit interrupt command register's index.
const COMMAND: u32 = 0x30;

/// Physical address of this CPU's register page in xAPIC mode.
pub fn base_address() -> u64 {
    // SAFETY: every x86-64 CPU has this register.
    unsafe { read_msr(MSR_APIC_BASE) & ADDRESS }
}

/// Enables this CPU's local APIC in the mode that it is in.
pub fn enable() {
    // SAFETY: the register exists; only the enable bit changes, so no memory comes or goes but the register page.
    unsafe { write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | ENABLED) };
}

/// Has the timer interrupt come `ticks` of the TSC from now; needs [`Feature::TscDeadline`] and does nothing without it.
pub fn arm_tsc_deadline(ticks: u64) {
    if features::has(Feature::TscDeadline) {
        // SAFETY: the feature says that the register exists; it only sets a timer. Zero would disarm it.
        unsafe { write_msr(MSR_TSC_DEADLINE, read_tsc().saturating_add(ticks).max(1)) };
    }
}

/// Registers of a local APIC in x2APIC mode. Each CPU calls [`X2Apic::enable`] before it uses its own.
#[derive(Clone, Copy, Debug)]
pub struct X2Apic(());

impl X2Apic {
    /// Switches this CPU's local APIC to x2APIC mode; `None` where it has none.
    pub fn enable() -> Option<Self> {
        if !features::has(Feature::X2Apic) {
            return None;
        }
        // SAFETY: the register exists, and the feature allows the mode. From disabled the way goes through xAPIC mode.
        unsafe {
            write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | ENABLED);
            write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | ENABLED | EXTENDED);
        }
        Some(Self(()))
    }

    /// Reads register `index` (its xAPIC offset over 16).
    ///
    /// # Panics
    /// Beyond 0xff: a bug of the driver. So does [`X2Apic::write`].
    pub fn read(self, index: u32) -> u32 {
        assert!(index <= 0xff, "no local APIC register {index:#x}");
        // SAFETY: within 0x800..=0x8ff; reading one of them has no effect on memory.
        unsafe { read_msr(MSR_X2APIC_BASE + index) as u32 }
    }

    /// Writes register `index`.
    pub fn write(self, index: u32, value: u32) {
        assert!(index <= 0xff && index != COMMAND, "no 32-bit local APIC register {index:#x}");
        // SAFETY: within 0x800..=0x8ff: interrupts of this CPU.
        unsafe { write_msr(MSR_X2APIC_BASE + index, u64::from(value)) };
    }

    /// Writes the interrupt command register: sends an interrupt.
    pub fn command(self, value: u64) {
        // SAFETY: as `write`. A start-up message has the other CPU run what `boot` placed at the page that it names.
        unsafe { write_msr(MSR_X2APIC_BASE + COMMAND, value) };
    }
}
