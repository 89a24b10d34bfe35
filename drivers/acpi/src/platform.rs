//! The result.
use crate::bytes::push;
use crate::fixed::PmTimer;
use crate::interrupts::{Cpu, IoApic, Override, Polarity, Trigger, Wiring};
use crate::power::{PowerOff, Reset};
use crate::tables::{Memory, Tables, body};
use crate::timers::ConfigurationWindow;
use crate::{aml, fixed, interrupts, multiprocessor, resources, timers};
use alloc::vec::Vec;
use core::ops::Range;

/// Registers of a virtio device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtioWindow {
    /// Physical address.
    pub address: u64,
    pub length: u64,
    pub wiring: Wiring,
}

/// What the machine consists of. Addresses are physical.
#[derive(Clone, Debug, Default)]
pub struct Platform {
    /// In the firmware's order; the first need not be the one that boots.
    pub cpus: Vec<Cpu>,
    /// Registers of the local APICs.
    pub local_apic: u64,
    pub io_apics: Vec<IoApic>,
    pub overrides: Vec<Override>,
    /// There may be an 8259 pair, which must be silenced.
    pub has_legacy_controllers: bool,
    /// There may be a CMOS clock.
    pub has_clock: bool,
    /// The CMOS clock's register of centuries, or 0 (ACPI 6.5, 5.2.9).
    pub century_register: u8,
    /// The HPET's registers.
    pub event_timer: Option<u64>,
    pub pm_timer: Option<PmTimer>,
    pub configuration_windows: Vec<ConfigurationWindow>,
    /// Memory addresses that PCI devices may be given.
    pub pci_apertures: Vec<Range<u64>>,
    pub virtio_windows: Vec<VirtioWindow>,
    pub power_off: Option<PowerOff>,
    pub reset: Option<Reset>,
}

/// The identifier under which virtual machines declare virtio-mmio devices.
const VIRTIO_IDENTIFIER: &[u8] = b"LNRO0005";
/// PCI Express and PCI host bridges: PNP0A08 and PNP0A03, spelled out or packed (ACPI 6.5, 19.3.4).
const BRIDGE_IDENTIFIERS: [aml::Value<'static>; 4] = [
    aml::Value::String(b"PNP0A08"),
    aml::Value::String(b"PNP0A03"),
    aml::Value::Integer(0x080a_d041),
    aml::Value::Integer(0x030a_d041),
];
const LOCAL_APIC: u64 = 0xfee0_0000;

impl Platform {
    /// Reads all tables: ACPI's, by the root pointer at `root` or a scan, else the MP table. What neither tells stays empty. At
    /// boot, on one CPU; allocates.
    pub fn discover(memory: &dyn Memory, root: Option<u64>) -> Self {
        let mut platform =
            Self { local_apic: LOCAL_APIC, has_legacy_controllers: true, has_clock: true, ..Self::default() };
        match Tables::find(memory, root) {
            Some(tables) => platform.read_acpi(&tables),
            None => multiprocessor::read(memory, &mut platform).unwrap_or(()),
        }
        platform
    }

    fn read_acpi(&mut self, tables: &Tables<'_>) {
        if let Some(table) = tables.get(b"APIC") {
            let _ = interrupts::read(body(&table), self);
        }
        if let Some(table) = tables.get(b"HPET") {
            let _ = timers::event_timer(body(&table), self);
        }
        if let Some(table) = tables.get(b"MCFG") {
            timers::configuration(body(&table), self);
        }
        let fixed = tables.get(b"FACP");
        if let Some(dsdt) = fixed.and_then(|table| fixed::read(tables, &table, self)) {
            self.read_devices(body(&dsdt));
        }
        for table in tables.all(b"SSDT") {
            self.read_devices(body(&table));
        }
    }

    fn read_devices(&mut self, code: &[u8]) {
        aml::for_each_device(code, &mut |device| {
            let (Some(identifier), Some(template)) = (device.identifier, device.resources) else { return };
            if identifier == aml::Value::String(VIRTIO_IDENTIFIER) {
                if let Some(window) = resources::window(template) {
                    push(&mut self.virtio_windows, window);
                }
            } else if BRIDGE_IDENTIFIERS.contains(&identifier) {
                self.add_bridge(template, device.configuration_base);
            }
        });
    }

    /// A PCI host bridge. Where there is no MCFG, it may say by itself where its configuration space is.
    fn add_bridge(&mut self, template: &[u8], base: Option<u64>) {
        let buses = resources::bridge(template, |range| push(&mut self.pci_apertures, range));
        if let (Some(address), Some(buses), []) = (base, buses, self.configuration_windows.as_slice()) {
            let window = ConfigurationWindow { address, segment: 0, first_bus: *buses.start(), last_bus: *buses.end() };
            push(&mut self.configuration_windows, window);
        }
    }

    /// How legacy line `legacy` (0 to 15) reaches the I/O APICs.
    pub fn wiring(&self, legacy: u8) -> Wiring {
        let own = self.overrides.iter().find(|entry| entry.legacy == legacy).map(|entry| entry.wiring);
        own.unwrap_or(Wiring { gsi: u32::from(legacy), trigger: Trigger::Edge, polarity: Polarity::High })
    }
}
