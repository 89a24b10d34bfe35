//! Physical addresses and the direct map: each frame at a fixed kernel address.
use core::sync::atomic::{AtomicUsize, Ordering};

/// Where the direct map starts: the same address as Linux's without randomisation.
#[cfg(target_os = "none")]
pub const DIRECT_MAP: usize = 0xffff_8880_0000_0000;

/// A physical address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PhysicalAddress(pub u64);

/// One past the highest frame that has a descriptor.
static FRAMES: AtomicUsize = AtomicUsize::new(0);

/// One past the highest frame number that RAM has.
pub fn frame_count() -> usize {
    FRAMES.load(Ordering::Relaxed)
}

pub(crate) fn set_frame_count(count: usize) {
    FRAMES.store(count, Ordering::Relaxed);
}

#[cfg(target_os = "none")]
#[inline(always)]
fn base() -> usize {
    DIRECT_MAP
}

#[cfg(not(target_os = "none"))]
fn base() -> usize {
    crate::zones::host_arena()
}

/// The kernel address of a physical one. The caller knows whether the direct map covers it.
#[inline(always)]
pub fn to_virtual(address: PhysicalAddress) -> *mut u8 {
    (base() + address.0 as usize) as *mut u8
}

/// The physical address of one in the direct map.
#[inline(always)]
pub fn from_virtual(address: usize) -> PhysicalAddress {
    PhysicalAddress((address - base()) as u64)
}

/// The kernel address of a frame.
#[inline(always)]
pub fn frame_address(number: u32) -> *mut u8 {
    to_virtual(PhysicalAddress(u64::from(number) << crate::PAGE_SHIFT))
}
