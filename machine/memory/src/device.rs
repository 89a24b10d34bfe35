//! Device registers in the kernel's address space.
use crate::page_table::kernel::{self, KernelAccess};
use crate::{PAGE_SIZE, PhysicalAddress, vmalloc};
use arch::Mmio;
use core::ops::Range;
use core::ptr::NonNull;
use smallvec::SmallVec;
use sync::Once;

static RAM: Once<SmallVec<[Range<u64>; 16]>> = Once::new();

/// Tells where RAM is, in bytes: the kernel's image, its heap and programs' pages are there, and no device. Once, at boot.
pub fn set_ram(ranges: &[Range<u64>]) {
    let _ = RAM.set(ranges.iter().cloned().collect());
}

/// Where RAM is, in bytes, as far as boot has said.
pub fn ram() -> &'static [Range<u64>] {
    RAM.get().map_or(&[], |ranges| ranges)
}

fn touches_ram(start: u64, end: u64) -> bool {
    RAM.get().is_none_or(|ram| ram.iter().any(|range| start < range.end && range.start < end))
}

/// Maps device registers, uncached, for ever. `None` where they would overlap RAM (or boot has not said where that is),
/// wrap around, or without memory. Process context.
pub fn map_device(address: PhysicalAddress, length: usize) -> Option<Mmio> {
    const PAGE: u64 = PAGE_SIZE as u64;
    let start = address.0 & !(PAGE - 1);
    let end = address.0.checked_add(length as u64)?.checked_next_multiple_of(PAGE)?;
    // Physical addresses have at most 52 bits.
    if length == 0 || end > 1 << 52 || touches_ram(start, end) {
        return None;
    }
    let range = vmalloc::reserve_for_device(((end - start) / PAGE) as usize)?;
    // SAFETY: no RAM is there, so nothing that Rust owns.
    if unsafe { kernel::map_physical(range.clone(), PhysicalAddress(start), KernelAccess::Device) }.is_err() {
        kernel::unmap_physical(range.clone());
        vmalloc::release_unused(&range);
        return None;
    }
    let base = NonNull::new((range.start + (address.0 - start) as usize) as *mut u8)?;
    // SAFETY: mapped for ever, uncached, and not RAM.
    Some(unsafe { Mmio::new(base, length) })
}

/// Copies bytes of RAM through the direct map, as far as there is RAM; answers how many. For dumps: what is there may change, or
/// belong to somebody else, meanwhile.
pub fn read_ram(address: PhysicalAddress, bytes: &mut [u8]) -> usize {
    let is_ram = |at: u64| RAM.get().is_some_and(|ram| ram.iter().any(|range| range.contains(&at)));
    let mut count = 0;
    for (byte, at) in bytes.iter_mut().zip(address.0..) {
        let place = crate::physical::to_virtual(PhysicalAddress(at));
        if !is_ram(at) || !is_kernel_data(place as usize) {
            break;
        }
        // SAFETY: RAM, mapped for reading; bytes are copied whatever they are.
        *byte = unsafe { place.read_volatile() };
        count += 1;
    }
    count
}

/// Whether kernel data can be read at `address` without a fault: pages of the direct map and of the vmalloc window that are
/// mapped. For backtraces; takes no lock.
pub fn is_kernel_data(address: usize) -> bool {
    kernel::walk(address).is_some_and(|walk| walk.is_mapped())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_ram() {
        set_ram(&[0..0x9_f000, 0x10_0000..0x1000_0000]);
        assert!(map_device(PhysicalAddress(0x20_0000), 4096).is_none());
        assert!(map_device(PhysicalAddress(0xf_ffff), 2).is_none(), "touches RAM with its last byte");
        assert!(map_device(PhysicalAddress(u64::MAX - 10), 4096).is_none());
        assert!(map_device(PhysicalAddress(0xfee0_0000), 0).is_none());
        assert_eq!(map_device(PhysicalAddress(0xfee0_0ff0), 32).map(|window| window.len()), Some(32));
    }
}
