//! Clocks whose rate is known.
use arch::{Mmio, Port};

/// A clock that counts up at a known rate.
pub trait Reference {
    /// Hertz.
    fn frequency(&self) -> u64;
    /// The highest value before it starts again from 0: a power of two less one.
    fn mask(&self) -> u64;
    fn read(&self) -> u64;
}

/// The high precision event timer's main counter (IA-PC HPET Specification 1.0a).
#[derive(Clone, Copy, Debug)]
pub struct Hpet {
    registers: Mmio,
    frequency: u64,
}

const HPET_CAPABILITIES: usize = 0x00;
const HPET_CONFIGURATION: usize = 0x10;
const HPET_COUNTER: usize = 0xf0;
const HPET_ENABLE: u32 = 1;
/// Length of the register block.
const HPET_LENGTH: usize = 0x400;
/// Femtoseconds in a second, and in the longest period that the specification allows.
const FEMTOSECONDS: u64 = 1_000_000_000_000_000;
const HPET_LONGEST_PERIOD: u64 = 100_000_000;

impl Hpet {
    /// Starts the counter; `None` where the registers make no sense.
    pub fn new(registers: Mmio) -> Option<Self> {
        if registers.len() < HPET_LENGTH {
            return None;
        }
        let period = u64::from(registers.read32(HPET_CAPABILITIES + 4));
        if !(1..=HPET_LONGEST_PERIOD).contains(&period) {
            return None;
        }
        registers.write32(HPET_CONFIGURATION, registers.read32(HPET_CONFIGURATION) | HPET_ENABLE);
        Some(Self { registers, frequency: FEMTOSECONDS / period })
    }
}

impl Reference for Hpet {
    fn frequency(&self) -> u64 {
        self.frequency
    }

    fn mask(&self) -> u64 {
        u64::from(u32::MAX)
    }

    /// The low half: one access, whatever the counter's width.
    fn read(&self) -> u64 {
        u64::from(self.registers.read32(HPET_COUNTER))
    }
}

/// ACPI's power management timer (ACPI 6.5, 4.8.3.3).
#[derive(Clone, Copy, Debug)]
pub struct PmTimer {
    register: PmRegister,
    mask: u64,
}

#[derive(Clone, Copy, Debug)]
enum PmRegister {
    Port(Port<u32>),
    Memory(Mmio),
}

impl PmTimer {
    /// At an I/O port, 24 or 32 bits wide.
    pub const fn at_port(port: u16, bits: u8) -> Self {
        Self { register: PmRegister::Port(Port::new(port)), mask: mask(bits) }
    }

    /// In memory; `None` for a window of less than four bytes.
    pub fn in_memory(window: Mmio, bits: u8) -> Option<Self> {
        (window.len() >= 4).then(|| Self { register: PmRegister::Memory(window), mask: mask(bits) })
    }
}

const fn mask(bits: u8) -> u64 {
    if bits >= 32 { u32::MAX as u64 } else { 0xff_ffff }
}

impl Reference for PmTimer {
    fn frequency(&self) -> u64 {
        3_579_545
    }

    fn mask(&self) -> u64 {
        self.mask
    }

    fn read(&self) -> u64 {
        let value = match self.register {
            PmRegister::Port(port) => port.read(),
            PmRegister::Memory(window) => window.read32(0),
        };
        u64::from(value) & self.mask
    }
}

/// Channel 0 of the 8254, the programmable interval timer, read by latching.
#[derive(Debug)]
pub struct IntervalTimer {
    data: Port<u8>,
    command: Port<u8>,
}

/// Channel 0, low byte then high byte, rate generator, binary.
const PIT_RATE_GENERATOR: u8 = 0b0011_0100;
const PIT_LATCH: u8 = 0;

impl IntervalTimer {
    /// Lets channel 0 go round all 65,536 values. Its interrupt should be masked.
    pub fn start() -> Self {
        let timer = Self { data: Port::new(0x40), command: Port::new(0x43) };
        timer.command.write(PIT_RATE_GENERATOR);
        timer.data.write(0);
        timer.data.write(0);
        timer
    }
}

impl Reference for IntervalTimer {
    fn frequency(&self) -> u64 {
        1_193_182
    }

    fn mask(&self) -> u64 {
        0xffff
    }

    /// It counts down; this counts up.
    fn read(&self) -> u64 {
        self.command.write(PIT_LATCH);
        let low = self.data.read();
        let high = self.data.read();
        u64::from(u16::from_le_bytes([low, high]).wrapping_neg())
    }
}

/// A counter that was measured already, such as the TSC, as the reference for another one.
#[derive(Clone, Copy, Debug)]
pub struct CounterReference<F> {
    pub frequency: u64,
    pub read: F,
}

impl<F: Fn() -> u64> Reference for CounterReference<F> {
    fn frequency(&self) -> u64 {
        self.frequency
    }

    fn mask(&self) -> u64 {
        u64::MAX >> 1
    }

    fn read(&self) -> u64 {
        (self.read)() & self.mask()
    }
}
