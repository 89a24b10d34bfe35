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
/// stands around the stores too. Linux answers a clock from the system call and from the page alike: publish under the lock
/// under which the kernel's own clock is changed.
#[derive(Debug)]
pub struct Publisher {
    sequence: u32,
    mode: u32,
}

impl Publisher {
    /// How many stores change everything.
    pub const STORES: usize = 2 + Clock::WORDS + 4 + 2;
    /// How many stores a tick makes.
    pub const COARSE_STORES: usize = 2 + 4;

    /// For a page of zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self { sequence: 0, mode: MODE_NONE }
    }

    /// The stores that make the page say `contents`, in this order.
    #[must_use]
    pub fn update(&mut self, contents: &Contents) -> [Store; Self::STORES] {
        let mut stores = [(0, 0); Self::STORES];
        let clock = contents.clock.map_or([0; Clock::WORDS], |clock| clock.to_words());
        let coarse = contents.coarse.map_or([0; 4], |coarse| coarse.words());
        let sources = pair(u32::from(contents.coarse.is_some()), contents.cpu_source);
        let time_zone = pair(contents.time_zone.0 as u32, contents.time_zone.1 as u32);
        let words = words_at(CLOCK, clock).chain(words_at(COARSE, coarse)).chain([(SOURCES, sources), (TIME_ZONE, time_zone)]);
        self.enclose(if contents.clock.is_some() { MODE_TSC } else { MODE_NONE }, words, &mut stores);
        stores
    }

    /// The stores of a tick: the coarse clocks alone, of a page whose last [`Contents`] had them.
    #[must_use]
    pub fn tick(&mut self, coarse: &Coarse) -> [Store; Self::COARSE_STORES] {
        let mut stores = [(0, 0); Self::COARSE_STORES];
        self.enclose(self.mode, words_at(COARSE, coarse.words()), &mut stores);
        stores
    }

    /// Puts `words` between the two stores that open and close an update.
    fn enclose(&mut self, mode: u32, words: impl Iterator<Item = Store>, stores: &mut [Store]) {
        let open = (0, pair(self.sequence.wrapping_add(1), self.mode));
        (self.sequence, self.mode) = (self.sequence.wrapping_add(2), mode);
        let close = (0, pair(self.sequence, mode));
        for (place, store) in stores.iter_mut().zip([open].into_iter().chain(words).chain([close])) {
            *place = store;
        }
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
