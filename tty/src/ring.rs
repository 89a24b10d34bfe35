//! A bounded queue of bytes in pages, since the kernel's heap gives no more than a page at a time.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

const PAGE: usize = 4096;

/// Positions count all bytes that ever went in, so that they stay valid while bytes come and go. INVARIANT: `tail` is at most
/// `head`, and they are at most the capacity apart.
#[derive(Debug)]
pub(crate) struct Ring {
    pages: Vec<Vec<u8>>,
    tail: u64,
    head: u64,
}

impl Ring {
    /// A ring of `pages` pages.
    pub fn try_new(pages: usize) -> Result<Self, TryReserveError> {
        let mut ring = Self { pages: Vec::new(), tail: 0, head: 0 };
        ring.pages.try_reserve_exact(pages)?;
        for _ in 0..pages {
            let mut page = Vec::new();
            page.try_reserve_exact(PAGE)?;
            page.resize(PAGE, 0);
            ring.pages.push(page);
        }
        Ok(ring)
    }

    pub fn tail(&self) -> u64 {
        self.tail
    }

    pub fn head(&self) -> u64 {
        self.head
    }

    pub fn len(&self) -> usize {
        (self.head - self.tail) as usize
    }

    pub fn room(&self) -> usize {
        self.pages.len() * PAGE - self.len()
    }

    /// Adds a byte; nothing if there is no room.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        if self.room() > 0 {
            let head = self.head;
            if let Some(cell) = self.cell(head) {
                *cell = byte;
                self.head += 1;
            }
        }
    }

    /// Adds as many bytes as there is room for; how many.
    pub fn extend(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room());
        let mut rest = bytes.get(..taken).unwrap_or_default();
        while !rest.is_empty() {
            let (page, offset) = self.place(self.head);
            let length = rest.len().min(PAGE - offset);
            let (now, later) = rest.split_at(length);
            if let Some(cells) = self.pages.get_mut(page).and_then(|page| page.get_mut(offset..offset + length)) {
                cells.copy_from_slice(now);
            }
            self.head += length as u64;
            rest = later;
        }
        taken
    }

    /// Takes the oldest bytes out, up to position `end`, as far as `into` has room; how many.
    pub fn take(&mut self, into: &mut [u8], end: u64) -> usize {
        let available = end.min(self.head).saturating_sub(self.tail) as usize;
        let taken = into.len().min(available);
        let mut done = 0;
        while done < taken {
            let (page, offset) = self.place(self.tail);
            let length = (taken - done).min(PAGE - offset);
            let cells = self.pages.get(page).and_then(|page| page.get(offset..offset + length));
            if let (Some(cells), Some(into)) = (cells, into.get_mut(done..done + length)) {
                into.copy_from_slice(cells);
            }
            self.tail += length as u64;
            done += length;
        }
        taken
    }

    /// Drops the oldest byte.
    pub fn skip(&mut self) {
        if self.tail < self.head {
            self.tail += 1;
        }
    }

    /// Drops the newest bytes, back to position `head`.
    pub fn truncate(&mut self, head: u64) {
        self.head = head.clamp(self.tail, self.head);
    }

    pub fn clear(&mut self) {
        self.tail = self.head;
    }

    /// The byte at a position between tail and head.
    #[inline]
    pub fn get(&self, position: u64) -> Option<u8> {
        if position < self.tail || position >= self.head {
            return None;
        }
        let (page, offset) = self.place(position);
        self.pages.get(page).and_then(|page| page.get(offset)).copied()
    }

    fn place(&self, position: u64) -> (usize, usize) {
        let page = (position / PAGE as u64) as usize;
        // One page is the usual case, and cheaper than a division.
        let page = if self.pages.len() == 1 { 0 } else { page % self.pages.len().max(1) };
        (page, (position % PAGE as u64) as usize)
    }

    fn cell(&mut self, position: u64) -> Option<&mut u8> {
        let (page, offset) = self.place(position);
        self.pages.get_mut(page).and_then(|page| page.get_mut(offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        #[test]
        fn agrees_with_a_deque(pages in 1usize..4, steps in prop::collection::vec((0u8..6, 0usize..9000), 0..40)) {
            let mut ring = Ring::try_new(pages).unwrap();
            let mut model: VecDeque<u8> = VecDeque::new();
            for (kind, size) in steps {
                match kind {
                    0 | 1 => {
                        let bytes: Vec<u8> = (0..size).map(|index| (index * 7 + size) as u8).collect();
                        let taken = ring.extend(&bytes);
                        prop_assert_eq!(taken, size.min(pages * PAGE - model.len()));
                        model.extend(&bytes[..taken]);
                    }
                    2 => {
                        if model.len() < pages * PAGE {
                            model.push_back(size as u8);
                        }
                        ring.push(size as u8);
                    }
                    3 => {
                        let kept = size.min(model.len());
                        ring.truncate(ring.tail() + kept as u64);
                        model.truncate(kept);
                    }
                    _ => {
                        let mut into = vec![0; size];
                        let end = ring.tail() + 5000;
                        let taken = ring.take(&mut into, end);
                        prop_assert_eq!(taken, size.min(model.len()).min(5000));
                        prop_assert!(into.into_iter().take(taken).eq(model.drain(..taken)));
                    }
                }
                prop_assert_eq!(ring.len(), model.len());
                prop_assert_eq!(ring.get(ring.tail()), model.front().copied());
                prop_assert_eq!(ring.get(ring.head().wrapping_sub(1)), model.back().copied());
                prop_assert_eq!(ring.get(ring.head()), None);
            }
        }
    }
}
