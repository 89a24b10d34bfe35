//! Two ways to configuration space.
use alloc::boxed::Box;
use alloc::vec::Vec;
use arch::{Mmio, Port};
use core::fmt;
use sync::{InterruptsOff, Once, Rank, SpinLock};

/// Where a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    pub bus: u8,
    /// 0 to 31.
    pub device: u8,
    /// 0 to 7.
    pub function: u8,
}

impl fmt::Display for Location {
    /// As Linux names it: `0000:00:1f.2`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0000:{:02x}:{:02x}.{}", self.bus, self.device, self.function)
    }
}

/// Access to the first 256 bytes of configuration space. What is not there reads as ones. Offsets are multiples of the width.
pub trait Configuration: Send + Sync {
    fn read32(&self, location: Location, offset: u8) -> u32;
    fn write32(&self, location: Location, offset: u8, value: u32);
    /// Writes two bytes only: neighbours may be registers that are cleared by writing.
    fn write16(&self, location: Location, offset: u8, value: u16);
}

const ADDRESS: Port<u32> = Port::new(0xcf8);
const DATA: u16 = 0xcfc;

/// Configuration mechanism #1: an address port and a data port.
#[derive(Debug)]
pub struct Ports(SpinLock<(), InterruptsOff>);

impl Ports {
    pub const fn new() -> Self {
        Self(SpinLock::new(Rank::Leaf, ()))
    }

    /// The mechanism, where the machine has it: its address port remembers.
    pub fn probe() -> Option<Self> {
        let before = ADDRESS.read();
        ADDRESS.write(1 << 31);
        let is_there = ADDRESS.read() == 1 << 31;
        ADDRESS.write(before);
        is_there.then(Self::new)
    }

    fn select(location: Location, offset: u8) {
        let place = u32::from(location.bus) << 16
            | u32::from(location.device & 0x1f) << 11
            | u32::from(location.function & 7) << 8
            | u32::from(offset & 0xfc);
        ADDRESS.write(1 << 31 | place);
    }
}

impl Default for Ports {
    fn default() -> Self {
        Self::new()
    }
}

impl Configuration for Ports {
    fn read32(&self, location: Location, offset: u8) -> u32 {
        let _turn = self.0.lock();
        Self::select(location, offset);
        Port::<u32>::new(DATA).read()
    }

    fn write32(&self, location: Location, offset: u8, value: u32) {
        let _turn = self.0.lock();
        Self::select(location, offset);
        Port::<u32>::new(DATA).write(value);
    }

    fn write16(&self, location: Location, offset: u8, value: u16) {
        let _turn = self.0.lock();
        Self::select(location, offset);
        Port::<u16>::new(DATA + u16::from(offset & 2)).write(value);
    }
}

/// Maps the registers of one bus: 1 MiB at the window's address plus the bus number times 1 MiB.
type MapBus = Box<dyn Fn(u8) -> Option<Mmio> + Send + Sync>;

/// The enhanced mechanism: 4 KiB of memory per function. Buses are mapped when they are first looked at.
pub struct Window {
    first: u8,
    buses: Vec<Once<Option<Mmio>>>,
    map: MapBus,
}

impl Window {
    /// For buses `first` to `last`. `None` without memory.
    pub fn new(first: u8, last: u8, map: MapBus) -> Option<Self> {
        let count = usize::from(last.checked_sub(first)?) + 1;
        let mut buses = Vec::new();
        buses.try_reserve_exact(count).ok()?;
        buses.extend((0..count).map(|_| Once::new()));
        Some(Self { first, buses, map })
    }

    fn registers(&self, location: Location) -> Option<Mmio> {
        let slot = self.buses.get(usize::from(location.bus.checked_sub(self.first)?))?;
        if slot.get().is_none() {
            let _ = slot.set((self.map)(location.bus));
        }
        let bus = (*slot.get()?)?;
        let index = usize::from(location.device & 0x1f) << 3 | usize::from(location.function & 7);
        bus.window(index << 12, 256)
    }
}

impl Configuration for Window {
    fn read32(&self, location: Location, offset: u8) -> u32 {
        self.registers(location).map_or(u32::MAX, |registers| registers.read32(usize::from(offset & 0xfc)))
    }

    fn write32(&self, location: Location, offset: u8, value: u32) {
        if let Some(registers) = self.registers(location) {
            registers.write32(usize::from(offset & 0xfc), value);
        }
    }

    fn write16(&self, location: Location, offset: u8, value: u16) {
        if let Some(registers) = self.registers(location) {
            registers.write16(usize::from(offset & 0xfe), value);
        }
    }
}
