//! The three parts of a ring in its page, and single accesses to them.
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use memory::frame::Use;
use memory::{Frame, PAGE_SIZE, PhysicalAddress, physical};

/// The largest ring that fits into a page.
pub const MAX_SIZE: u16 = 128;

pub(crate) const DESCRIPTOR: usize = 16;
pub(crate) const FLAG_NEXT: u16 = 1;
pub(crate) const FLAG_WRITE: u16 = 2;
/// In the driver's part: no interrupts, please. In the device's: no notifications.
pub(crate) const FLAG_QUIET: u16 = 1;

/// Where a device finds a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub size: u16,
    pub descriptors: PhysicalAddress,
    /// What the driver makes available.
    pub driver: PhysicalAddress,
    /// What the device has used.
    pub device: PhysicalAddress,
}

/// A ring's page. Offsets are computed from a size that never changes, and lie inside.
pub(crate) struct Page {
    frame: Frame,
    size: u16,
}

impl Page {
    pub fn new(size: u16) -> Option<Self> {
        debug_assert!(size.is_power_of_two() && size <= MAX_SIZE);
        Some(Self { frame: Frame::allocate_zeroed_for(Use::Devices)?, size })
    }

    fn driver_part(&self) -> usize {
        usize::from(self.size) * DESCRIPTOR
    }

    /// Aligned to 512 bytes: more than the four that it needs, so that older devices can compute it.
    fn device_part(&self) -> usize {
        (self.driver_part() + 6 + 2 * usize::from(self.size)).next_multiple_of(512)
    }

    pub fn addresses(&self) -> Addresses {
        let at = |offset: usize| PhysicalAddress(self.frame.address().0 + offset as u64);
        Addresses {
            size: self.size,
            descriptors: at(0),
            driver: at(self.driver_part()),
            device: at(self.device_part()),
        }
    }

    fn pointer(&self, offset: usize, length: usize) -> *mut u8 {
        assert!(offset.is_multiple_of(length) && offset + length <= PAGE_SIZE, "a ring's offset {offset:#x}");
        // SAFETY: stays inside the page.
        unsafe { physical::frame_address(self.frame.number()).add(offset) }
    }

    fn word(&self, offset: usize) -> &AtomicU16 {
        // SAFETY: inside the page that this owns, aligned, and only ever accessed atomically: here, and by the device.
        unsafe { AtomicU16::from_ptr(self.pointer(offset, 2).cast()) }
    }

    fn double_word(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: as `word`.
        unsafe { AtomicU32::from_ptr(self.pointer(offset, 4).cast()) }
    }

    fn quad_word(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: as `word`.
        unsafe { AtomicU64::from_ptr(self.pointer(offset, 8).cast()) }
    }

    /// Fills a descriptor.
    pub fn describe(&self, index: u16, address: u64, length: u32, flags: u16, next: u16) {
        let at = usize::from(index) * DESCRIPTOR;
        self.quad_word(at).store(address, Ordering::Relaxed);
        self.double_word(at + 8).store(length, Ordering::Relaxed);
        self.double_word(at + 12).store(u32::from(flags) | u32::from(next) << 16, Ordering::Relaxed);
    }

    fn slot(&self, index: u16) -> usize {
        usize::from(index & (self.size - 1))
    }

    pub fn set_available(&self, index: u16, head: u16) {
        self.word(self.driver_part() + 4 + 2 * self.slot(index)).store(head, Ordering::Relaxed);
    }

    /// Publishes what was made available up to `index`.
    pub fn set_available_index(&self, index: u16) {
        self.word(self.driver_part() + 2).store(index, Ordering::Release);
    }

    pub fn set_driver_flags(&self, flags: u16) {
        self.word(self.driver_part()).store(flags, Ordering::Relaxed);
    }

    /// Asks for an interrupt when the device's index passes `index`.
    pub fn set_used_event(&self, index: u16) {
        self.word(self.driver_part() + 4 + 2 * usize::from(self.size)).store(index, Ordering::Relaxed);
    }

    pub fn device_flags(&self) -> u16 {
        self.word(self.device_part()).load(Ordering::Relaxed)
    }

    pub fn used_index(&self) -> u16 {
        self.word(self.device_part() + 2).load(Ordering::Acquire)
    }

    /// Identifier and length of a used element.
    pub fn used(&self, index: u16) -> (u32, u32) {
        let element = self.quad_word_halves(self.device_part() + 4 + 8 * self.slot(index));
        (element.0, element.1)
    }

    fn quad_word_halves(&self, offset: usize) -> (u32, u32) {
        let low = self.double_word(offset).load(Ordering::Relaxed);
        (low, self.double_word(offset + 4).load(Ordering::Relaxed))
    }

    /// The index that the device wants to be notified at.
    pub fn available_event(&self) -> u16 {
        self.word(self.device_part() + 4 + 8 * usize::from(self.size)).load(Ordering::Relaxed)
    }
}
