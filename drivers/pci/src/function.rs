//! One function of a device.
use crate::configuration::{Configuration, Location};

pub(crate) const COMMAND: u8 = 0x04;
const STATUS_CAPABILITIES: u16 = 1 << 4;
const CLASS: u8 = 0x08;
const HEADER: u8 = 0x0c;
const SUBSYSTEM: u8 = 0x2c;
const CAPABILITIES: u8 = 0x34;
const INTERRUPT: u8 = 0x3c;

pub(crate) const DECODE_PORTS: u16 = 1 << 0;
pub(crate) const DECODE_MEMORY: u16 = 1 << 1;
const BUS_MASTER: u16 = 1 << 2;
const INTERRUPTS_OFF: u16 = 1 << 10;

/// Capabilities are at least four bytes long and lie beyond the header: there are no more than these.
const MOST_CAPABILITIES: usize = 48;

/// A function that answered.
#[derive(Clone, Copy)]
pub struct Function<'a> {
    pub(crate) configuration: &'a dyn Configuration,
    pub location: Location,
    pub vendor: u16,
    pub device: u16,
}

/// An entry of a function's list of capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    pub identifier: u8,
    /// Where it starts in configuration space.
    pub offset: u8,
}

impl<'a> Function<'a> {
    /// The function at `location`, if there is one.
    pub fn at(configuration: &'a dyn Configuration, location: Location) -> Option<Self> {
        let identity = configuration.read32(location, 0);
        let vendor = identity as u16;
        let is_there = vendor != 0xffff && vendor != 0;
        is_there.then_some(Self { configuration, location, vendor, device: (identity >> 16) as u16 })
    }

    pub fn read32(&self, offset: u8) -> u32 {
        self.configuration.read32(self.location, offset & 0xfc)
    }

    pub fn write32(&self, offset: u8, value: u32) {
        self.configuration.write32(self.location, offset & 0xfc, value);
    }

    pub fn read16(&self, offset: u8) -> u16 {
        (self.read32(offset) >> (8 * u32::from(offset & 2))) as u16
    }

    pub fn read8(&self, offset: u8) -> u8 {
        (self.read32(offset) >> (8 * u32::from(offset & 3))) as u8
    }

    pub fn write16(&self, offset: u8, value: u16) {
        self.configuration.write16(self.location, offset & 0xfe, value);
    }

    /// Class, subclass and programming interface: three bytes.
    pub fn class(&self) -> u32 {
        self.read32(CLASS) >> 8
    }

    pub fn revision(&self) -> u8 {
        self.read8(CLASS)
    }

    /// Vendor and device that the board's maker gave.
    pub fn subsystem(&self) -> (u16, u16) {
        let value = self.read32(SUBSYSTEM);
        (value as u16, (value >> 16) as u16)
    }

    /// The layout of the header, and whether the device has more functions.
    pub(crate) fn header(&self) -> (u8, bool) {
        let kind = self.read8(HEADER + 2);
        (kind & 0x7f, kind & 0x80 != 0)
    }

    pub fn is_bridge(&self) -> bool {
        self.header().0 == 1
    }

    /// The pin that it interrupts by (1 for A), or 0.
    pub fn interrupt_pin(&self) -> u8 {
        self.read8(INTERRUPT + 1)
    }

    /// Changes bits of the command register.
    pub(crate) fn change_command(&self, set: u16, clear: u16) -> u16 {
        let before = self.read16(COMMAND);
        self.write16(COMMAND, before & !clear | set);
        before
    }

    /// Lets the function answer at its addresses and reach memory by itself; its INTx pin stays off.
    pub fn enable(&self) {
        self.change_command(DECODE_PORTS | DECODE_MEMORY | BUS_MASTER | INTERRUPTS_OFF, 0);
    }

    /// Stops it from reaching memory.
    pub fn disable(&self) {
        self.change_command(0, BUS_MASTER);
    }

    /// The function's capabilities, in the order of its list.
    pub fn capabilities(&self) -> impl Iterator<Item = Capability> + '_ {
        let has_list = self.read16(COMMAND + 2) & STATUS_CAPABILITIES != 0;
        let mut next = if has_list { self.read8(CAPABILITIES) & 0xfc } else { 0 };
        let entries = core::iter::from_fn(move || {
            // Below 0x40 is the header: the end, or nonsense.
            if next < 0x40 {
                return None;
            }
            let (offset, head) = (next, self.read16(next));
            next = (head >> 8) as u8 & 0xfc;
            Some(Capability { identifier: head as u8, offset })
        });
        entries.take(MOST_CAPABILITIES)
    }

    /// The first capability with `identifier`.
    pub fn capability(&self, identifier: u8) -> Option<Capability> {
        self.capabilities().find(|capability| capability.identifier == identifier)
    }
}
