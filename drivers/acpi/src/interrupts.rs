//! CPUs and interrupt controllers: the multiple APIC description table (ACPI 6.5, 5.2.12).
use crate::bytes::{Bytes, entries, push};
use crate::platform::Platform;

/// A CPU that could run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// Its local APIC's identifier.
    pub apic: u32,
    /// Usable now; else it may be plugged in later.
    pub enabled: bool,
}

/// An I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    pub identifier: u8,
    /// Physical address of its registers.
    pub address: u64,
    /// Its first line, as a global system interrupt.
    pub first: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    Edge,
    Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    High,
    Low,
}

/// How a line reaches the I/O APICs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wiring {
    pub gsi: u32,
    pub trigger: Trigger,
    pub polarity: Polarity,
}

/// A legacy line that is wired otherwise than one to one, edge, high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    pub legacy: u8,
    pub wiring: Wiring,
}

/// The flags of an override, for the ISA bus (table 5.27).
pub(crate) fn wiring(gsi: u32, flags: u16) -> Wiring {
    let polarity = if flags & 3 == 3 { Polarity::Low } else { Polarity::High };
    let trigger = if flags >> 2 & 3 == 3 { Trigger::Level } else { Trigger::Edge };
    Wiring { gsi, trigger, polarity }
}

const LOCAL_APIC: u8 = 0;
const IO_APIC: u8 = 1;
const SOURCE_OVERRIDE: u8 = 2;
const ADDRESS_OVERRIDE: u8 = 5;
const LOCAL_X2APIC: u8 = 9;

/// Reads a MADT's body.
pub(crate) fn read(table: &[u8], platform: &mut Platform) -> Option<()> {
    platform.local_apic = u64::from(Bytes(table).u32(0)?);
    platform.has_legacy_controllers = Bytes(table).u32(4)? & 1 != 0;
    for (kind, entry) in entries(table.get(8..)?) {
        // An entry that is too short for its kind is skipped.
        let _ = one(kind, entry, platform);
    }
    Some(())
}

fn one(kind: u8, entry: Bytes<'_>, platform: &mut Platform) -> Option<()> {
    match kind {
        LOCAL_APIC => {
            let (apic, flags) = (u32::from(entry.u8(3)?), entry.u32(4)?);
            cpu(platform, apic, flags);
        }
        LOCAL_X2APIC => {
            let (apic, flags) = (entry.u32(4)?, entry.u32(8)?);
            cpu(platform, apic, flags);
        }
        IO_APIC => {
            let io_apic = IoApic { identifier: entry.u8(2)?, address: u64::from(entry.u32(4)?), first: entry.u32(8)? };
            push(&mut platform.io_apics, io_apic);
        }
        SOURCE_OVERRIDE => {
            let wiring = wiring(entry.u32(4)?, entry.u16(8)?);
            push(&mut platform.overrides, Override { legacy: entry.u8(3)?, wiring });
        }
        ADDRESS_OVERRIDE => platform.local_apic = entry.u64(4)?,
        _ => {}
    }
    Some(())
}

/// Flags: bit 0 enabled, bit 1 could be. A CPU listed twice (as both kinds) counts once.
fn cpu(platform: &mut Platform, apic: u32, flags: u32) {
    if flags & 3 != 0 && platform.cpus.iter().all(|cpu| cpu.apic != apic) {
        push(&mut platform.cpus, Cpu { apic, enabled: flags & 1 != 0 });
    }
}
