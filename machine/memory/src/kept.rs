//! Giving back what is kept for its next use: when memory is short, and so that what is left over can be counted.
//!
//! Each stock says by itself why it keeps what. Here is only the order: stacks and ranges of addresses are made of pages and small objects,
//! objects are parts of pages, and pages come last.
use crate::{kernel_stack, page_table, slab, vmalloc, zones};

/// Stacks, page tables and the addresses of freed areas. Process context, interrupts on, under no lock of this crate.
pub fn give_back_stacks_and_tables() {
    kernel_stack::drain_kernel_stacks();
    page_table::drain_table_stocks();
    vmalloc::give_back();
}

/// Empty slabs and all CPUs' single pages; to be called when each CPU has emptied its magazines ([`slab::drain`]).
pub fn give_back_slabs_and_pages() {
    slab::trim();
    zones::drain_stocks();
}
