//! The device's side of a ring, for models of devices in host tests.
//!
//! It knows a ring by its addresses only, as a device does, and touches nothing but frames of the host's arena.
use crate::layout::{Addresses, DESCRIPTOR, FLAG_NEXT, FLAG_QUIET, FLAG_WRITE};
use alloc::vec::Vec;
use memory::{PhysicalAddress, physical};

/// The device's view of a ring.
#[derive(Debug)]
pub struct DeviceRing {
    at: Addresses,
    event_index: bool,
    seen: u16,
    used: u16,
}

/// A request as the device sees it: stretches of memory, and whether it may write them.
#[derive(Debug)]
pub struct Request {
    pub head: u16,
    pub stretches: Vec<(u64, u32, bool)>,
}

/// Copies from the arena.
///
/// # Panics
/// Outside of it: the driver gave the device a bad address.
pub fn read_memory(address: u64, bytes: &mut [u8]) {
    check(address, bytes.len());
    // SAFETY: inside the arena; models and drivers of a test may race as real devices do, byte by byte.
    unsafe { physical::to_virtual(PhysicalAddress(address)).copy_to(bytes.as_mut_ptr(), bytes.len()) };
}

/// Copies into the arena.
///
/// # Panics
/// Outside of it.
pub fn write_memory(address: u64, bytes: &[u8]) {
    check(address, bytes.len());
    // SAFETY: as `read_memory`; frames are never referenced, only copied.
    unsafe { physical::to_virtual(PhysicalAddress(address)).copy_from(bytes.as_ptr(), bytes.len()) };
}

fn check(address: u64, length: usize) {
    let end = (physical::frame_count() as u64) << memory::PAGE_SHIFT;
    assert!(address >= 4096 && address.saturating_add(length as u64) <= end, "a device at {address:#x}");
}

fn read_word(address: u64) -> u16 {
    let mut bytes = [0; 2];
    read_memory(address, &mut bytes);
    core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
    u16::from_le_bytes(bytes)
}

fn write_word(address: u64, value: u16) {
    core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
    write_memory(address, &value.to_le_bytes());
}

impl DeviceRing {
    pub fn new(at: Addresses, event_index: bool) -> Self {
        Self { at, event_index, seen: 0, used: 0 }
    }

    /// The next request, if the driver made one available.
    pub fn receive(&mut self) -> Option<Request> {
        if self.event_index {
            write_word(self.at.device.0 + 4 + 8 * u64::from(self.at.size), self.seen);
        }
        if read_word(self.at.driver.0 + 2) == self.seen {
            return None;
        }
        let head = read_word(self.at.driver.0 + 4 + 2 * u64::from(self.seen % self.at.size));
        self.seen = self.seen.wrapping_add(1);
        let mut stretches = Vec::new();
        let mut index = head;
        loop {
            let mut descriptor = [0; DESCRIPTOR];
            read_memory(self.at.descriptors.0 + 16 * u64::from(index), &mut descriptor);
            let number = |range: core::ops::Range<usize>| {
                descriptor[range].iter().rev().fold(0u64, |number, &byte| number << 8 | u64::from(byte))
            };
            let flags = number(12..14) as u16;
            stretches.push((number(0..8), number(8..12) as u32, flags & FLAG_WRITE != 0));
            assert!(stretches.len() <= usize::from(self.at.size), "a chain that bites its tail");
            if flags & FLAG_NEXT == 0 {
                return Some(Request { head, stretches });
            }
            index = number(14..16) as u16;
        }
    }

    /// Says that request `identifier` is done and `length` bytes were written; true where the driver wants an interrupt.
    pub fn complete(&mut self, identifier: u32, length: u32) -> bool {
        let element = self.at.device.0 + 4 + 8 * u64::from(self.used % self.at.size);
        write_memory(element, &identifier.to_le_bytes());
        write_memory(element + 4, &length.to_le_bytes());
        self.used = self.used.wrapping_add(1);
        write_word(self.at.device.0 + 2, self.used);
        if self.event_index {
            read_word(self.at.driver.0 + 4 + 2 * u64::from(self.at.size)) == self.used.wrapping_sub(1)
        } else {
            read_word(self.at.driver.0) & FLAG_QUIET == 0
        }
    }

    /// Writes the device's index as it pleases: a hostile device.
    pub fn set_used_index(&mut self, index: u16) {
        write_word(self.at.device.0 + 2, index);
    }

    /// Whether the driver need not notify.
    pub fn set_quiet(&mut self, quiet: bool) {
        write_word(self.at.device.0, u16::from(quiet));
    }
}

impl Request {
    /// All bytes that the driver sent.
    pub fn sent(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for &(address, length, _) in self.stretches.iter().filter(|stretch| !stretch.2) {
            let start = all.len();
            all.resize(start + length as usize, 0);
            read_memory(address, &mut all[start..]);
        }
        all
    }

    /// Writes as much of `bytes` as there is room for; answers how much.
    pub fn reply(&self, mut bytes: &[u8]) -> u32 {
        let whole = bytes.len();
        for &(address, length, _) in self.stretches.iter().filter(|stretch| stretch.2) {
            let (now, later) = bytes.split_at(bytes.len().min(length as usize));
            write_memory(address, now);
            bytes = later;
        }
        (whole - bytes.len()) as u32
    }
}
