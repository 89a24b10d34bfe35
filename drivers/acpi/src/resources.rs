//! Resource templates (ACPI 6.5, 6.4).
use crate::bytes::Bytes;
use crate::interrupts::{Polarity, Trigger, Wiring};
use crate::platform::VirtioWindow;
use core::ops::{Range, RangeInclusive};

const LARGE: u8 = 1 << 7;
const SMALL_IRQ: u8 = 0x4;
const SMALL_END: u8 = 0xf;
const MEMORY_32: u8 = 0x85;
const MEMORY_32_FIXED: u8 = 0x86;
const ADDRESS_32: u8 = 0x87;
const ADDRESS_16: u8 = 0x88;
const INTERRUPT: u8 = 0x89;
const ADDRESS_64: u8 = 0x8a;
const ADDRESS_IS_MEMORY: u8 = 0;
const ADDRESS_IS_BUS: u8 = 2;

/// The first memory window and the first interrupt of a template.
pub(crate) fn window(mut template: &[u8]) -> Option<VirtioWindow> {
    let (mut memory, mut interrupt) = (None, None);
    while let Some((kind, content, rest)) = next(template) {
        memory = memory.or_else(|| memory_of(kind, content));
        interrupt = interrupt.or_else(|| interrupt_of(kind, content));
        template = rest;
    }
    let (address, length) = memory.filter(|&(address, length): &(u64, u64)| address.checked_add(length).is_some())?;
    Some(VirtioWindow { address, length, wiring: interrupt? })
}

/// What a PCI host bridge passes on: its buses, and the memory addresses of devices behind it.
pub(crate) fn bridge(mut template: &[u8], mut memory: impl FnMut(Range<u64>)) -> Option<RangeInclusive<u8>> {
    let mut buses = None;
    while let Some((kind, content, rest)) = next(template) {
        if kind == ADDRESS_16 && content.u8(0) == Some(ADDRESS_IS_BUS) {
            buses = buses.or_else(|| {
                let (first, last) = (content.u16(5)?, content.u16(7)?);
                Some(u8::try_from(first).ok()?..=u8::try_from(last).ok()?)
            });
        }
        let window = memory_of(kind, content).filter(|_| matches!(kind, ADDRESS_32 | ADDRESS_64));
        if let Some((start, length)) = window
            && let Some(end) = start.checked_add(length)
        {
            memory(start..end);
        }
        template = rest;
    }
    buses
}

/// The next descriptor: its kind, its content, and what follows.
fn next(template: &[u8]) -> Option<(u8, Bytes<'_>, &[u8])> {
    let tag = *template.first()?;
    let (kind, start, length) = if tag & LARGE != 0 {
        (tag, 3, usize::from(Bytes(template).u16(1)?))
    } else {
        (tag >> 3, 1, usize::from(tag & 7))
    };
    if kind == SMALL_END {
        return None;
    }
    Some((kind, Bytes(Bytes(template).slice(start, length)?), template.get(start + length..)?))
}

fn memory_of(kind: u8, content: Bytes<'_>) -> Option<(u64, u64)> {
    match kind {
        MEMORY_32_FIXED => Some((u64::from(content.u32(1)?), u64::from(content.u32(5)?))),
        MEMORY_32 => Some((u64::from(content.u32(1)?), u64::from(content.u32(13)?))),
        ADDRESS_32 if content.u8(0)? == ADDRESS_IS_MEMORY => {
            Some((u64::from(content.u32(7)?), u64::from(content.u32(19)?)))
        }
        ADDRESS_64 if content.u8(0)? == ADDRESS_IS_MEMORY => Some((content.u64(11)?, content.u64(35)?)),
        _ => None,
    }
}

fn interrupt_of(kind: u8, content: Bytes<'_>) -> Option<Wiring> {
    let (flags, gsi, edge, low) = match kind {
        INTERRUPT if content.u8(1)? > 0 => (content.u8(0)?, content.u32(2)?, 1, 2),
        // Edge and high where the flags byte is left out.
        SMALL_IRQ => {
            let mask = content.u16(0)?;
            (content.u8(2).unwrap_or(1), mask.checked_ilog2()?, 0, 3)
        }
        _ => return None,
    };
    let trigger = if flags >> edge & 1 != 0 { Trigger::Edge } else { Trigger::Level };
    let polarity = if flags >> low & 1 != 0 { Polarity::Low } else { Polarity::High };
    Some(Wiring { gsi, trigger, polarity })
}
