//! Kernel stacks.
use crate::descriptor::{self, Kind};
use crate::physical;
use crate::zones::{self, ZoneKind};
use core::sync::atomic::Ordering;

const ORDER: usize = if cfg!(debug_assertions) { 3 } else { 2 };

/// Memory for one thread's kernel stack.
pub struct KernelStack(u32);

impl KernelStack {
    /// `None` without memory.
    pub fn new() -> Option<Self> {
        let number = zones::allocate_for_kernel(ORDER, ZoneKind::Normal)?;
        descriptor::of(number).kind.store(Kind::Kernel as u8, Ordering::Relaxed);
        Some(Self(number))
    }
}

// SAFETY: whole pages of our own, of 16 KiB at least.
unsafe impl sync::thread::Stack for KernelStack {
    fn top(&self) -> usize {
        physical::frame_address(self.0) as usize + (crate::PAGE_SIZE << ORDER)
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        zones::free(self.0, ORDER);
    }
}

static KERNEL_TABLES: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);

pub fn set_kernel_space() {
    KERNEL_TABLES.store(arch::instructions::read_cr3(), Ordering::Relaxed);
}

pub fn enter_kernel_space() {
    // SAFETY: the tables that boot built.
    unsafe { arch::instructions::write_cr3(KERNEL_TABLES.load(Ordering::Relaxed)) };
}
