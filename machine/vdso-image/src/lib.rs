//! The vDSO as the kernel holds it: the shared object's bytes, and what keeps its page of clocks up to date.
//!
//! **Problem.** `user/vdso` is a program for user mode inside the kernel: another code model, another target, linked by
//! itself. The build script makes it and this crate embeds it.
//!
//! **Model.** [`IMAGE`] is copied into frames at start-up, which every address space maps: [`VVAR_PAGES`] pages readable
//! (`[vvar]`), and directly after them [`IMAGE_PAGES`] pages readable and executable (`[vdso]`), whose address goes into the
//! auxiliary vector (`AT_SYSINFO_EHDR`). A [`Publisher`] makes the stores for the page of clocks, an update being an opening
//! store, the words, and a closing one. No offset of a function is given: programs find them by name, and a signal handler's
//! return is the program's own (`SA_RESTORER`).
//!
//! **Invariants.** The image is whole pages and has no relocations, so its frames are shared and never written. Before the
//! first update the page of clocks is zeros, and every function makes the system call.
//!
//! **Locks.** None here; see [`Publisher`].

#![no_std]
#![forbid(unsafe_code)]

pub use time::vvar::{CPU_SELECTOR, CPU_SOURCE_NONE, CPU_SOURCE_RDPID, CPU_SOURCE_SEGMENT, cpu_word};
pub use time::vvar::{Contents, Publisher, Store};

const PAGE_SIZE: usize = 4096;

/// Pages of clocks, directly before the image.
pub const VVAR_PAGES: usize = 1;

/// The shared object, filled up with zeros to whole pages.
pub const IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vdso.so"));

/// Pages of the image.
pub const IMAGE_PAGES: usize = IMAGE.len() / PAGE_SIZE;

const _: () = assert!(IMAGE.len().is_multiple_of(PAGE_SIZE) && !IMAGE.is_empty());
