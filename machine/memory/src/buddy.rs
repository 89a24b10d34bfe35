//! The buddy system of one zone (Knuth, TAOCP vol. 1, 2.5).
//!
//! Free blocks of 2^order pages lie on one list per order. Freeing merges a block with its buddy (the block whose number
//! differs in one bit) as long as that one is free and whole. Lists are linked by frame number through the descriptors.
use crate::descriptor::{Descriptor, Kind, NONE};
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;

/// One more than the largest order: blocks up to 4 MiB.
pub const ORDERS: usize = 11;

/// A zone's free blocks.
#[derive(Debug)]
pub(crate) struct Buddy {
    first: [u32; ORDERS],
    blocks: [usize; ORDERS],
    free_pages: usize,
    /// Frame numbers that belong to this zone.
    range: Range<u32>,
}

impl Buddy {
    pub const fn new(range: Range<u32>) -> Self {
        Self { first: [NONE; ORDERS], blocks: [0; ORDERS], free_pages: 0, range }
    }

    pub fn free_pages(&self) -> usize {
        self.free_pages
    }

    /// Free blocks by order: a row of /proc/buddyinfo.
    pub fn blocks(&self) -> [usize; ORDERS] {
        self.blocks
    }

    fn push(&mut self, table: &[Descriptor], number: u32, order: usize) {
        let descriptor = &table[number as usize];
        let first = self.first[order];
        descriptor.kind.store(Kind::Free as u8, Relaxed);
        descriptor.order.store(order as u8, Relaxed);
        descriptor.next.store(first, Relaxed);
        descriptor.previous.store(NONE, Relaxed);
        if first != NONE {
            table[first as usize].previous.store(number, Relaxed);
        }
        self.first[order] = number;
        self.blocks[order] += 1;
    }

    fn unlink(&mut self, table: &[Descriptor], number: u32, order: usize) {
        let descriptor = &table[number as usize];
        let (next, previous) = (descriptor.next.load(Relaxed), descriptor.previous.load(Relaxed));
        match previous {
            NONE => self.first[order] = next,
            previous => table[previous as usize].next.store(next, Relaxed),
        }
        if next != NONE {
            table[next as usize].previous.store(previous, Relaxed);
        }
        descriptor.kind.store(Kind::Inner as u8, Relaxed);
        self.blocks[order] -= 1;
    }

    /// Takes a block of 2^order pages, aligned to its size; `None` where no block is large enough.
    pub fn allocate(&mut self, table: &[Descriptor], order: usize) -> Option<u32> {
        let found = (order..ORDERS).find(|&larger| self.first[larger] != NONE)?;
        let number = self.first[found];
        self.unlink(table, number, found);
        for half in (order..found).rev() {
            self.push(table, number + (1 << half), half);
        }
        self.free_pages -= 1 << order;
        Some(number)
    }

    /// Gives a block back.
    pub fn free(&mut self, table: &[Descriptor], number: u32, order: usize) {
        let (mut number, mut order) = (number, order);
        self.free_pages += 1 << order;
        while order + 1 < ORDERS {
            let buddy = number ^ (1 << order);
            if !self.is_free(table, buddy, order) {
                break;
            }
            self.unlink(table, buddy, order);
            number &= buddy;
            order += 1;
        }
        self.push(table, number, order);
    }

    fn is_free(&self, table: &[Descriptor], number: u32, order: usize) -> bool {
        self.range.contains(&number)
            && table.get(number as usize).is_some_and(|descriptor| {
                descriptor.kind.load(Relaxed) == Kind::Free as u8 && descriptor.order.load(Relaxed) == order as u8
            })
    }

    /// Adds pages that were reserved, in the largest aligned blocks.
    pub fn add(&mut self, table: &[Descriptor], pages: Range<u32>) {
        let mut number = pages.start;
        while number < pages.end {
            let aligned = number.trailing_zeros().min(ORDERS as u32 - 1);
            let fitting = (pages.end - number).ilog2();
            let order = aligned.min(fitting) as usize;
            self.free(table, number, order);
            number += 1 << order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(pages: usize) -> alloc::vec::Vec<Descriptor> {
        (0..pages).map(|_| Descriptor::new()).collect()
    }

    #[test]
    fn everything_merges_again() {
        let table = table(4096);
        let mut buddy = Buddy::new(0..4096);
        buddy.add(&table, 1..4096);
        let before = buddy.blocks();
        let mut taken = alloc::vec::Vec::new();
        for round in 0..1000 {
            if let Some(number) = buddy.allocate(&table, round % 4) {
                assert_eq!(number % (1 << (round % 4)), 0, "blocks are aligned to their size");
                taken.push((number, round % 4));
            }
        }
        let pages: usize = taken.iter().map(|&(_, order)| 1 << order).sum();
        assert_eq!(buddy.free_pages(), 4095 - pages);
        let mut all: alloc::vec::Vec<u32> =
            taken.iter().flat_map(|&(number, order)| number..number + (1 << order)).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), pages, "no page is given out twice");
        for (number, order) in taken.into_iter().rev() {
            buddy.free(&table, number, order);
        }
        assert_eq!(buddy.blocks(), before);
    }

    #[test]
    fn exhausted_is_none() {
        let table = table(16);
        let mut buddy = Buddy::new(0..16);
        buddy.add(&table, 0..16);
        assert_eq!(buddy.allocate(&table, 5), None);
        assert!((0..16).all(|_| buddy.allocate(&table, 0).is_some()));
        assert_eq!(buddy.allocate(&table, 0), None);
    }
}
