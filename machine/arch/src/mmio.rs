//! Device memory: bounds-checked, volatile, never a reference.
use core::arch::asm;
use core::ptr::NonNull;

/// A mapped window of device registers. Every access is checked against its length and is a single instruction of
/// the stated width, in program order.
#[derive(Clone, Copy, Debug)]
pub struct Mmio {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: the window is plain device memory; ordering between CPUs is its driver's business.
unsafe impl Send for Mmio {}
// SAFETY: as above; accesses are single instructions.
unsafe impl Sync for Mmio {}

impl Mmio {
    /// # Safety
    /// `base..base+length` must stay mapped, uncached, for ever, and hold nothing that Rust owns.
    pub const unsafe fn new(base: NonNull<u8>, length: usize) -> Self {
        Self { base, length }
    }

    pub const fn len(&self) -> usize {
        self.length
    }

    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The part `offset..offset+length`, or `None` where it leaves the window.
    pub fn window(&self, offset: usize, length: usize) -> Option<Self> {
        if offset.checked_add(length)? > self.length {
            return None;
        }
        // SAFETY: just checked to lie inside the window.
        Some(Self { base: unsafe { self.base.add(offset) }, length })
    }

    fn address(&self, offset: usize, width: usize) -> *mut u8 {
        assert!(
            offset.is_multiple_of(width) && offset.checked_add(width).is_some_and(|end| end <= self.length),
            "register {offset:#x} outside its window"
        );
        // SAFETY: just checked to lie inside the window.
        unsafe { self.base.as_ptr().add(offset) }
    }
}

macro_rules! access {
    ($read:ident, $write:ident, $width:ty, $instruction:literal, $class:ident, $template:literal) => {
        impl Mmio {
            /// # Panics
            /// Where `offset` is unaligned or outside the window: a bug of the driver.
            pub fn $read(&self, offset: usize) -> $width {
                let address = self.address(offset, size_of::<$width>());
                let value: $width;
                // SAFETY: inside a device window; `asm` keeps it one access of this width.
                unsafe { asm!(concat!("mov {value", $template, "}, [{address}]"), address = in(reg) address, value = out($class) value, options(nostack, preserves_flags)) };
                value
            }

            /// # Panics
            /// Where `offset` is unaligned or outside the window: a bug of the driver.
            pub fn $write(&self, offset: usize, value: $width) {
                let address = self.address(offset, size_of::<$width>());
                // SAFETY: inside a device window; `asm` keeps it one access of this width.
                unsafe { asm!(concat!("mov [{address}], {value", $template, "}"), address = in(reg) address, value = in($class) value, options(nostack, preserves_flags)) };
            }
        }
    };
}
access!(read8, write8, u8, "byte", reg_byte, "");
access!(read16, write16, u16, "word", reg, ":x");
access!(read32, write32, u32, "dword", reg, ":e");
access!(read64, write64, u64, "qword", reg, "");
