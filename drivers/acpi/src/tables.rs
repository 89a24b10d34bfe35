//! The root pointer, the root table, and tables by signature (ACPI 6.5, 5.2.5 to 5.2.8).
use crate::bytes::{Bytes, adds_up};
use alloc::vec::Vec;

/// Physical memory that the firmware left tables in.
pub trait Memory {
    /// Copies bytes from physical address `address`; false where there is no such memory.
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool;
}

impl<F: Fn(u64, &mut [u8]) -> bool> Memory for F {
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
        self(address, bytes)
    }
}

const HEADER: usize = 36;
/// The largest table that is read, and the most tables that are looked at.
const LARGEST: usize = 1 << 20;
const MOST: usize = 256;
const ROOT_POINTER: &[u8; 8] = b"RSD PTR ";
/// Where the BIOS keeps its extended data area's segment, and the read-only area that is searched next.
const EBDA_SEGMENT: u64 = 0x40e;
const BIOS_AREA: core::ops::Range<u64> = 0xe_0000..0x10_0000;

/// A copy of `length` bytes; `None` where they cannot be read or there is no memory for them.
pub(crate) fn copy(memory: &dyn Memory, address: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).ok()?;
    bytes.resize(length, 0);
    memory.read(address, &mut bytes).then_some(bytes)
}

/// The first address in the first KiB of the EBDA, or in the BIOS area, at a multiple of 16, that begins with `signature` and
/// satisfies `check`.
pub(crate) fn scan(memory: &dyn Memory, signature: &[u8], check: impl Fn(u64) -> bool) -> Option<u64> {
    let mut segment = [0; 2];
    let ebda = memory.read(EBDA_SEGMENT, &mut segment).then(|| u64::from(u16::from_le_bytes(segment)) << 4);
    let areas = ebda.filter(|&start| start != 0).map(|start| start..start + 1024).into_iter().chain([BIOS_AREA]);
    areas.flat_map(|area| area.step_by(1024)).find_map(|start| {
        let block = copy(memory, start, 1024)?;
        let places = (0..1024).step_by(16);
        places
            .filter(|&at| block[at..].starts_with(signature))
            .map(|at| start + at as u64)
            .find(|&address| check(address))
    })
}

/// The root table's address, and the width of its entries.
fn root_pointer(memory: &dyn Memory, address: u64) -> Option<(u64, usize)> {
    let old = copy(memory, address, 20)?;
    if !old.starts_with(ROOT_POINTER) || !adds_up(&old) {
        return None;
    }
    let (revision, short) = (Bytes(&old).u8(15)?, u64::from(Bytes(&old).u32(16)?));
    if revision >= 2
        && let Some(new) = copy(memory, address, 36)
        && adds_up(&new)
        && let Some(long) = Bytes(&new).u64(24).filter(|&long| long != 0)
    {
        return Some((long, 8));
    }
    Some((short, 4))
}

/// All tables that the root table names.
pub(crate) struct Tables<'a> {
    memory: &'a dyn Memory,
    /// Signature, address.
    list: Vec<([u8; 4], u64)>,
}

impl<'a> Tables<'a> {
    /// Finds the tables: by the root pointer that the loader named, else by a scan.
    pub fn find(memory: &'a dyn Memory, hint: Option<u64>) -> Option<Self> {
        let (root, width) = hint.and_then(|address| root_pointer(memory, address)).or_else(|| {
            let address = scan(memory, ROOT_POINTER, |address| root_pointer(memory, address).is_some())?;
            root_pointer(memory, address)
        })?;
        let table = load(memory, root, if width == 8 { b"XSDT" } else { b"RSDT" })?;
        let mut list = Vec::new();
        for entry in table[HEADER..].chunks_exact(width).take(MOST) {
            let address = entry.iter().rev().fold(0, |address, &byte| address << 8 | u64::from(byte));
            let mut signature = [0; 4];
            if memory.read(address, &mut signature) {
                crate::bytes::push(&mut list, (signature, address));
            }
        }
        Some(Self { memory, list })
    }

    /// The first whole table with `signature`.
    pub fn get(&self, signature: &[u8; 4]) -> Option<Vec<u8>> {
        self.all(signature).next()
    }

    /// All whole tables with `signature`.
    pub fn all<'b>(&'b self, signature: &'b [u8; 4]) -> impl Iterator<Item = Vec<u8>> + 'b {
        let places = self.list.iter().filter(move |(found, _)| found == signature);
        places.filter_map(move |&(_, address)| load(self.memory, address, signature))
    }

    /// A table that another one points to.
    pub fn at(&self, address: u64, signature: &[u8; 4]) -> Option<Vec<u8>> {
        load(self.memory, address, signature)
    }
}

/// Copies a table with its header; `None` where signature, length or checksum are wrong.
fn load(memory: &dyn Memory, address: u64, signature: &[u8; 4]) -> Option<Vec<u8>> {
    let mut header = [0; HEADER];
    if address == 0 || !memory.read(address, &mut header) || !header.starts_with(signature) {
        return None;
    }
    let length = Bytes(&header).u32(4)? as usize;
    if !(HEADER..=LARGEST).contains(&length) {
        return None;
    }
    copy(memory, address, length).filter(|table| adds_up(table))
}

/// What comes after a table's header.
pub(crate) fn body(table: &[u8]) -> &[u8] {
    table.get(HEADER..).unwrap_or(&[])
}
