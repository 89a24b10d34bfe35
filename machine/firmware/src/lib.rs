//! Tables that the firmware left in memory, copied out.
//!
//! They lie in the first MiB or in reserved memory next to RAM, and their addresses come from other such tables, so none
//! of them is to be trusted. A copy is made only where the direct map covers every byte, which is looked up in the kernel's
//! page tables; contents are plain bytes, read once.
#![cfg_attr(not(test), no_std)]
#![cfg(target_os = "none")]

use memory::physical::{DIRECT_MAP, to_virtual};
use memory::{PAGE_SIZE, PhysicalAddress};

/// The direct map ends here (64 TiB).
const LIMIT: u64 = 1 << 46;

/// Copies physical memory from `address` on into `bytes`; false (and `bytes` as they were) where the direct map does not cover
/// it all. After `memory::set_kernel_space`; any context.
pub fn read(address: u64, bytes: &mut [u8]) -> bool {
    let Some(end) = address.checked_add(bytes.len() as u64).filter(|&end| end <= LIMIT) else { return false };
    let pages = (address & !(PAGE_SIZE as u64 - 1)..end).step_by(PAGE_SIZE);
    if !pages.into_iter().all(|page| memory::device::is_kernel_data(DIRECT_MAP + page as usize)) {
        return false;
    }
    // SAFETY: every page was just found in the direct map, whose mappings never go away. Firmware tables do not change, and if
    // they did, bytes are bytes: nothing is read twice.
    unsafe {
        core::ptr::copy_nonoverlapping(to_virtual(PhysicalAddress(address)), bytes.as_mut_ptr(), bytes.len());
    }
    true
}
