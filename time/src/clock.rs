//! The clocks of `clock_gettime(2)`, from a cycle counter.

use crate::{NANOSECONDS_PER_SECOND, Ratio, Timespec};

/// How to read the clocks from the cycle counter. A plain value: the kernel keeps one under a sequence lock and publishes
/// [`Clock::to_words`] in the vDSO's page under another; readers on both sides copy it out and compute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// Cycles to nanoseconds.
    pub rate: Ratio,
    /// The counter when the monotonic clock showed `base_ns`.
    pub base_cycles: u64,
    /// Monotonic nanoseconds at `base_cycles`.
    pub base_ns: u64,
    /// What the real-time clock shows when the monotonic one shows zero.
    pub realtime_at_zero: Timespec,
    /// Seconds by which TAI is ahead of UTC (`adjtimex(2)`, ADJ_TAI).
    pub tai_offset: i32,
}

impl Clock {
    /// How many words [`Clock::to_words`] fills.
    pub const WORDS: usize = 7;

    /// A monotonic clock that shows zero at `cycles` of a counter of `hertz`, real time unknown (1970).
    /// `None` if `hertz` makes no clock: zero, or below one in two seconds.
    #[must_use]
    pub fn starting(hertz: u64, cycles: u64) -> Option<Self> {
        let rate = Ratio::between(hertz, NANOSECONDS_PER_SECOND)?;
        Some(Self { rate, base_cycles: cycles, base_ns: 0, realtime_at_zero: Timespec::ZERO, tai_offset: 0 })
    }

    /// Nanoseconds since boot. A counter that lags behind the base (another CPU's, by a little) reads as the base.
    #[inline]
    #[must_use]
    pub fn monotonic_ns(&self, cycles: u64) -> u64 {
        let passed = cycles.wrapping_sub(self.base_cycles);
        let passed = if (passed as i64) < 0 { 0 } else { passed };
        self.base_ns.wrapping_add(self.rate.apply(passed))
    }

    /// `CLOCK_MONOTONIC` (also `CLOCK_BOOTTIME`: there is no suspend).
    #[inline]
    #[must_use]
    pub fn monotonic(&self, cycles: u64) -> Timespec {
        Timespec::from_ns(self.monotonic_ns(cycles))
    }

    /// `CLOCK_REALTIME`.
    #[inline]
    #[must_use]
    pub fn realtime(&self, cycles: u64) -> Timespec {
        self.realtime_of(self.monotonic_ns(cycles))
    }

    /// What `CLOCK_REALTIME` shows at the monotonic instant `ns`.
    #[inline]
    #[must_use]
    pub fn realtime_of(&self, ns: u64) -> Timespec {
        self.realtime_at_zero.saturating_add_ns(ns)
    }

    /// `CLOCK_TAI`.
    #[inline]
    #[must_use]
    pub fn tai(&self, cycles: u64) -> Timespec {
        self.tai_of(self.monotonic_ns(cycles))
    }

    /// What `CLOCK_TAI` shows at the monotonic instant `ns`.
    #[inline]
    #[must_use]
    pub fn tai_of(&self, ns: u64) -> Timespec {
        self.realtime_of(ns).saturating_add(Timespec::from_seconds(i64::from(self.tai_offset)))
    }

    /// The monotonic instant at which the real-time clock will show `time`; zero if it has passed before boot, the greatest
    /// if it is out of range. For absolute timers of `CLOCK_REALTIME`, to be taken again when that clock is set.
    #[must_use]
    pub fn monotonic_of_realtime(&self, time: Timespec) -> u64 {
        time.saturating_sub(self.realtime_at_zero).to_ns_saturating()
    }

    /// The counter's value at the monotonic instant `ns`, rounded up, for a deadline timer; `to_cycles` is the inverse of
    /// `rate`. Saturates.
    #[must_use]
    pub fn cycles_at(&self, ns: u64, to_cycles: Ratio) -> u64 {
        let ahead = ns.saturating_sub(self.base_ns);
        self.base_cycles.saturating_add(to_cycles.apply(ahead).saturating_add(1))
    }

    /// Sets the real-time clock to `time` at `cycles` (`clock_settime(2)`). `None` (EINVAL) if `time` is not settable or
    /// would have the machine booted before 1970.
    #[must_use]
    pub fn with_realtime(mut self, time: Timespec, cycles: u64) -> Option<Self> {
        if !time.is_settable() {
            return None;
        }
        self.realtime_at_zero = time.checked_sub(self.monotonic(cycles)).filter(|zero| !zero.is_negative())?;
        Some(self)
    }

    /// The same clocks with the base moved up to `cycles`, running at `rate` from there.
    #[must_use]
    pub fn with_rate(mut self, rate: Ratio, cycles: u64) -> Self {
        self.base_ns = self.monotonic_ns(cycles);
        self.base_cycles = if (cycles.wrapping_sub(self.base_cycles) as i64) < 0 { self.base_cycles } else { cycles };
        self.rate = rate;
        self
    }

    /// The value as words, to be stored and loaded one by one.
    #[must_use]
    pub fn to_words(&self) -> [u64; Self::WORDS] {
        [
            self.rate.mult,
            u64::from(self.rate.shift),
            self.base_cycles,
            self.base_ns,
            self.realtime_at_zero.seconds() as u64,
            u64::from(self.realtime_at_zero.nanoseconds()),
            self.tai_offset as u32 as u64,
        ]
    }

    /// The inverse of [`Clock::to_words`]. Words torn by a concurrent update give a wrong clock, never a panic.
    #[inline]
    #[must_use]
    pub fn from_words(words: [u64; Self::WORDS]) -> Self {
        let [mult, shift, base_cycles, base_ns, seconds, nanoseconds, tai_offset] = words;
        Self {
            rate: Ratio { mult, shift: shift as u32 },
            base_cycles,
            base_ns,
            realtime_at_zero: Timespec::wrapped(seconds as i64, nanoseconds as u32),
            tai_offset: tai_offset as i32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clock() -> Clock {
        Clock::starting(2_500_000_000, 1_000_000).unwrap()
    }

    #[test]
    fn clocks_agree_with_the_counter() {
        let now = 1_000_000 + 5 * 2_500_000_000;
        assert!(clock().monotonic_ns(now).abs_diff(5_000_000_000) <= 1);
        assert_eq!(clock().monotonic_ns(999_000), 0);
        let time = Timespec::new(1_700_000_000, 5).unwrap();
        let set = clock().with_realtime(time, now).unwrap();
        assert_eq!(set.realtime(now), time);
        assert_eq!(set.tai(now), time);
        assert_eq!(set.monotonic(now), clock().monotonic(now));
        assert_eq!(set.monotonic_of_realtime(set.realtime(now)), set.monotonic_ns(now));
        assert_eq!(set.monotonic_of_realtime(Timespec::ZERO), 0);
    }

    #[test]
    fn times_that_cannot_be_set_are_refused() {
        let now = 1_000_000 + 5 * 2_500_000_000;
        for (seconds, nanoseconds) in [(-1, 0), (4, 0), (i64::MAX, 0), (i64::MAX / 1_000_000_000 - 1, 0)] {
            let time = Timespec::new(seconds, nanoseconds).unwrap();
            assert_eq!(clock().with_realtime(time, now), None, "{time:?}");
        }
    }

    #[test]
    fn a_new_rate_does_not_make_time_jump() {
        let now = 77_000_000_000;
        let slower = clock().with_rate(clock().rate.adjusted(-2_000_000), now);
        assert_eq!(slower.monotonic_ns(now), clock().monotonic_ns(now));
        assert!(slower.monotonic_ns(now * 2) < clock().monotonic_ns(now * 2));
    }

    #[test]
    fn a_deadline_in_cycles_is_never_early() {
        let clock = clock();
        let inverse = Ratio::between(NANOSECONDS_PER_SECOND, 2_500_000_000).unwrap();
        for ns in [0, 1, 999, 1_000_000_007, 86_400_000_000_000] {
            let cycles = clock.cycles_at(ns, inverse);
            assert!(clock.monotonic_ns(cycles) >= ns.saturating_sub(1));
            assert!(clock.monotonic_ns(cycles) <= ns + 100);
        }
    }

    proptest! {
        #[test]
        fn words_carry_everything(mult: u64, shift in 0u32..64, cycles: u64, ns: u64, seconds: i64, tai_offset: i32) {
            let realtime_at_zero = Timespec::new(seconds, 999_999_999).unwrap();
            let rate = Ratio { mult, shift };
            let clock = Clock { rate, base_cycles: cycles, base_ns: ns, realtime_at_zero, tai_offset };
            prop_assert_eq!(Clock::from_words(clock.to_words()), clock);
        }

        #[test]
        fn torn_words_do_not_panic(words: [u64; Clock::WORDS], cycles: u64) {
            let _ = Clock::from_words(words).tai(cycles);
            let _ = Clock::from_words(words).monotonic_of_realtime(Timespec::ZERO);
        }
    }
}
