//! The layout, and how it is read.

use super::{CPU_SOURCE_NONE, MODE_TSC};
use crate::{Clock, Moment};
use core::hint::{cold_path, spin_loop};
use core::mem::offset_of;
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering, fence};

/// The cycle counter, as this side reads it.
pub trait Counter: Copy {
    /// The counter, not read before the loads that precede the call, and not moved by the compiler across any.
    fn cycles(self) -> u64;

    /// What the clock shows now whose base is at the offset `BASE` of the page: as [`Clock`] has it, of words that may be torn.
    #[inline(always)]
    fn moment<const BASE: usize>(self, page: &ClockPage) -> Moment {
        let cycles = self.cycles();
        let base = if BASE == ClockPage::MONOTONIC { &page.monotonic } else { &page.realtime };
        let [fraction, seconds] = [0, 1].map(|index| base[index].load(Ordering::Relaxed));
        let passed = Clock::passed(page.base_cycles.load(Ordering::Relaxed), cycles);
        Moment::from_words(fraction, seconds).after(passed, page.rate.load(Ordering::Relaxed))
    }
}

/// The page's beginning. What the clocks need is the first cache line; its words are those of [`Clock::to_words`].
#[repr(C, align(64))]
#[derive(Default)]
pub struct ClockPage {
    /// Even while the kernel writes, or has nothing to say.
    pub(super) sequence: AtomicU32,
    pub(super) mode: AtomicU32,
    rate: AtomicU64,
    base_cycles: AtomicU64,
    monotonic: [AtomicU64; 2],
    realtime: [AtomicU64; 2],
    tai_offset: AtomicU64,
    pub(super) cpu_source: AtomicU32,
    reserved: AtomicU32,
    /// `struct timezone` (`settimeofday(2)`).
    pub(super) minutes_west: AtomicI32,
    pub(super) daylight_saving: AtomicI32,
}

impl ClockPage {
    /// Where the words of [`Clock::to_words`] are: [`Clock::rate`], the counter at the base, and what the clocks showed then
    /// (fraction, seconds).
    pub const RATE: usize = offset_of!(Self, rate);
    pub const BASE_CYCLES: usize = offset_of!(Self, base_cycles);
    pub const MONOTONIC: usize = offset_of!(Self, monotonic);
    pub const REALTIME: usize = offset_of!(Self, realtime);

    /// `CLOCK_MONOTONIC`. `None`: ask the kernel. Spins while the kernel writes.
    #[inline(always)]
    pub fn monotonic(&self, counter: impl Counter) -> Option<Moment> {
        self.unchanged(|page| counter.moment::<{ Self::MONOTONIC }>(page))
    }

    /// `CLOCK_REALTIME`; as [`ClockPage::monotonic`].
    #[inline(always)]
    pub fn realtime(&self, counter: impl Counter) -> Option<Moment> {
        self.unchanged(|page| page.realtime_now(counter))
    }

    /// `CLOCK_TAI`; as [`ClockPage::monotonic`].
    #[inline(always)]
    pub fn tai(&self, counter: impl Counter) -> Option<Moment> {
        let with_offset = |page: &Self| (page.realtime_now(counter), page.tai_offset.load(Ordering::Relaxed));
        let (realtime, offset) = self.unchanged(with_offset)?;
        Some(realtime.wrapping_add(Moment::from_words(0, i64::from(offset as i32) as u64)))
    }

    #[inline(always)]
    fn realtime_now(&self, counter: impl Counter) -> Moment {
        counter.moment::<{ Self::REALTIME }>(self)
    }

    /// Whether the clocks are kept here.
    #[inline(always)]
    pub fn has_clocks(&self) -> bool {
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

    /// What `read` makes of the page while no update comes between; `None` where no clocks are kept. `read` may see torn words;
    /// its answer is then dropped.
    #[inline(always)]
    fn unchanged<T>(&self, read: impl Fn(&Self) -> T) -> Option<T> {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before & 1 == 0 {
                cold_path();
                if !self.has_clocks() {
                    return None;
                }
            } else {
                let answer = read(self);
                fence(Ordering::Acquire);
                if self.sequence.load(Ordering::Relaxed) == before {
                    return Some(answer);
                }
                cold_path();
            }
            spin_loop();
        }
    }
}
