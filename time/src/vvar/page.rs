//! The layout, and how it is read.

use super::{CPU_SOURCE_NONE, MODE_TSC};
use crate::{Clock, Timespec};
use core::hint::{cold_path, spin_loop};
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering, fence};

/// The cycle counter, as this side reads it.
pub trait Counter: Copy {
    /// The counter, not read before the loads that precede the call, and not moved by the compiler across any.
    fn cycles(self) -> u64;

    /// The same value; the compiler must not form it later, where it would have to carry all the parts along.
    fn settle(self, nanoseconds: u64) -> u64 {
        nanoseconds
    }
}

/// The page's beginning. What the exact clocks need is the first cache line.
#[repr(C, align(64))]
#[derive(Default)]
pub struct ClockPage {
    /// Odd while the kernel writes.
    pub(super) sequence: AtomicU32,
    pub(super) mode: AtomicU32,
    /// [`Clock::to_words`].
    pub(super) clock: [AtomicU64; Clock::WORDS],
    /// Seconds and nanoseconds of `CLOCK_REALTIME_COARSE`, then of `CLOCK_MONOTONIC_COARSE`.
    pub(super) coarse: [AtomicU64; 4],
    /// Whether `coarse` is kept.
    pub(super) has_coarse: AtomicU32,
    pub(super) cpu_source: AtomicU32,
    /// `struct timezone` (`settimeofday(2)`).
    pub(super) minutes_west: AtomicI32,
    pub(super) daylight_saving: AtomicI32,
}

impl ClockPage {
    /// `CLOCK_MONOTONIC`. `None`: ask the kernel. Spins while the kernel writes.
    #[inline(always)]
    pub fn monotonic(&self, counter: impl Counter) -> Option<Timespec> {
        self.exact(|page| page.now(counter)).map(Timespec::from_ns)
    }

    /// `CLOCK_REALTIME`; as [`ClockPage::monotonic`].
    #[inline(always)]
    pub fn realtime(&self, counter: impl Counter) -> Option<Timespec> {
        let (ns, clock) = self.exact(|page| (page.now(counter), page.realtime_base()))?;
        Some(clock.realtime_of(ns))
    }

    /// `CLOCK_TAI`; as [`ClockPage::monotonic`].
    #[inline(always)]
    pub fn tai(&self, counter: impl Counter) -> Option<Timespec> {
        let (ns, clock) = self.exact(|page| (page.now(counter), page.tai_base()))?;
        Some(clock.tai_of(ns))
    }

    /// `CLOCK_REALTIME_COARSE`. `None`: ask the kernel.
    #[inline(always)]
    pub fn realtime_coarse(&self) -> Option<Timespec> {
        self.coarse(0)
    }

    /// `CLOCK_MONOTONIC_COARSE`. `None`: ask the kernel.
    #[inline(always)]
    pub fn monotonic_coarse(&self) -> Option<Timespec> {
        self.coarse(2)
    }

    /// What `time(2)` answers, where the coarse clocks are kept: one word, so whole without the sequence.
    #[inline(always)]
    pub fn coarse_seconds(&self) -> Option<i64> {
        self.has_coarse().then(|| self.coarse[0].load(Ordering::Relaxed) as i64)
    }

    /// Whether the coarse clocks are kept here.
    #[inline(always)]
    pub fn has_coarse(&self) -> bool {
        self.has_coarse.load(Ordering::Relaxed) != 0
    }

    /// Whether the exact clocks are kept here.
    #[inline(always)]
    pub fn has_exact(&self) -> bool {
        self.mode.load(Ordering::Relaxed) == MODE_TSC
    }

    /// How to learn the CPU: one of the `CPU_SOURCE` constants; `None`: ask the kernel.
    #[inline(always)]
    pub fn cpu_source(&self) -> Option<u32> {
        Some(self.cpu_source.load(Ordering::Relaxed)).filter(|&source| source != CPU_SOURCE_NONE)
    }

    /// Minutes west of Greenwich, and the kind of daylight saving.
    #[inline(always)]
    pub fn time_zone(&self) -> (i32, i32) {
        (self.minutes_west.load(Ordering::Relaxed), self.daylight_saving.load(Ordering::Relaxed))
    }

    #[inline(always)]
    fn exact<T>(&self, read: impl Fn(&Self) -> T) -> Option<T> {
        self.unchanged(Self::has_exact, read)
    }

    #[inline(always)]
    fn coarse(&self, first: usize) -> Option<Timespec> {
        self.unchanged(Self::has_coarse, |page| {
            let [seconds, nanoseconds] = [first, first + 1].map(|index| page.coarse[index].load(Ordering::Relaxed));
            Timespec::wrapped(seconds as i64, nanoseconds as u32)
        })
    }

    /// What `read` makes of the page while no update comes between. `read` may see torn words; its answer is then dropped.
    #[inline(always)]
    fn unchanged<T>(&self, available: impl Fn(&Self) -> bool, read: impl Fn(&Self) -> T) -> Option<T> {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before & 1 == 0 {
                if !available(self) {
                    cold_path();
                    return None;
                }
                let answer = read(self);
                fence(Ordering::Acquire);
                if self.sequence.load(Ordering::Relaxed) == before {
                    return Some(answer);
                }
            }
            cold_path();
            spin_loop();
        }
    }

    /// Monotonic nanoseconds. The counter comes first, then the words: so few registers are needed that none must be saved.
    #[inline(always)]
    fn now(&self, counter: impl Counter) -> u64 {
        let cycles = counter.cycles();
        let word = |index: usize| self.clock[index].load(Ordering::Relaxed);
        let clock = Clock::from_words([word(0), word(1), word(2), word(3), 0, 0, 0]);
        counter.settle(clock.monotonic_ns(cycles))
    }

    /// What the real-time clock needs beyond; the rest is zero.
    #[inline(always)]
    fn realtime_base(&self) -> Clock {
        let word = |index: usize| self.clock[index].load(Ordering::Relaxed);
        Clock::from_words([0, 0, 0, 0, word(4), word(5), 0])
    }

    /// What `CLOCK_TAI` needs beyond; the rest is zero.
    #[inline(always)]
    fn tai_base(&self) -> Clock {
        let tai_offset = self.clock[6].load(Ordering::Relaxed) as i32;
        Clock { tai_offset, ..self.realtime_base() }
    }
}
