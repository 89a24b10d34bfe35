//! Tables of one or a few addresses: HPET, and PCI configuration windows (MCFG).
use crate::bytes::{Bytes, push};
use crate::platform::Platform;

/// Where the configuration space of some PCI buses is mapped (PCI Firmware Specification 3.3, 4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigurationWindow {
    /// Physical address of bus 0's part, whether or not the window has it.
    pub address: u64,
    pub segment: u16,
    pub first_bus: u8,
    pub last_bus: u8,
}

/// Reads a HPET table's body (IA-PC HPET Specification 1.0a, 3.2.4).
pub(crate) fn event_timer(table: &[u8], platform: &mut Platform) -> Option<()> {
    let in_memory = Bytes(table).u8(4)? == 0;
    platform.event_timer = Bytes(table).u64(8).filter(|&address| in_memory && address != 0);
    Some(())
}

/// Reads an MCFG table's body.
pub(crate) fn configuration(table: &[u8], platform: &mut Platform) {
    for entry in table.get(8..).unwrap_or(&[]).chunks_exact(16) {
        let entry = Bytes(entry);
        let window = (|| {
            let (first_bus, last_bus) = (entry.u8(10)?, entry.u8(11)?);
            let window = ConfigurationWindow { address: entry.u64(0)?, segment: entry.u16(8)?, first_bus, last_bus };
            (first_bus <= last_bus && window.address != 0).then_some(window)
        })();
        if let Some(window) = window {
            push(&mut platform.configuration_windows, window);
        }
    }
}
