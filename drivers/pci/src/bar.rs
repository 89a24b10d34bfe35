//! Base address registers.
use crate::function::{DECODE_MEMORY, DECODE_PORTS, Function};
use core::ops::Range;

const FIRST: u8 = 0x10;
const PORTS: u32 = 1;
const KIND: u32 = 0b11 << 1;
const KIND_64: u32 = 0b10 << 1;

/// What a base address register stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// Physical memory addresses.
    Memory { address: u64, length: u64 },
    /// I/O ports.
    Ports { first: u16, length: u16 },
}

/// Physical addresses that may be given to functions.
#[derive(Clone, Debug)]
pub struct Aperture {
    free: Range<u64>,
}

impl Aperture {
    pub fn new(free: Range<u64>) -> Self {
        Self { free }
    }

    /// `length` (a power of two) addresses at a multiple of `length`.
    fn take(&mut self, length: u64) -> Option<u64> {
        let start = self.free.start.checked_next_multiple_of(length)?;
        let end = start.checked_add(length).filter(|&end| end <= self.free.end)?;
        self.free.start = end;
        Some(start)
    }
}

impl Function<'_> {
    /// Measures register `index` (0 to 5), with the function's decoding off meanwhile. A memory register that has no address yet
    /// gets one from `aperture`. `None` for one that is not there, or for which there is no room.
    pub fn bar(&self, index: u8, aperture: Option<&mut Aperture>) -> Option<Bar> {
        if index > 5 || self.is_bridge() && index > 1 {
            return None;
        }
        let before = self.change_command(0, DECODE_MEMORY | DECODE_PORTS);
        let found = self.measure(index, aperture);
        self.change_command(before & (DECODE_MEMORY | DECODE_PORTS), 0);
        found
    }

    fn measure(&self, index: u8, aperture: Option<&mut Aperture>) -> Option<Bar> {
        let offset = FIRST + 4 * index;
        let low = self.read32(offset);
        let low_mask = self.probe(offset, low);
        if low & PORTS != 0 {
            let mask = low_mask & 0xffff & !3;
            let length = (mask as u16).wrapping_neg() & 0xfffc;
            return (mask != 0 && length.is_power_of_two()).then_some(Bar::Ports { first: (low & !3) as u16, length });
        }
        let wide = low & KIND == KIND_64;
        if wide && index == 5 {
            return None;
        }
        let (high, high_mask) = if wide {
            let high = self.read32(offset + 4);
            (high, self.probe(offset + 4, high))
        } else {
            (0, u32::MAX)
        };
        let mask = u64::from(high_mask) << 32 | u64::from(low_mask & !0xf);
        if low_mask & !0xf == 0 && (!wide || high_mask == 0) {
            return None;
        }
        let length = mask.wrapping_neg();
        if !length.is_power_of_two() {
            return None;
        }
        let address = u64::from(high) << 32 | u64::from(low & !0xf);
        if address != 0 {
            return Some(Bar::Memory { address, length });
        }
        let address = aperture?.take(length)?;
        if !wide && u32::try_from(address).is_err() {
            return None;
        }
        self.write32(offset, address as u32);
        if wide {
            self.write32(offset + 4, (address >> 32) as u32);
        }
        Some(Bar::Memory { address, length })
    }

    /// Which bits of a register can be set; leaves it as it was.
    fn probe(&self, offset: u8, value: u32) -> u32 {
        self.write32(offset, u32::MAX);
        let mask = self.read32(offset);
        self.write32(offset, value);
        mask
    }
}
