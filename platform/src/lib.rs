//! Where the subsystems' traits meet the machine: one newtype for each, and the concrete types that the floors above name.
//!
//! No logic: each method hands over to the machine's. A newtype is needed because neither the trait nor the type is this
//! crate's own.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod pages;

pub use pages::Tables;

/// An address space over the machine's page tables.
pub type AddressSpace = mm::AddressSpace<Tables>;
