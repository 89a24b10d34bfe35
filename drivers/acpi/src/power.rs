//! Ending the machine. Recipes are made ready at boot, so that carrying them out takes no lock and no memory.
use crate::fixed::Address;
use arch::{Mmio, Port};

/// Writes that put the machine into S5, "soft off".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerOff {
    /// Control registers with the sleep types that `\_S5` names, and the port and value that turn ACPI mode on (4.8.3.2).
    Full { control: [Option<(Address, u8)>; 2], enable: Option<(u16, u8)> },
    /// Hardware-reduced ACPI: one sleep control register (4.8.3.7).
    Reduced { control: Address, kind: u8 },
}

/// The write that resets the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    pub address: Address,
    pub value: u8,
}

/// A register within reach.
#[derive(Clone, Copy, Debug)]
enum Register {
    Port(u16),
    Memory(Mmio),
}

impl Register {
    fn new(address: Address, length: usize, map: &mut dyn FnMut(u64, usize) -> Option<Mmio>) -> Option<Self> {
        match address {
            Address::Port(port) => Some(Self::Port(port)),
            Address::Memory(address) => map(address, length).filter(|window| window.len() >= length).map(Self::Memory),
        }
    }

    fn read16(self) -> u16 {
        match self {
            Self::Port(port) => Port::<u16>::new(port).read(),
            Self::Memory(window) => window.read16(0),
        }
    }

    fn write16(self, value: u16) {
        match self {
            Self::Port(port) => Port::<u16>::new(port).write(value),
            Self::Memory(window) => window.write16(0, value),
        }
    }

    fn write8(self, value: u8) {
        match self {
            Self::Port(port) => Port::<u8>::new(port).write(value),
            Self::Memory(window) => window.write8(0, value),
        }
    }
}

const SCI_ENABLED: u16 = 1 << 0;
const SLEEP_TYPE: u16 = 7 << 10;
const SLEEP_ENABLE: u16 = 1 << 13;
const REDUCED_SLEEP_ENABLE: u8 = 1 << 5;
/// How often the control register is looked at for ACPI mode to come on.
const PATIENCE: u32 = 100_000;

/// A [`PowerOff`] that can be carried out in any context.
#[derive(Clone, Copy, Debug)]
pub struct ReadyPowerOff(Recipe);

#[derive(Clone, Copy, Debug)]
enum Recipe {
    Full { control: [Option<(Register, u8)>; 2], enable: Option<(u16, u8)> },
    Reduced { control: Register, kind: u8 },
}

impl PowerOff {
    /// Maps what has to be mapped by `map(physical address, length)`.
    pub fn prepare(&self, map: &mut dyn FnMut(u64, usize) -> Option<Mmio>) -> Option<ReadyPowerOff> {
        let recipe = match *self {
            Self::Full { control: [first, second], enable } => {
                let mut ready = |entry: Option<(Address, u8)>| {
                    entry.and_then(|(address, kind)| Some((Register::new(address, 2, map)?, kind)))
                };
                let first = Some(ready(first)?);
                Recipe::Full { control: [first, ready(second)], enable }
            }
            Self::Reduced { control, kind } => Recipe::Reduced { control: Register::new(control, 1, map)?, kind },
        };
        Some(ReadyPowerOff(recipe))
    }
}

impl ReadyPowerOff {
    /// Turns the machine off. Returns where that failed.
    pub fn perform(&self) {
        match self.0 {
            Recipe::Reduced { control, kind } => control.write8((kind & 7) << 2 | REDUCED_SLEEP_ENABLE),
            Recipe::Full { control, enable } => {
                if let (Some((port, value)), [Some((first, _)), _]) = (enable, control)
                    && first.read16() & SCI_ENABLED == 0
                {
                    Port::<u8>::new(port).write(value);
                    let _ = (0..PATIENCE).any(|_| first.read16() & SCI_ENABLED != 0);
                }
                for (register, kind) in control.into_iter().flatten() {
                    let kept = register.read16() & !(SLEEP_TYPE | SLEEP_ENABLE);
                    register.write16(kept | u16::from(kind & 7) << 10 | SLEEP_ENABLE);
                }
            }
        }
    }
}

/// A [`Reset`] that can be carried out in any context.
#[derive(Clone, Copy, Debug)]
pub struct ReadyReset {
    register: Register,
    value: u8,
}

impl Reset {
    /// Maps what has to be mapped.
    pub fn prepare(&self, map: &mut dyn FnMut(u64, usize) -> Option<Mmio>) -> Option<ReadyReset> {
        Some(ReadyReset { register: Register::new(self.address, 1, map)?, value: self.value })
    }
}

impl ReadyReset {
    /// Resets the machine. Returns where that failed.
    pub fn perform(&self) {
        self.register.write8(self.value);
    }
}
