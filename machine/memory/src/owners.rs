//! Whose each page of RAM is: the account whose sum is all there is.
//!
//! A page's descriptor says what it is used for, written with the stores that taking it makes anyway; so nothing is counted where pages
//! are taken and given back, and no counter can drift. [`count`] looks at the descriptors of all pages, a block at a time. While pages
//! change hands it is off by those that do; at a quiet moment it is exact.
use crate::buddy::ORDERS;
use crate::descriptor::{self, KINDS, Kind};
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Pages of RAM, as boot found it.
static RAM: AtomicUsize = AtomicUsize::new(0);

/// How many pages of RAM there are, the kernel's image and what else never was in a zone included.
pub fn ram_pages() -> usize {
    RAM.load(Relaxed)
}

/// Pages with the name of who has them, each in one row; their sum is [`ram_pages`].
pub fn count() -> [(&'static str, usize); KINDS - 1] {
    let table = descriptor::table();
    let mut pages = [0; KINDS];
    let mut number = 0;
    while let Some(descriptor) = table.get(number) {
        let kind = usize::from(descriptor.kind.load(Relaxed)).min(KINDS - 1);
        let is_block = kind == Kind::Free as usize || kind == Kind::Heap as usize;
        let order = if is_block { usize::from(descriptor.order.load(Relaxed)).min(ORDERS - 1) } else { 0 };
        let size = (1 << order).min(table.len() - number);
        pages[kind] += size;
        number += size;
    }
    const FIRST: usize = Kind::Hole as usize + 1;
    core::array::from_fn(|row| (NAMES[row], pages[FIRST + row]))
}

/// Names of all [`Kind`]s but [`Kind::Hole`].
const NAMES: [&str; KINDS - 1] = [
    "free",
    "free_of_cpus",
    "image",
    "descriptors",
    "boot_tables",
    "loader",
    "slab",
    "heap_blocks",
    "page_tables",
    "program",
    "files",
    "pipes",
    "devices",
    "vmalloc",
    "kernel",
];

/// What boot took of RAM before there were zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    Image,
    Descriptors,
    Tables,
}

/// Says that boot took `bytes`, whose pages are in no zone.
pub fn mark(bytes: &Range<u64>, boot: Boot) {
    let kind = match boot {
        Boot::Image => Kind::Image,
        Boot::Descriptors => Kind::Descriptors,
        Boot::Tables => Kind::BootTables,
    };
    set((bytes.start / 4096) as u32..bytes.end.div_ceil(4096) as u32, kind);
}

/// RAM that boot found. What of it the zones do not get stays whatever the loader left there.
pub(crate) fn add_ram(pages: Range<u32>) {
    RAM.fetch_add(pages.len(), Relaxed);
    set(pages, Kind::Loader);
}

fn set(pages: Range<u32>, kind: Kind) {
    for descriptor in descriptor::table().iter().take(pages.end as usize).skip(pages.start as usize) {
        descriptor.kind.store(kind as u8, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;
    use crate::frame::Use;
    use crate::zones::{self, ZoneKind};

    fn of(name: &str) -> usize {
        count().into_iter().find(|row| row.0 == name).map(|row| row.1).unwrap()
    }

    /// Other tests take pages at the same time, but none of these kinds.
    #[test]
    fn pages_stand_where_they_were_taken_for() {
        zones::host_arena();
        let (pipes, devices) = (of("pipes"), of("devices"));
        let frames: Vec<Frame> = (0..100).map(|_| Frame::allocate_for(Use::Pipes).unwrap()).collect();
        let device = Frame::allocate_zeroed_for(Use::Devices).unwrap();
        assert_eq!((of("pipes"), of("devices")), (pipes + 100, devices + 1));
        let copy = device.clone();
        drop((frames, device));
        assert_eq!((of("pipes"), of("devices")), (pipes, devices + 1));
        drop(copy);
        assert_eq!(of("devices"), devices);
    }

    #[test]
    fn blocks_count_whole() {
        zones::host_arena();
        let before = of("heap_blocks");
        let number = zones::allocate(3, ZoneKind::Normal).unwrap();
        descriptor::of(number).order.store(3, Relaxed);
        descriptor::of(number).kind.store(Kind::Heap as u8, Relaxed);
        assert_eq!(of("heap_blocks"), before + 8);
        zones::free(number, 3);
        assert_eq!(of("heap_blocks"), before);
    }
}
