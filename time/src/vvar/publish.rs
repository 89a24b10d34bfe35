//! The kernel's side: what to store where, in which order.

use super::{ClockPage, MODE_NONE, MODE_TSC};
use crate::{Clock, Timespec};
use core::mem::offset_of;

/// A word, and its offset in the page in bytes (a multiple of eight).
pub type Store = (usize, u64);

/// The clocks as of the last tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Coarse {
    pub realtime: Timespec,
    pub monotonic: Timespec,
}

impl Coarse {
    /// The coarse clocks at `cycles`.
    #[must_use]
    pub fn at(clock: &Clock, cycles: u64) -> Self {
        Self { realtime: clock.realtime(cycles), monotonic: clock.monotonic(cycles) }
    }

    fn words(&self) -> [u64; 4] {
        let words = |time: Timespec| (time.seconds() as u64, u64::from(time.nanoseconds()));
        let ((seconds, nanoseconds), (up, up_nanoseconds)) = (words(self.realtime), words(self.monotonic));
        [seconds, nanoseconds, up, up_nanoseconds]
    }
}

/// All that the page says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Contents {
    /// `None` where user mode must not read the counter.
    pub clock: Option<Clock>,
    /// `None` where no tick keeps them: programs then ask the kernel.
    pub coarse: Option<Coarse>,
    /// One of the `CPU_SOURCE` constants.
    pub cpu_source: u32,
    /// Minutes west of Greenwich, and the kind of daylight saving (`settimeofday(2)`).
    pub time_zone: (i32, i32),
}

const CLOCK: usize = offset_of!(ClockPage, clock);
const COARSE: usize = offset_of!(ClockPage, coarse);
const SOURCES: usize = offset_of!(ClockPage, has_coarse);
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
    /// How many stores follow the first where everything may change.
    pub const STORES: usize = Clock::WORDS + 4 + 2 + 1;
    /// How many stores a tick makes.
    pub const TICK_STORES: usize = 1 + 4 + 1;

    /// For a page of zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self { sequence: 0, mode: MODE_NONE }
    }

    /// The store from which on readers wait.
    #[must_use]
    pub fn open(&mut self) -> Store {
        self.sequence |= 1;
        (0, pair(self.sequence, self.mode))
    }

    /// The stores that make the opened page say `contents`, and let the readers go on.
    #[must_use]
    pub fn close(&mut self, contents: &Contents) -> [Store; Self::STORES] {
        self.mode = if contents.clock.is_some() { MODE_TSC } else { MODE_NONE };
        let clock = contents.clock.map_or([0; Clock::WORDS], |clock| clock.to_words());
        let coarse = contents.coarse.map_or([0; 4], |coarse| coarse.words());
        let sources = pair(u32::from(contents.coarse.is_some()), contents.cpu_source);
        let time_zone = pair(contents.time_zone.0 as u32, contents.time_zone.1 as u32);
        let rest = [(SOURCES, sources), (TIME_ZONE, time_zone), self.last()];
        collected(words_at(CLOCK, clock).chain(words_at(COARSE, coarse)).chain(rest))
    }

    /// All stores of a tick, the opening one included: the coarse clocks alone, of a page whose last [`Contents`] had them.
    #[must_use]
    pub fn tick(&mut self, coarse: &Coarse) -> [Store; Self::TICK_STORES] {
        let open = self.open();
        let last = self.last();
        collected([open].into_iter().chain(words_at(COARSE, coarse.words())).chain([last]))
    }

    /// The store from which on readers need not wait.
    fn last(&mut self) -> Store {
        self.sequence = (self.sequence | 1).wrapping_add(1);
        (0, pair(self.sequence, self.mode))
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

    fn contents(clock: Option<Clock>, coarse: Option<Coarse>) -> Contents {
        Contents { clock, coarse, cpu_source: 7, time_zone: (-60, 1) }
    }

    fn clock() -> Clock {
        Clock::starting(2_000_000_000, 12_345).unwrap()
    }

    #[test]
    fn the_exact_clocks_fill_one_cache_line() {
        assert_eq!((CLOCK, COARSE, SOURCES, TIME_ZONE), (8, 64, 96, 104));
        assert!(size_of::<ClockPage>() <= PAGE);
    }

    #[test]
    fn readers_wait_from_the_first_store_to_the_last() {
        let mut publisher = Publisher::new();
        let open = publisher.open();
        assert_eq!(open, (0, 1));
        let stores = publisher.close(&contents(Some(clock()), Some(Coarse::at(&clock(), 99_999))));
        let (last, words) = stores.split_last().unwrap();
        assert_eq!(*last, (0, 2 | 1 << 32));
        // Every word once, in order, and none is the sequence's.
        let offsets: Vec<usize> = words.iter().map(|store| store.0).collect();
        assert_eq!(offsets, (8..112).step_by(8).collect::<Vec<_>>());
        let clock_words: Vec<u64> = words.iter().take(Clock::WORDS).map(|store| store.1).collect();
        assert_eq!(clock_words, clock().to_words());
        assert_eq!(words.last(), Some(&(104, u64::from(-60_i32 as u32) | 1 << 32)));
    }

    #[test]
    fn a_tick_keeps_the_mode_and_the_sequence_wraps() {
        let mut publisher = Publisher { sequence: u32::MAX - 1, mode: MODE_TSC };
        let coarse = Coarse { realtime: Timespec::new(7, 8).unwrap(), monotonic: Timespec::new(9, 10).unwrap() };
        let stores = publisher.tick(&coarse);
        let odd = u64::from(u32::MAX) | 1 << 32;
        assert_eq!(stores, [(0, odd), (64, 7), (72, 8), (80, 9), (88, 10), (0, 1 << 32)]);
    }

    proptest! {
        #[test]
        fn the_sequence_is_even_after_every_update(steps in proptest::collection::vec(any::<bool>(), 1..20)) {
            let mut publisher = Publisher::new();
            for (index, tick) in steps.into_iter().enumerate() {
                let coarse = Coarse::at(&clock(), 50_000);
                let last = if tick {
                    publisher.tick(&coarse).last().copied()
                } else {
                    prop_assert_eq!(publisher.open().1 as u32 & 1, 1);
                    publisher.close(&contents(None, Some(coarse))).last().copied()
                };
                prop_assert_eq!(last, Some((0, 2 * (index as u64 + 1))));
            }
        }
    }
}
