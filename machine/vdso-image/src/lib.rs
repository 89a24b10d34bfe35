//! The vDSO as the kernel holds it: the shared object's bytes, and the stores that keep its page of clocks.
#![no_std]
#![forbid(unsafe_code)]

pub use time::vvar::{Coarse, Contents, Publisher, Store};

pub const VVAR_PAGES: usize = 1;
pub const IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vdso.so"));
