//! Scans and registers against a model of configuration space.
use crate::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Bytes of each function, and which bits of its base address registers can be set.
#[derive(Default)]
struct Model {
    functions: Mutex<BTreeMap<Location, [u8; 256]>>,
    masks: BTreeMap<(Location, u8), u32>,
}

const fn location(bus: u8, device: u8, function: u8) -> Location {
    Location { bus, device, function }
}

impl Model {
    fn add(&mut self, location: Location, identity: u32, header: u8) {
        let mut bytes = [0; 256];
        bytes[..4].copy_from_slice(&identity.to_le_bytes());
        bytes[0x0e] = header;
        self.functions.lock().unwrap().insert(location, bytes);
    }

    fn put(&self, location: Location, offset: usize, content: &[u8]) {
        let mut functions = self.functions.lock().unwrap();
        functions.get_mut(&location).unwrap()[offset..offset + content.len()].copy_from_slice(content);
    }

    fn bar(&mut self, location: Location, index: u8, value: u32, mask: u32) {
        self.put(location, 0x10 + 4 * usize::from(index), &value.to_le_bytes());
        self.masks.insert((location, 0x10 + 4 * index), mask);
    }

    /// Functions behind bridges answer only where the bridge has their bus number.
    fn reachable(&self, wanted: Location) -> bool {
        let functions = self.functions.lock().unwrap();
        let routed = |bytes: &[u8; 256]| bytes[0x0e] & 0x7f == 1 && (bytes[0x19]..=bytes[0x1a]).contains(&wanted.bus);
        wanted.bus == 0 || functions.values().any(routed)
    }
}

impl Configuration for Model {
    fn read32(&self, location: Location, offset: u8) -> u32 {
        if !self.reachable(location) {
            return u32::MAX;
        }
        let functions = self.functions.lock().unwrap();
        let offset = usize::from(offset);
        functions
            .get(&location)
            .map_or(u32::MAX, |bytes| u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap()))
    }

    fn write32(&self, location: Location, offset: u8, value: u32) {
        let low = value & 0xf;
        let value = match self.masks.get(&(location, offset)) {
            Some(mask) => value & mask | self.read32(location, offset) & 0xf & !mask | low & mask,
            None if (0x10..0x28).contains(&offset) && self.read32(location, 0xc) >> 16 & 0x7f == 0 => 0,
            None => value,
        };
        self.put(location, usize::from(offset), &value.to_le_bytes());
    }

    fn write16(&self, location: Location, offset: u8, value: u16) {
        self.put(location, usize::from(offset), &value.to_le_bytes());
    }
}

#[test]
fn bridges_get_numbers_and_everything_is_found() {
    let mut model = Model::default();
    model.add(location(0, 0, 0), 0x29c0_8086, 0x80);
    model.add(location(0, 0, 3), 0x29c3_8086, 0);
    model.add(location(0, 2, 0), 0x000c_1b36, 1);
    model.add(location(0, 3, 0), 0x000c_1b36, 1);
    model.put(location(0, 3, 0), 0x18, &[0, 9, 9]);
    model.add(location(1, 0, 0), 0x1043_1af4, 0);
    model.add(location(9, 4, 0), 0x1044_1af4, 0);
    let mut found = Vec::new();
    scan(&model, 0, &mut |function| found.push((function.location, function.device)));
    let expected = [
        (location(0, 0, 0), 0x29c0),
        (location(0, 0, 3), 0x29c3),
        (location(0, 2, 0), 0xc),
        (location(1, 0, 0), 0x1043),
        (location(0, 3, 0), 0xc),
        (location(9, 4, 0), 0x1044),
    ];
    assert_eq!(found, expected);
    assert_eq!(model.read32(location(0, 2, 0), 0x18), 0x01_01_00);
}

#[test]
fn bridges_in_a_loop_end() {
    let mut model = Model::default();
    for bus in 0..3 {
        model.add(location(bus, 0, 0), 0x000c_1b36, 1);
        model.put(location(bus, 0, 0), 0x18, &[bus, (bus + 1) % 3, 0xff]);
    }
    let mut count = 0;
    scan(&model, 0, &mut |_| count += 1);
    assert!(count <= 4);
}

#[test]
fn registers_are_measured_and_placed() {
    let mut model = Model::default();
    let at = location(0, 1, 0);
    model.add(at, 0x1043_1af4, 0);
    model.put(at, 4, &[7, 0]);
    model.bar(at, 0, 0xc001, 0xffff_ffc1);
    model.bar(at, 1, 0xfebf_d000, 0xffff_f000);
    model.bar(at, 2, 0, 0xffff_c000);
    model.bar(at, 4, 0xc, 0xffff_c00c);
    model.bar(at, 5, 8, u32::MAX);
    let function = Function::at(&model, at).unwrap();
    let mut aperture = Aperture::new(0xc000_1000..0xc001_0000);
    assert_eq!(function.bar(0, None), Some(Bar::Ports { first: 0xc000, length: 64 }));
    assert_eq!(function.bar(1, None), Some(Bar::Memory { address: 0xfebf_d000, length: 4096 }));
    assert_eq!(function.bar(2, None), None, "no address, and nowhere to take one from");
    assert_eq!(function.bar(2, Some(&mut aperture)), Some(Bar::Memory { address: 0xc000_4000, length: 0x4000 }));
    assert_eq!(function.bar(2, None), Some(Bar::Memory { address: 0xc000_4000, length: 0x4000 }));
    assert_eq!(function.bar(3, None), None);
    assert_eq!(function.bar(4, None), Some(Bar::Memory { address: 8 << 32, length: 0x4000 }));
    assert_eq!(function.bar(6, None), None);
    assert_eq!(function.read16(4), 7, "decoding is on again");
}

#[test]
fn capabilities_end_even_in_a_ring() {
    let mut model = Model::default();
    let at = location(0, 1, 0);
    model.add(at, 0x1043_1af4, 0);
    model.put(at, 6, &[0x10]);
    model.put(at, 0x34, &[0x40]);
    model.put(at, 0x40, &[0x11, 0x50]);
    model.put(at, 0x50, &[0x09, 0x40]);
    let function = Function::at(&model, at).unwrap();
    assert_eq!(function.capability(9), Some(Capability { identifier: 9, offset: 0x50 }));
    assert_eq!(function.capability(5), None);
    assert_eq!(function.capabilities().count(), 48);
    assert_eq!(location(0, 0x1f, 2).to_string(), "0000:00:1f.2");
}
