//! The fixed description table (ACPI 6.5, 5.2.9): PM timer, power-off, reset.
use crate::bytes::Bytes;
use crate::platform::Platform;
use crate::power::{PowerOff, Reset};
use crate::tables::{Tables, body};

/// A register, by address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    Port(u16),
    /// A physical address.
    Memory(u64),
}

/// ACPI's 3.579545 MHz timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PmTimer {
    pub address: Address,
    /// 24 or 32.
    pub bits: u8,
}

const FLAG_TIMER_32_BITS: u32 = 1 << 8;
const FLAG_RESET: u32 = 1 << 10;
const FLAG_HARDWARE_REDUCED: u32 = 1 << 20;
/// `IAPC_BOOT_ARCH`: no CMOS clock.
const BOOT_NO_CLOCK: u16 = 1 << 5;

/// A generic address structure (5.2.3.2).
fn generic(table: Bytes<'_>, offset: usize) -> Option<Address> {
    let address = table.u64(offset + 4)?;
    match table.u8(offset)? {
        _ if address == 0 => None,
        0 => Some(Address::Memory(address)),
        1 => u16::try_from(address).ok().map(Address::Port),
        _ => None,
    }
}

/// The extended field at `extended` where it is filled in, else the port at `old`.
fn either(table: Bytes<'_>, extended: usize, old: usize) -> Option<Address> {
    generic(table, extended).or_else(|| {
        let port = table.u32(old).filter(|&port| port != 0)?;
        u16::try_from(port).ok().map(Address::Port)
    })
}

/// Reads a FADT, header included; answers the DSDT that it points to.
pub(crate) fn read(tables: &Tables<'_>, table: &[u8], platform: &mut Platform) -> Option<alloc::vec::Vec<u8>> {
    let table = Bytes(table);
    let flags = table.u32(112).unwrap_or(0);
    let reduced = flags & FLAG_HARDWARE_REDUCED != 0;
    platform.has_clock = reduced || table.u16(109).unwrap_or(0) & BOOT_NO_CLOCK == 0;
    platform.century_register = table.u8(108).unwrap_or(0);
    if !reduced {
        let bits = if flags & FLAG_TIMER_32_BITS != 0 { 32 } else { 24 };
        platform.pm_timer = either(table, 208, 76).map(|address| PmTimer { address, bits });
    }
    if flags & FLAG_RESET != 0 {
        platform.reset = generic(table, 116).and_then(|address| Some(Reset { address, value: table.u8(128)? }));
    }
    let address = table.u64(140).filter(|&address| address != 0).or_else(|| table.u32(40).map(u64::from))?;
    let dsdt = tables.at(address, b"DSDT");
    let sleep = dsdt.as_ref().and_then(|dsdt| crate::aml::sleep_state_5(body(dsdt)));
    platform.power_off = sleep.and_then(|(first, second)| {
        if reduced {
            let control = generic(table, 244)?;
            return Some(PowerOff::Reduced { control, kind: first });
        }
        let enable = (table.u8(52)? != 0)
            .then(|| Some((u16::try_from(table.u32(48)?).ok()?, table.u8(52)?)))
            .flatten()
            .filter(|enable| enable.0 != 0);
        let (control, other) = (either(table, 172, 64)?, either(table, 184, 68));
        Some(PowerOff::Full { control: [Some((control, first)), other.map(|other| (other, second))], enable })
    });
    dsdt
}
