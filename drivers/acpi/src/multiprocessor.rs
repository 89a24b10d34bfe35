//! The MP table, for machines without ACPI (Intel MultiProcessor Specification 1.4, ch. 4).
use crate::bytes::{Bytes, adds_up, push};
use crate::interrupts::{Cpu, IoApic, Override, wiring};
use crate::platform::Platform;
use crate::tables::{Memory, copy, scan};

const FLOATING: &[u8; 4] = b"_MP_";
const HEADER: usize = 44;
const PROCESSOR: u8 = 0;
const BUS: u8 = 1;
const IO_APIC: u8 = 2;
const IO_INTERRUPT: u8 = 3;
const LOCAL_INTERRUPT: u8 = 4;

fn floating(memory: &dyn Memory, address: u64) -> Option<u64> {
    let pointer = copy(memory, address, 16)?;
    let whole = pointer.starts_with(FLOATING) && Bytes(&pointer).u8(8)? == 1 && adds_up(&pointer);
    whole.then_some(u64::from(Bytes(&pointer).u32(4)?)).filter(|&table| table != 0)
}

pub(crate) fn read(memory: &dyn Memory, platform: &mut Platform) -> Option<()> {
    let pointer = scan(memory, FLOATING, |address| floating(memory, address).is_some())?;
    let address = floating(memory, pointer)?;
    let header = copy(memory, address, HEADER)?;
    let length = usize::from(Bytes(&header).u16(4)?);
    let table = copy(memory, address, length)?;
    if !table.starts_with(b"PCMP") || !adds_up(&table) {
        return None;
    }
    platform.local_apic = u64::from(Bytes(&table).u32(36)?);
    let mut isa = None;
    let mut rest = table.get(HEADER..)?;
    while let Some(&kind) = rest.first() {
        let length = if kind == PROCESSOR { 20 } else { 8 };
        if kind > LOCAL_INTERRUPT || rest.len() < length {
            break;
        }
        let (entry, after) = rest.split_at(length);
        let _ = one(kind, Bytes(entry), &mut isa, platform);
        rest = after;
    }
    Some(())
}

fn one(kind: u8, entry: Bytes<'_>, isa: &mut Option<u8>, platform: &mut Platform) -> Option<()> {
    match kind {
        PROCESSOR if entry.u8(3)? & 1 != 0 => {
            push(&mut platform.cpus, Cpu { apic: u32::from(entry.u8(1)?), enabled: true });
        }
        BUS if entry.slice(2, 6)? == b"ISA   " => *isa = Some(entry.u8(1)?),
        IO_APIC if entry.u8(3)? & 1 != 0 => {
            // Lines are numbered by order, 24 to an I/O APIC: the table does not say.
            let first = 24 * platform.io_apics.len() as u32;
            let (identifier, address) = (entry.u8(1)?, u64::from(entry.u32(4)?));
            push(&mut platform.io_apics, IoApic { identifier, address, first });
        }
        // A vectored interrupt (kind 0) of the ISA bus.
        IO_INTERRUPT if entry.u8(1)? == 0 && Some(entry.u8(4)?) == *isa => {
            let (flags, legacy) = (entry.u16(2)?, entry.u8(5)?);
            let identifier = entry.u8(6)?;
            let unit = platform.io_apics.iter().find(|unit| unit.identifier == identifier)?;
            let gsi = unit.first + u32::from(entry.u8(7)?);
            if gsi != u32::from(legacy) || flags != 0 {
                push(&mut platform.overrides, Override { legacy, wiring: wiring(gsi, flags) });
            }
        }
        _ => {}
    }
    Some(())
}
