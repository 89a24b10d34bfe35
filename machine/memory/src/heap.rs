//! The global allocator.
use crate::slab;
use crate::zones::{self, ZoneKind};
use crate::{PAGE_SHIFT, physical};
use core::alloc::{GlobalAlloc, Layout};

/// Small objects from slabs, the rest from the zones in powers of two of pages.
pub struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

fn order_for(layout: Layout) -> usize {
    let pages = layout.size().max(layout.align()).div_ceil(crate::PAGE_SIZE).max(1);
    pages.next_power_of_two().ilog2() as usize
}

// SAFETY: slabs and zones hand each byte out once, aligned as asked.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match slab::class_for(layout.size(), layout.align()) {
            Some(class) => slab::allocate(class).map_or(core::ptr::null_mut(), |address| address as *mut u8),
            None => zones::allocate_for_kernel(order_for(layout), ZoneKind::Normal)
                .map_or(core::ptr::null_mut(), physical::frame_address),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match slab::class_for(layout.size(), layout.align()) {
            // SAFETY: allocated from this class.
            Some(class) => unsafe { slab::free(pointer as usize, class) },
            None => {
                let number = physical::from_virtual(pointer as usize).0 >> PAGE_SHIFT;
                zones::free(number as u32, order_for(layout));
            }
        }
    }
}
