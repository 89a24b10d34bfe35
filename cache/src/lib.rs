//! The page cache: the contents of files, page by page, shared by `read`, `write` and `mmap`.
//!
//! **Model.** A [`PageCache`] belongs to one inode. It maps page indexes to counted [`Frame`](memory::Frame)s in a radix
//! tree, and knows the file's size. What it does not hold it asks of its [`Backing`] (a file system). There is never a second
//! copy: a program that maps the file is given these very frames.
//!
//! **Invariants.** No page lies wholly beyond the size. A frame that was taken out of the index by a truncation stays alive as
//! long as somebody counts it, but is no longer part of the file.
//!
//! **Truncation against faults.** A fault takes a frame by [`PageCache::page`], and later enters it into a page table. In
//! between the file may be cut. So: read [`PageCache::truncations`] first, take the page, lock the page table, and enter the
//! frame only if the number is still the same; else begin again. Truncation takes pages out, raises the number, and only then
//! has them unmapped ([`Mapper::unmap_pages`]), which takes the page-table lock: it finds every entry that was made in time.
//!
//! **Locks.** The index is under one spinlock ([`sync::Rank::PageIndex`]), held for one look-up or change at a time; nodes are
//! made outside of it. Writers and truncations of one file exclude each other by the inode's lock, which is the caller's;
//! readers and faults take no other lock, and may see a write by halves, as on Linux.
//!
//! **Why not** one tree of extents, or a hash of all pages: the tree finds the next page, dirty page or hole of a file in a
//! few steps, never pauses to grow, and no two files share a lock.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod backing;
mod mapper;
mod page_cache;
pub mod radix;
mod registry;
mod transfer;
mod truncate;

pub use backing::{Backing, Behaviour, PageError};
pub use mapper::{Mapper, Registration};
pub use page_cache::PageCache;
pub use registry::Registry;
