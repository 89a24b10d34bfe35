//! The kernel's side: what to store where, in which order.

use super::{ClockPage, MODE_NONE, MODE_TSC};
use crate::Clock;
use core::mem::offset_of;

/// A word, and its offset in the page in bytes (a multiple of eight).
pub type Store = (usize, u64);

/// All that the page says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Contents {
    /// `None` where user mode must not read the counter.
    pub clock: Option<Clock>,
    /// One of the `CPU_SOURCE` constants.
    pub cpu_source: u32,
    /// Minutes west of Greenwich, and the kind of daylight saving (`settimeofday(2)`).
    pub time_zone: (i32, i32),
}

const SOURCES: usize = offset_of!(ClockPage, cpu_source);
const TIME_ZONE: usize = offset_of!(ClockPage, minutes_west);

/// Makes the stores of one page, and remembers its sequence. One for each page; the owner's lock keeps writers apart, and
/// stands around the stores too, which are made in order (release stores), without sleeping and with interrupts off, since
/// readers spin meanwhile.
///
/// An update is [`Publisher::open`], then [`Publisher::close`]. A change of the rate takes the counter's value that it starts
/// from in between: no reader then used the old rate beyond that point, so none sees the clock run backwards.
#[derive(Debug)]
pub struct Publisher {
    sequence: u32,
    mode: u32,
}

impl Publisher {
    /// How many stores follow the first.
    pub const STORES: usize = Clock::WORDS + 3;

    /// For a page of zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self { sequence: 0, mode: MODE_NONE }
    }

    /// The store from which on readers wait.
    #[must_use]
    pub fn open(&mut self) -> Store {
        // To the next even number, two steps where it is even: a reader of an earlier odd one must not find that again.
        self.sequence = (self.sequence | 1).wrapping_add(1);
        (0, pair(self.sequence, self.mode))
    }

    /// The stores that make the opened page say `contents`, and let the readers go on.
    #[must_use]
    pub fn close(&mut self, contents: &Contents) -> [Store; Self::STORES] {
        self.mode = if contents.clock.is_some() { MODE_TSC } else { MODE_NONE };
        self.sequence |= u32::from(contents.clock.is_some());
        let clock = contents.clock.map_or([0; Clock::WORDS], |clock| clock.to_words());
        let time_zone = pair(contents.time_zone.0 as u32, contents.time_zone.1 as u32);
        let last = (0, pair(self.sequence, self.mode));
        let rest = [(SOURCES, pair(contents.cpu_source, 0)), (TIME_ZONE, time_zone), last];
        collected(words_at(ClockPage::RATE, clock).chain(rest))
    }
}

impl Default for Publisher {
    fn default() -> Self {
        Self::new()
    }
}

/// Two words of 32 bits as they lie in memory.
const fn pair(first: u32, second: u32) -> u64 {
    first as u64 | (second as u64) << 32
}

fn words_at<const N: usize>(offset: usize, words: [u64; N]) -> impl Iterator<Item = Store> {
    words.into_iter().enumerate().map(move |(index, word)| (offset + index * size_of::<u64>(), word))
}

fn collected<const N: usize>(mut stores: impl Iterator<Item = Store>) -> [Store; N] {
    // Never the default: the callers' counts are constants that add up, as the tests see.
    core::array::from_fn(|_| stores.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: usize = 4096;

    fn contents(clock: Option<Clock>) -> Contents {
        Contents { clock, cpu_source: 7, time_zone: (-60, 1) }
    }

    fn clock() -> Clock {
        Clock::starting(2_000_000_000, 12_345).unwrap()
    }

    #[test]
    fn the_clocks_fill_one_cache_line() {
        assert_eq!((ClockPage::RATE, SOURCES, TIME_ZONE), (8, 64, 72));
        assert!(size_of::<ClockPage>() <= PAGE);
    }

    #[test]
    fn readers_wait_from_the_first_store_to_the_last() {
        let mut publisher = Publisher::new();
        assert_eq!(publisher.open(), (0, 2));
        let stores = publisher.close(&contents(Some(clock())));
        let (last, words) = stores.split_last().unwrap();
        assert_eq!(*last, (0, 3 | 1 << 32));
        // Every word once, in order, and none is the sequence's.
        let offsets: Vec<usize> = words.iter().map(|store| store.0).collect();
        assert_eq!(offsets, (8..80).step_by(8).collect::<Vec<_>>());
        let clock_words: Vec<u64> = words.iter().take(Clock::WORDS).map(|store| store.1).collect();
        assert_eq!(clock_words, clock().to_words());
        assert_eq!(words.last(), Some(&(72, u64::from(-60_i32 as u32) | 1 << 32)));
        assert_eq!(publisher.open(), (0, 4 | 1 << 32));
    }

    proptest! {
        #[test]
        fn the_sequence_is_odd_while_there_is_a_clock_and_never_twice_the_same(
            start in prop_oneof![Just(0), Just(u32::MAX - 3), any::<u32>().prop_map(|word| word & !1)],
            steps in proptest::collection::vec(any::<bool>(), 1..20),
        ) {
            let mut publisher = Publisher { sequence: start, mode: MODE_NONE };
            let mut seen = vec![];
            for with in steps {
                let opened = publisher.open().1 as u32;
                prop_assert_eq!(opened & 1, 0);
                let last = publisher.close(&contents(with.then(clock))).last().copied().unwrap();
                prop_assert_eq!((last.0, last.1 >> 32, last.1 & 1), (0, u64::from(with), u64::from(with)));
                prop_assert!(!seen.contains(&last.1));
                seen.push(last.1);
            }
        }
    }
}
