//! Tables that the firmware left in memory, copied out.
//!
//! They lie in the first MiB or in reserved memory next to RAM, and their addresses come from other such tables, so none
//! of them is to be trusted. A copy is made only where the direct map covers every byte, which is looked up in the page
//! tables of the CPU; contents are plain bytes, read once.
#![cfg_attr(not(test), no_std)]
#![cfg(target_os = "none")]

use memory::physical::{DIRECT_MAP, to_virtual};
use memory::{PAGE_SIZE, PhysicalAddress};

const PRESENT: u64 = 1;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Addresses beyond this are not RAM of any machine of ours, and the direct map ends there (64 TiB).
const LIMIT: u64 = 1 << 46;

/// Copies physical memory from `address` on into `bytes`; false (and `bytes` undefined) where the direct map does not cover it
/// all. Any context.
pub fn read(address: u64, bytes: &mut [u8]) -> bool {
    let Some(end) = address.checked_add(bytes.len() as u64).filter(|&end| end <= LIMIT) else { return false };
    let page = PAGE_SIZE as u64;
    let mut at = address & !(page - 1);
    while at < end {
        if !is_mapped(at) {
            return false;
        }
        at += page;
    }
    // SAFETY: every page was just found in the direct map, whose mappings never go away. Firmware tables do not change, and if
    // they did, bytes are bytes: nothing is read twice.
    unsafe {
        core::ptr::copy_nonoverlapping(to_virtual(PhysicalAddress(address)), bytes.as_mut_ptr(), bytes.len());
    }
    true
}

/// Whether the direct map has a page for physical address `address`.
fn is_mapped(address: u64) -> bool {
    let virtual_address = DIRECT_MAP as u64 + address;
    let mut table = arch::instructions::read_cr3() & ADDRESS;
    for level in (0..4).rev() {
        let index = (virtual_address >> (12 + 9 * level)) & 511;
        // SAFETY: page tables in use are RAM, which the direct map covers; an entry is one aligned load.
        let entry = unsafe { to_virtual(PhysicalAddress(table)).cast::<u64>().add(index as usize).read_volatile() };
        if entry & PRESENT == 0 {
            return false;
        }
        if level == 0 || entry & LARGE != 0 {
            return true;
        }
        table = entry & ADDRESS;
    }
    false
}
