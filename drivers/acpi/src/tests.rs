//! Tables made by hand, and tables cut, bent and shuffled.
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Memory with tables in it.
#[derive(Clone, Default)]
struct Model(BTreeMap<u64, Vec<u8>>);

impl Memory for Model {
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
        let Some((&start, content)) = self.0.range(..=address).next_back() else { return false };
        let offset = (address - start) as usize;
        match content.get(offset..).and_then(|content| content.get(..bytes.len())) {
            Some(content) => bytes.copy_from_slice(content),
            None => return false,
        }
        true
    }
}

fn settle(table: &mut [u8], at: usize) {
    table[at] = 0;
    table[at] = table.iter().fold(0u8, |sum, &byte| sum.wrapping_sub(byte));
}

fn table(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut table = vec![0; 36];
    table[..4].copy_from_slice(signature);
    table[4..8].copy_from_slice(&(36 + body.len() as u32).to_le_bytes());
    table.extend(body);
    settle(&mut table, 9);
    table
}

fn block(lead: &[u8], body: &[u8]) -> Vec<u8> {
    let length = body.len() + 2;
    let mut code = lead.to_vec();
    code.extend([0x40 | (length & 0xf) as u8, (length >> 4) as u8]);
    code.extend(body);
    code
}

fn named(name: &[u8; 4], value: &[u8]) -> Vec<u8> {
    [b"\x08", name.as_slice(), value].concat()
}

fn virtio(name: &[u8; 4], address: u32, gsi: u32) -> Vec<u8> {
    let mut template = vec![0x86, 9, 0, 1];
    template.extend(address.to_le_bytes());
    template.extend(0x200u32.to_le_bytes());
    template.extend([0x89, 6, 0, 1, 1]);
    template.extend(gsi.to_le_bytes());
    template.extend([0x79, 0]);
    let buffer = block(&[0x11], &[&[0x0a, template.len() as u8], template.as_slice()].concat());
    let content = [name.to_vec(), named(b"_HID", b"\x0dLNRO0005\0"), named(b"_CRS", &buffer)].concat();
    block(&[0x5b, 0x82], &content)
}

fn dsdt() -> Vec<u8> {
    let region = [&[0x5b, 0x80][..], b"EREG", &[0, 0x0c, 0, 0, 0xa0, 0xfe, 0x0a, 4]].concat();
    let method = block(&[0x14], b"_EVT\x09\x70\xff\xfe\xfd");
    let serial = block(&[0x5b, 0x82], &[b"COM1".to_vec(), named(b"_HID", &[0x0c, 0x41, 0xd0, 5, 1])].concat());
    let system = [
        b"\\_SB_".to_vec(),
        region,
        method,
        serial,
        virtio(b"VR00", 0xfeb0_2e00, 47),
        virtio(b"VR01", 0xfeb0_2c00, 46),
    ];
    let mut windows = vec![0x88, 13, 0, 2, 0, 0, 0, 0, 0, 0, 127, 0, 0, 0, 128, 0];
    windows.extend([0x87, 23, 0, 0, 0, 0]);
    windows.extend([0, 0xc000_0000u32, 0xdfff_ffff, 0, 0x2000_0000].map(u32::to_le_bytes).concat());
    windows.extend([0x79, 0]);
    let windows = block(&[0x11], &[&[0x0a, windows.len() as u8], windows.as_slice()].concat());
    let base = block(&[0x14], b"_CBA\0\xa4\x0c\0\0\0\xe0");
    let bridge = [b"PCI0".to_vec(), named(b"_HID", &[0x0c, 0x41, 0xd0, 0x0a, 8]), base, named(b"_CRS", &windows)];
    let system = [system.concat(), block(&[0x5b, 0x82], &bridge.concat())];
    let sleep = named(b"_S5_", &block(&[0x12], &[4, 0x0a, 5, 0x0a, 6, 0, 0]));
    [block(&[0x10], &system.concat()), block(&[0x10], &[b"\\\0".to_vec(), sleep].concat())].concat()
}

fn madt() -> Vec<u8> {
    let mut body = vec![0, 0, 0xe0, 0xfe, 1, 0, 0, 0];
    body.extend([0, 8, 0, 0, 1, 0, 0, 0]);
    body.extend([0, 8, 1, 2, 0, 0, 0, 0]);
    body.extend([9, 16, 0, 0, 0x00, 1, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0]);
    body.extend([1, 12, 3, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0]);
    body.extend([2, 10, 0, 0, 2, 0, 0, 0, 0, 0]);
    body.extend([2, 10, 0, 9, 9, 0, 0, 0, 0xd, 0]);
    table(b"APIC", &body)
}

fn fadt(reduced: bool) -> Vec<u8> {
    let mut body = vec![0; 268 - 36];
    let mut put = |offset: usize, bytes: &[u8]| body[offset - 36..offset - 36 + bytes.len()].copy_from_slice(bytes);
    put(40, &0x3000u32.to_le_bytes());
    put(116, &[0, 8, 0, 0, 2, 2, 0xa0, 0xfe, 0, 0, 0, 0, 0x42]);
    if reduced {
        put(112, &0x0010_0400u32.to_le_bytes());
        put(244, &[0, 8, 0, 0, 0, 2, 0xa0, 0xfe, 0, 0, 0, 0]);
    } else {
        put(112, &0x84a5u32.to_le_bytes());
        put(48, &0xb2u32.to_le_bytes());
        put(52, &[2]);
        put(64, &0x604u32.to_le_bytes());
        put(76, &0x608u32.to_le_bytes());
    }
    table(b"FACP", &body)
}

fn machine(reduced: bool) -> Model {
    let mut memory = Model::default();
    let mut pointer = b"RSD PTR \0BOCHS \x02".to_vec();
    pointer.extend([0; 4]);
    pointer.extend(36u32.to_le_bytes());
    pointer.extend(0x1000u64.to_le_bytes());
    pointer.extend([0; 4]);
    settle(&mut pointer[..20], 8);
    settle(&mut pointer, 32);
    let mut bios = vec![0; 0x2_0000];
    bios[0x340..0x340 + 36].copy_from_slice(&pointer);
    memory.0.insert(0xe_0000, bios);
    let entries: [u64; 5] = [0x2000, 0x4000, 0x5000, 0x6000, 0xdead_beef_0000];
    memory.0.insert(0x1000, table(b"XSDT", &entries.map(u64::to_le_bytes).concat()));
    memory.0.insert(0x2000, fadt(reduced));
    memory.0.insert(0x3000, table(b"DSDT", &dsdt()));
    memory.0.insert(0x4000, madt());
    memory.0.insert(0x5000, table(b"HPET", &[0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0xd0, 0xfe, 0, 0, 0, 0]));
    memory
        .0
        .insert(0x6000, table(b"MCFG", &[[0; 8], 0xb000_0000u64.to_le_bytes(), [0, 0, 0, 0xff, 0, 0, 0, 0]].concat()));
    memory
}

#[test]
fn everything_is_found() {
    let platform = Platform::discover(&machine(false), None);
    let cpu = |apic| Cpu { apic, enabled: true };
    assert_eq!(platform.cpus, [cpu(0), cpu(256)]);
    assert_eq!(platform.local_apic, 0xfee0_0000);
    assert_eq!(platform.io_apics, [IoApic { identifier: 3, address: 0xfec0_0000, first: 24 }]);
    assert_eq!(platform.wiring(0), Wiring { gsi: 2, trigger: Trigger::Edge, polarity: Polarity::High });
    assert_eq!(platform.wiring(9), Wiring { gsi: 9, trigger: Trigger::Level, polarity: Polarity::High });
    assert_eq!(platform.wiring(4).gsi, 4);
    assert_eq!(platform.event_timer, Some(0xfed0_0000));
    assert_eq!(platform.pm_timer, Some(PmTimer { address: Address::Port(0x608), bits: 24 }));
    let window = ConfigurationWindow { address: 0xb000_0000, segment: 0, first_bus: 0, last_bus: 255 };
    assert_eq!(platform.configuration_windows, [window]);
    let wiring = |gsi| Wiring { gsi, trigger: Trigger::Level, polarity: Polarity::High };
    let device = |address, gsi| VirtioWindow { address, length: 0x200, wiring: wiring(gsi) };
    assert_eq!(platform.virtio_windows, [device(0xfeb0_2e00, 47), device(0xfeb0_2c00, 46)]);
    assert_eq!(platform.reset, Some(Reset { address: Address::Memory(0xfea0_0202), value: 0x42 }));
    let control = [Some((Address::Port(0x604), 5)), None];
    assert_eq!(platform.power_off, Some(PowerOff::Full { control, enable: Some((0xb2, 2)) }));
}

#[test]
fn hardware_reduced() {
    let platform = Platform::discover(&machine(true), Some(0xe_0340));
    assert_eq!(platform.power_off, Some(PowerOff::Reduced { control: Address::Memory(0xfea0_0200), kind: 5 }));
    assert_eq!(platform.pm_timer, None);
    assert_eq!(platform.pci_apertures.as_slice(), core::slice::from_ref(&(0xc000_0000..0xe000_0000)));
    assert!(aml::is_readable(&dsdt()));
}

#[test]
fn a_bridge_speaks_for_itself_without_mcfg() {
    let mut memory = machine(true);
    memory.0.remove(&0x6000);
    let platform = Platform::discover(&memory, None);
    let window = ConfigurationWindow { address: 0xe000_0000, segment: 0, first_bus: 0, last_bus: 127 };
    assert_eq!(platform.configuration_windows, [window]);
}

#[test]
fn without_acpi_there_is_the_mp_table() {
    let mut memory = Model::default();
    let mut pointer = b"_MP_".to_vec();
    pointer.extend(0x9000u32.to_le_bytes());
    pointer.extend([1, 4, 0, 0, 0, 0, 0, 0]);
    settle(&mut pointer, 10);
    let mut bios = vec![0; 0x2_0000];
    bios[0x1_0000..0x1_0010].copy_from_slice(&pointer);
    memory.0.insert(0xe_0000, bios);
    let mut table = vec![0; 44];
    table[..4].copy_from_slice(b"PCMP");
    table[36..40].copy_from_slice(&0xfee0_0000u32.to_le_bytes());
    for (apic, flags) in [(0, 3), (1, 1), (2, 0)] {
        table.extend([0, apic, 0x14, flags]);
        table.extend([0; 16]);
    }
    table.extend([1, 0]);
    table.extend(b"ISA   ");
    table.extend([2, 5, 0x11, 1, 0, 0, 0xc0, 0xfe]);
    table.extend([3, 0, 0, 0, 0, 0, 5, 2]);
    table.extend([3, 0, 0, 0, 0, 4, 5, 4]);
    let length = table.len() as u16;
    table[4..6].copy_from_slice(&length.to_le_bytes());
    settle(&mut table, 7);
    memory.0.insert(0x9000, table);
    let platform = Platform::discover(&memory, None);
    assert_eq!(platform.cpus.iter().map(|cpu| cpu.apic).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(platform.io_apics, [IoApic { identifier: 5, address: 0xfec0_0000, first: 0 }]);
    assert_eq!(platform.overrides.len(), 1);
    assert_eq!(platform.wiring(0).gsi, 2);
}

#[test]
fn nothing_at_all() {
    let platform = Platform::discover(&Model::default(), Some(u64::MAX - 3));
    assert!(platform.cpus.is_empty() && platform.power_off.is_none());
    assert_eq!(platform.local_apic, 0xfee0_0000);
}

proptest! {
    /// Any damage is survived; with checksums put right, so that it gets past them.
    #[test]
    fn damaged_tables_do_no_harm(changes in prop::collection::vec((0usize..6, any::<prop::sample::Index>(), any::<u8>()), 1..20), resettle: bool) {
        let mut memory = machine(false);
        for (which, at, value) in changes {
            let address = [0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000][which];
            let table = memory.0.get_mut(&address).unwrap();
            let at = at.index(table.len());
            table[at] = value;
            if resettle {
                settle(table, 9);
            }
        }
        let _ = Platform::discover(&memory, None);
    }

    #[test]
    fn any_bytes_are_survived_as_code(code in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x10), Just(0x5b), Just(0x82), Just(0x08), Just(0x12), Just(0x11)], 0..400)) {
        let _ = aml::sleep_state_5(&code);
        let mut count = 0;
        aml::for_each_device(&code, &mut |_| count += 1);
        prop_assert!(count <= code.len());
    }

    #[test]
    fn any_template_is_survived(template in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = resources::window(&template);
    }
}

#[test]
fn deep_nesting_ends() {
    let mut code = vec![];
    for _ in 0..200 {
        code = block(&[0x5b, 0x82], &[b"DEEP".to_vec(), code].concat());
    }
    let mut count = 0;
    aml::for_each_device(&code, &mut |_| count += 1);
    assert!((1..=24).contains(&count));
}
