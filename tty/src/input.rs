//! The input queue: whole lines, then the line being edited.

use crate::INPUT_SIZE;
use crate::ring::Ring;
use alloc::collections::TryReserveError;

const WORDS: usize = INPUT_SIZE / 64;

/// INVARIANT: `ring.tail() <= canon <= ring.head()`; a byte with its bit in `line_ends` set is the last of a line, and if it
/// is NUL it stands for an end of file and is not itself read.
#[derive(Debug)]
pub(crate) struct Input {
    ring: Ring,
    line_ends: [u64; WORDS],
    /// Where the line being edited begins.
    canon: u64,
}

impl Input {
    pub fn try_new() -> Result<Self, TryReserveError> {
        let ring = Ring::try_new(INPUT_SIZE / 4096)?;
        Ok(Self { ring, line_ends: [0; WORDS], canon: 0 })
    }

    /// Bytes queued.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Bytes that may still come; one place stays free, for the end of a line that is full.
    pub fn room(&self) -> usize {
        self.ring.room().saturating_sub(1)
    }

    pub fn has_line(&self) -> bool {
        self.canon != self.ring.tail()
    }

    pub fn line_start(&self) -> u64 {
        self.canon
    }

    pub fn head(&self) -> u64 {
        self.ring.head()
    }

    pub fn is_line_empty(&self) -> bool {
        self.canon == self.ring.head()
    }

    #[inline]
    pub fn get(&self, position: u64) -> Option<u8> {
        self.ring.get(position)
    }

    #[inline]
    pub fn push(&mut self, byte: u8) {
        let head = self.ring.head();
        self.mark(head, false);
        self.ring.push(byte);
    }

    pub fn extend(&mut self, bytes: &[u8]) -> usize {
        let room = self.room();
        self.ring.extend(bytes.get(..bytes.len().min(room)).unwrap_or_default())
    }

    /// Adds the last byte of a line: a newline, another delimiter, or NUL for end of file.
    pub fn end_line(&mut self, byte: u8) {
        let head = self.ring.head();
        self.mark(head, true);
        self.ring.push(byte);
        self.canon = self.ring.head();
    }

    /// Makes place for one more byte of a line that is too long, by dropping its last.
    pub fn drop_excess(&mut self) {
        if self.ring.room() == 0 {
            self.truncate(self.ring.head() - 1);
        }
    }

    /// Drops the end of the line being edited, from `position` on.
    pub fn truncate(&mut self, position: u64) {
        self.ring.truncate(position.max(self.canon));
    }

    pub fn clear(&mut self) {
        self.ring.clear();
        self.canon = self.ring.head();
        self.line_ends = [0; WORDS];
    }

    /// The terminal has changed between canonical and raw input: what is queued becomes one line, or just bytes. (A NUL at
    /// the end of such a line counts as an end of file, in Linux too.)
    pub fn switch_mode(&mut self, canonical: bool) {
        self.line_ends = [0; WORDS];
        self.canon = self.ring.tail();
        if canonical && self.ring.len() > 0 {
            let last = self.ring.head() - 1;
            self.mark(last, true);
            self.canon = self.ring.head();
        }
    }

    /// Takes raw bytes out; how many.
    pub fn take(&mut self, into: &mut [u8]) -> usize {
        let taken = self.ring.take(into, u64::MAX);
        self.canon = self.canon.max(self.ring.tail());
        taken
    }

    /// Takes bytes of the first whole line out; how many, and whether the line's end was among them.
    pub fn take_line(&mut self, into: &mut [u8]) -> (usize, bool) {
        let tail = self.ring.tail();
        let limit = self.canon.min(tail.saturating_add(into.len() as u64));
        let end = (tail..limit).find(|&position| self.ends_line(position));
        let Some(end) = end else {
            let taken = self.ring.take(into, limit);
            // A buffer filled to the last byte before an end of file has read that too, or the next read would see it.
            let ended = taken > 0 && taken == into.len() && self.skip_end_of_file();
            return (taken, ended);
        };
        let is_end_of_file = self.is_end_of_file(end);
        let taken = self.ring.take(into, if is_end_of_file { end } else { end + 1 });
        if is_end_of_file {
            self.ring.skip();
        }
        self.mark(end, false);
        (taken, true)
    }

    /// Bytes that reads would return now, ends of file not counted.
    pub fn readable_in_lines(&self) -> usize {
        (self.ring.tail()..self.canon).filter(|&position| !self.is_end_of_file(position)).count()
    }

    fn skip_end_of_file(&mut self) -> bool {
        let next = self.ring.tail();
        let skipped = next < self.canon && self.is_end_of_file(next);
        if skipped {
            self.mark(next, false);
            self.ring.skip();
        }
        skipped
    }

    fn is_end_of_file(&self, position: u64) -> bool {
        self.ends_line(position) && self.ring.get(position) == Some(0)
    }

    fn ends_line(&self, position: u64) -> bool {
        let bit = (position % INPUT_SIZE as u64) as usize;
        self.line_ends.get(bit / 64).is_some_and(|word| word & (1 << (bit % 64)) != 0)
    }

    fn mark(&mut self, position: u64, ends: bool) {
        let bit = (position % INPUT_SIZE as u64) as usize;
        if let Some(word) = self.line_ends.get_mut(bit / 64) {
            let mask = 1 << (bit % 64);
            *word = if ends { *word | mask } else { *word & !mask };
        }
    }
}
