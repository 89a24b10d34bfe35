//! Physical memory and what is made of it: frames, the kernel heap, page tables, and bytes on both sides of the
//! boundary to user space.
//!
//! **Frames.** Every page of RAM has a [`Descriptor`](descriptor::Descriptor). A [`Frame`] is a counted reference to one;
//! the page goes back to its zone with the last. Contents are reached only by copying: user space and devices write
//! there too, so a Rust reference to them would be a lie.
//!
//! **Zones** (DMA, DMA32, Normal) are buddy systems over descriptors, without a byte of unsafe code: lists are linked by
//! frame number. In front of them each CPU keeps a small stock of single frames.
//!
//! **Heap.** Slabs of fixed sizes, one page each, with a magazine of objects per CPU and size; what is larger than half a
//! page comes from the zones.
//!
//! **Page tables** ([`page_table`]) own programs' address spaces and the frames in them; [`vmalloc`] and [`kernel_stack`] are
//! the kernel's pages that are mapped one by one; [`tlb`] is how CPUs forget what was mapped.
//!
//! **Owners** ([`owners`]). Every page's descriptor says whose it is, so memory can be accounted for to the last page.
//!
//! **Figures** about use ([`counters`]) are rows of the CPUs' own; only their sums mean anything.
//!
//! On the host the same code manages an arena, so all of it runs in ordinary tests.
#![cfg_attr(target_os = "none", no_std)]

extern crate alloc;

mod batch;
mod buddy;
pub mod counters;
mod cursor;
pub mod descriptor;
pub mod device;
pub mod frame;
#[cfg(target_os = "none")]
pub mod heap;
pub mod kept;
pub mod kernel_stack;
pub mod owners;
pub mod page_table;
pub mod physical;
pub mod slab;
pub mod tlb;
#[cfg(target_os = "none")]
pub mod transfer;
mod user;
#[cfg(target_os = "none")]
pub mod user_vectors;
pub mod vmalloc;
pub mod zones;

pub use cursor::{Reader, Writer};
pub use device::{is_kernel_data, map_device};
pub use frame::Frame;
pub use kernel_stack::{KERNEL_STACK_SIZE, KernelStack};
pub use page_table::PageTable;
#[cfg(target_os = "none")]
pub use page_table::kernel::{enter_kernel_space, set_kernel_space};
pub use physical::PhysicalAddress;
pub use user::{UserPtr, UserSlice};
pub use zones::{Statistics, ZoneKind, statistics};

/// Bytes in a page.
pub const PAGE_SIZE: usize = abi::PAGE_SIZE;
/// Base-2 logarithm of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;
/// First address beyond what a program may map with four-level tables: Linux's `TASK_SIZE_MAX`.
pub const USER_END: usize = abi::USER_END;
