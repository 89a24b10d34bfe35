//! Two ways to a local APIC's registers.
use arch::Mmio;
use arch::local_apic::{self, X2Apic};
use sync::InterruptsOff;
use sync::atomic_context::Held;

pub(crate) const ID: u32 = 0x02;
pub(crate) const VERSION: u32 = 0x03;
pub(crate) const TASK_PRIORITY: u32 = 0x08;
pub(crate) const END_OF_INTERRUPT: u32 = 0x0b;
pub(crate) const LOGICAL_DESTINATION: u32 = 0x0d;
pub(crate) const DESTINATION_FORMAT: u32 = 0x0e;
pub(crate) const SPURIOUS: u32 = 0x0f;
pub(crate) const IN_SERVICE: u32 = 0x10;
pub(crate) const ERROR_STATUS: u32 = 0x28;
pub(crate) const COMMAND: u32 = 0x30;
pub(crate) const COMMAND_DESTINATION: u32 = 0x31;
pub(crate) const TIMER: u32 = 0x32;
pub(crate) const THERMAL: u32 = 0x33;
pub(crate) const PERFORMANCE: u32 = 0x34;
pub(crate) const LINE_0: u32 = 0x35;
pub(crate) const LINE_1: u32 = 0x36;
pub(crate) const ERROR: u32 = 0x37;
pub(crate) const INITIAL_COUNT: u32 = 0x38;
pub(crate) const CURRENT_COUNT: u32 = 0x39;
pub(crate) const DIVIDE: u32 = 0x3e;

/// Set in the command register while the last message is on its way.
const PENDING: u32 = 1 << 12;
/// How often that bit is looked at before the next message is sent anyway.
const PATIENCE: u32 = 100_000;

/// Registers of this CPU's local APIC, by index (the xAPIC offset over 16).
pub trait Registers: Send + Sync {
    /// Turns this CPU's local APIC on in this mode.
    fn enable(&self);
    fn read(&self, index: u32) -> u32;
    fn write(&self, index: u32, value: u32);
    /// Sends a message: the command register's low half, and the APIC that it goes to where it has no shorthand.
    fn command(&self, destination: Option<u32>, low: u32);
    /// This APIC's number.
    fn identifier(&self) -> u32;
    /// Has the timer interrupt come `ticks` of the TSC from now, in deadline mode.
    fn arm_deadline(&self, ticks: u64);
}

/// The machine's own registers.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// xAPIC: a page of registers, the same for all CPUs.
    Memory(Mmio),
    /// x2APIC.
    Msr(X2Apic),
}

impl Registers for Access {
    fn enable(&self) {
        match self {
            Self::Memory(_) => local_apic::enable(),
            Self::Msr(_) => {
                let _ = X2Apic::enable();
            }
        }
    }

    #[inline]
    fn read(&self, index: u32) -> u32 {
        match self {
            Self::Memory(page) => page.read32(index as usize * 16),
            Self::Msr(registers) => registers.read(index),
        }
    }

    #[inline]
    fn write(&self, index: u32, value: u32) {
        match self {
            Self::Memory(page) => page.write32(index as usize * 16, value),
            Self::Msr(registers) => registers.write(index, value),
        }
    }

    fn command(&self, destination: Option<u32>, low: u32) {
        match self {
            Self::Msr(registers) => registers.command(u64::from(destination.unwrap_or(0)) << 32 | u64::from(low)),
            Self::Memory(_) => memory_command(self, destination, low),
        }
    }

    fn identifier(&self) -> u32 {
        match self {
            Self::Memory(_) => self.read(ID) >> 24,
            Self::Msr(_) => self.read(ID),
        }
    }

    fn arm_deadline(&self, ticks: u64) {
        local_apic::arm_tsc_deadline(ticks);
    }
}

/// Sends a message through the two halves of an xAPIC's command register, of which the low one sends.
pub(crate) fn memory_command(registers: &impl Registers, destination: Option<u32>, low: u32) {
    // An interrupt between the two halves might send a message of its own.
    let _held = destination.map(|_| Held::<InterruptsOff>::new());
    for _ in 0..PATIENCE {
        if registers.read(COMMAND) & PENDING == 0 {
            break;
        }
        core::hint::spin_loop();
    }
    if let Some(destination) = destination {
        registers.write(COMMAND_DESTINATION, destination << 24);
    }
    registers.write(COMMAND, low);
}
