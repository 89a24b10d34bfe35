//! I/O APICs.
use crate::access::Registers;
use crate::local::Apic;
use alloc::boxed::Box;
use alloc::vec::Vec;
use arch::Mmio;
use irq::Chip;
use sync::{InterruptsOff, Rank, SpinLock};

const VERSION: u8 = 0x01;
const ENTRIES: u8 = 0x10;

const LOW_POLARITY: u32 = 1 << 13;
const LEVEL: u32 = 1 << 15;
const MASKED: u32 = 1 << 16;
const VECTOR: u32 = 0xff;

/// Registers behind an index and a window.
pub trait IndirectRegisters: Send {
    fn read(&mut self, index: u8) -> u32;
    fn write(&mut self, index: u8, value: u32);
}

impl IndirectRegisters for Mmio {
    fn read(&mut self, index: u8) -> u32 {
        self.write32(0, u32::from(index));
        self.read32(0x10)
    }

    fn write(&mut self, index: u8, value: u32) {
        self.write32(0, u32::from(index));
        self.write32(0x10, value);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    Edge,
    Level,
}

/// The level (or edge) that means an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    High,
    Low,
}

struct Entry {
    low: u32,
    destination: u32,
}

struct State<R> {
    registers: R,
    /// What the redirection entries hold, so that they need not be read.
    entries: Box<[Entry]>,
}

impl<R: IndirectRegisters> State<R> {
    fn write_low(&mut self, index: usize) {
        let low = self.entries[index].low;
        self.registers.write(ENTRIES + 2 * index as u8, low);
    }

    fn write_high(&mut self, index: usize) {
        let high = self.entries[index].destination << 24;
        self.registers.write(ENTRIES + 2 * index as u8 + 1, high);
    }
}

/// One I/O APIC.
pub struct IoApic<R> {
    state: SpinLock<State<R>, InterruptsOff>,
    first: u32,
    count: u32,
}

impl<R: IndirectRegisters> IoApic<R> {
    /// The one whose first line is `first`, with all lines masked, edge-triggered and high. `None` without memory.
    pub fn new(mut registers: R, first: u32) -> Option<Self> {
        // Entries 0 to 119: those that 8-bit indexes reach.
        let count = (registers.read(VERSION) >> 16 & 0xff).min(119) + 1;
        let mut entries = Vec::new();
        entries.try_reserve_exact(count as usize).ok()?;
        entries.extend((0..count).map(|_| Entry { low: MASKED, destination: 0 }));
        let mut state = State { registers, entries: entries.into_boxed_slice() };
        (0..count as usize).for_each(|index| state.write_low(index));
        Some(Self { state: SpinLock::new(Rank::DeviceQueue, state), first, count })
    }

    /// Runs `change` on the entry of line `gsi` and writes it; `None` where the line is not this APIC's.
    fn change<T>(&self, gsi: u32, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let index = gsi.checked_sub(self.first).filter(|&index| index < self.count)? as usize;
        let mut state = self.state.lock();
        let before = state.entries[index].destination;
        let answer = change(&mut state.entries[index]);
        if state.entries[index].destination != before {
            // Masked meanwhile: no interrupt goes by half an entry.
            let low = state.entries[index].low;
            state.entries[index].low = low | MASKED;
            state.write_low(index);
            state.write_high(index);
            state.entries[index].low = low;
        }
        state.write_low(index);
        Some(answer)
    }
}

/// All I/O APICs, as the chip of their lines.
pub struct IoApics<R: 'static, L: 'static> {
    units: Vec<IoApic<R>>,
    local: &'static Apic<L>,
    /// The local APIC of each CPU.
    identifiers: Vec<u32>,
}

impl<R: IndirectRegisters, L: Registers> IoApics<R, L> {
    /// `identifiers` holds the local APIC's number of each CPU that interrupts may go to.
    pub fn new(units: Vec<IoApic<R>>, local: &'static Apic<L>, identifiers: Vec<u32>) -> Self {
        Self { units, local, identifiers }
    }

    /// One more than the highest line.
    pub fn lines(&self) -> u32 {
        self.units.iter().map(|unit| unit.first.saturating_add(unit.count)).max().unwrap_or(0)
    }

    fn change<T>(&self, gsi: u32, change: impl Fn(&mut Entry) -> T) -> Option<T> {
        self.units.iter().find_map(|unit| unit.change(gsi, &change))
    }

    /// Says how line `gsi` is wired, before it is requested; false where there is no such line.
    pub fn configure(&self, gsi: u32, trigger: Trigger, polarity: Polarity) -> bool {
        let level = if trigger == Trigger::Level { LEVEL } else { 0 };
        let low = if polarity == Polarity::Low { LOW_POLARITY } else { 0 };
        self.change(gsi, |entry| entry.low = entry.low & !(LEVEL | LOW_POLARITY) | level | low).is_some()
    }
}

impl<R: IndirectRegisters, L: Registers> Chip for IoApics<R, L> {
    fn name(&self) -> &'static str {
        "IO-APIC"
    }

    fn flow(&self, gsi: u32) -> &'static str {
        let is_level = self.units.iter().find_map(|unit| {
            let index = gsi.checked_sub(unit.first).filter(|&index| index < unit.count)?;
            Some(unit.state.lock().entries[index as usize].low & LEVEL != 0)
        });
        if is_level == Some(true) { "fasteoi" } else { "edge" }
    }

    fn connect(&self, gsi: u32, vector: u8, cpu: usize) -> bool {
        // Entries have room for 8 bits of the destination.
        let Some(&destination) = self.identifiers.get(cpu).filter(|&&identifier| identifier <= 0xff) else {
            return false;
        };
        let set = |entry: &mut Entry| {
            entry.low = entry.low & !VECTOR | u32::from(vector);
            entry.destination = destination;
        };
        self.change(gsi, set).is_some()
    }

    fn mask(&self, gsi: u32) {
        self.change(gsi, |entry| entry.low |= MASKED);
    }

    fn unmask(&self, gsi: u32) {
        self.change(gsi, |entry| entry.low &= !MASKED);
    }

    #[inline]
    fn acknowledge(&self, _: u32) {
        self.local.end_of_interrupt();
    }
}
