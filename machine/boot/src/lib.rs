//! From the first instruction to a running heap.
//!
//! The image is entered by the PVH note in 32-bit mode, or at its ELF entry in 64-bit mode by Linux's boot protocol. Either
//! way a handful of static page tables map the first GiB three times (identity, direct map, image), and Rust begins on a
//! static stack. It reads what the loader left (memory map, command line, initial RAM disk, RSDP), places the descriptors
//! of all frames, builds the final page tables, and fills the zones. Then [`start`]'s caller takes over.
//!
//! The final tables are W^X: text is read-only and executable, constants read-only, everything else not executable; the
//! direct map is never executable, and its alias of text and constants is not writable.
#![cfg_attr(target_os = "none", no_std)]

#[cfg(target_os = "none")]
mod entry;
extern crate alloc;

pub mod information;
#[cfg(target_os = "none")]
mod layout;
#[cfg(target_os = "none")]
mod paging;
#[cfg(target_os = "none")]
mod secondary;
#[cfg(target_os = "none")]
mod start;

pub use information::{Information, Region, RegionKind};
#[cfg(target_os = "none")]
pub use layout::{image_range, is_image, is_text, symbols};
#[cfg(target_os = "none")]
pub use secondary::start_secondary;
#[cfg(target_os = "none")]
pub use start::start;
