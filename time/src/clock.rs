//! The clocks of `clock_gettime(2)`, from a cycle counter.

use crate::{Moment, NANOSECONDS_PER_SECOND, Timespec};

/// How to read the clocks from the cycle counter. A plain value: the kernel keeps one under a sequence lock and publishes
/// [`Clock::to_words`] in the vDSO's page under another; readers on both sides make the same [`Moment`] of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// What a cycle takes, in parts of 2^64 of a second.
    pub rate: u64,
    /// The counter when the clocks showed what follows.
    pub base_cycles: u64,
    pub monotonic: Moment,
    pub realtime: Moment,
    /// Seconds by which TAI is ahead of UTC (`adjtimex(2)`, ADJ_TAI).
    pub tai_offset: i32,
}

impl Clock {
    /// How many words [`Clock::to_words`] fills.
    pub const WORDS: usize = 7;

    /// Before the rate is known: a counter of nanoseconds.
    pub const UNKNOWN: Self = Self {
        rate: u64::MAX / NANOSECONDS_PER_SECOND,
        base_cycles: 0,
        monotonic: Moment::ZERO,
        realtime: Moment::ZERO,
        tai_offset: 0,
    };

    /// A monotonic clock that shows zero at `cycles` of a counter of `hertz`, real time unknown (1970).
    /// `None` if `hertz` makes no clock: below two. The rate's error is below one part in 2^32 up to 8 GHz.
    #[must_use]
    pub fn starting(hertz: u64, cycles: u64) -> Option<Self> {
        let rounded = ((1_u128 << 64) + u128::from(hertz) / 2).checked_div(u128::from(hertz))?;
        let rate = u64::try_from(rounded).ok()?;
        Some(Self { rate, base_cycles: cycles, monotonic: Moment::ZERO, realtime: Moment::ZERO, tai_offset: 0 })
    }

    /// Cycles since the base. A counter that lags behind it (another CPU's, by a little) reads as the base.
    #[inline(always)]
    #[must_use]
    pub const fn passed(base_cycles: u64, cycles: u64) -> u64 {
        let passed = cycles.wrapping_sub(base_cycles);
        if (passed as i64) < 0 { 0 } else { passed }
    }

    #[inline(always)]
    fn at(&self, base: Moment, cycles: u64) -> Moment {
        base.after(Self::passed(self.base_cycles, cycles), self.rate)
    }

    /// Nanoseconds since boot.
    #[inline]
    #[must_use]
    pub fn monotonic_ns(&self, cycles: u64) -> u64 {
        self.monotonic(cycles).to_ns()
    }

    /// `CLOCK_MONOTONIC` (also `CLOCK_BOOTTIME`: there is no suspend).
    #[inline]
    #[must_use]
    pub fn monotonic(&self, cycles: u64) -> Moment {
        self.at(self.monotonic, cycles)
    }

    /// `CLOCK_REALTIME`.
    #[inline]
    #[must_use]
    pub fn realtime(&self, cycles: u64) -> Moment {
        self.at(self.realtime, cycles)
    }

    /// `CLOCK_TAI`.
    #[must_use]
    pub fn tai(&self, cycles: u64) -> Moment {
        self.realtime(cycles).wrapping_add(Moment::from_words(0, i64::from(self.tai_offset) as u64))
    }

    /// What the real-time clock shows when the monotonic one shows zero.
    fn offset(&self) -> Moment {
        self.realtime.wrapping_sub(self.monotonic)
    }

    /// The monotonic instant from which the real-time clock shows `time` or more; zero if that was before boot, the greatest
    /// if it is out of range. For absolute timers of `CLOCK_REALTIME`, to be taken again when that clock is set.
    #[must_use]
    pub fn monotonic_of_realtime(&self, time: Timespec) -> u64 {
        let moment = Moment::from_timespec(time);
        if time.is_negative() || moment <= self.offset() { 0 } else { moment.wrapping_sub(self.offset()).to_ns_up() }
    }

    /// Sets the real-time clock to `time` at `cycles` (`clock_settime(2)`). `None` (EINVAL) if `time` is not settable or
    /// would have the machine booted before 1970.
    #[must_use]
    pub fn with_realtime(mut self, time: Timespec, cycles: u64) -> Option<Self> {
        if !time.is_settable() {
            return None;
        }
        // Whole nanoseconds, so that both clocks step to their next one together.
        let zero = time.checked_sub(self.monotonic(cycles).to_timespec()).filter(|zero| !zero.is_negative())?;
        self.realtime = self.monotonic.wrapping_add(Moment::from_timespec(zero));
        Some(self)
    }

    /// The same clocks with the base moved up to `cycles`, running at `rate` from there.
    #[must_use]
    pub fn with_rate(self, rate: u64, cycles: u64) -> Self {
        let base_cycles = self.base_cycles.wrapping_add(Self::passed(self.base_cycles, cycles));
        Self { rate, base_cycles, monotonic: self.monotonic(cycles), realtime: self.realtime(cycles), ..self }
    }

    /// The value as words, to be stored and loaded one by one.
    #[must_use]
    pub fn to_words(&self) -> [u64; Self::WORDS] {
        let ([low, high], [real_low, real_high]) = (self.monotonic.to_words(), self.realtime.to_words());
        [self.rate, self.base_cycles, low, high, real_low, real_high, self.tai_offset as u32 as u64]
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
        assert_eq!(set.realtime(now).to_timespec(), time);
        assert_eq!(set.tai(now), set.realtime(now));
        let ahead = Clock { tai_offset: -7, ..set };
        assert_eq!(ahead.tai(now).to_timespec(), Timespec::new(1_699_999_993, 5).unwrap());
        assert_eq!(set.monotonic(now), clock().monotonic(now));
        assert_eq!(set.monotonic_of_realtime(Timespec::ZERO), 0);
        assert_eq!(set.monotonic_of_realtime(Timespec::MIN), 0);
        assert_eq!(set.monotonic_of_realtime(Timespec::MAX), i64::MAX as u64);
    }

    #[test]
    fn a_rate_must_be_a_rate() {
        assert_eq!(Clock::starting(0, 0), None);
        assert_eq!(Clock::starting(1, 0), None);
        assert!(Clock::starting(2, 0).is_some());
        assert!(Clock::starting(u64::MAX, 0).is_some());
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
        let slower = clock().with_rate(clock().rate - clock().rate / 2000, now);
        assert_eq!((slower.monotonic(now), slower.realtime(now)), (clock().monotonic(now), clock().realtime(now)));
        assert!(slower.monotonic_ns(now * 2) < clock().monotonic_ns(now * 2));
        assert_eq!(clock().with_rate(clock().rate, 5), clock(), "the base never moves back");
    }

    const YEAR: u64 = 365 * 86_400;

    proptest! {
        #[test]
        fn a_year_of_cycles_converts_within_ten_milliseconds(hertz in 1_000_000u64..8_000_000_000, seconds in 0..YEAR) {
            let clock = Clock::starting(hertz, 99).unwrap();
            let ns = clock.monotonic_ns(99 + seconds * hertz);
            prop_assert!(ns.abs_diff(seconds * 1_000_000_000) <= 10_000_000, "{ns}");
        }

        #[test]
        fn a_timer_of_real_time_is_not_early(
            hertz in 1_000_000u64..8_000_000_000,
            set in 0..1_u64 << 60,
            nanoseconds in 0..1_000_000_000_i64,
            ahead in 0..1_u64 << 40,
        ) {
            let time = Timespec::new(9_000_000_000, nanoseconds).unwrap();
            let Some(clock) = Clock::starting(hertz, 0).unwrap().with_realtime(time, set) else { return Ok(()) };
            let wanted = time.checked_add(Timespec::from_ns(ahead)).unwrap();
            let deadline = clock.monotonic_of_realtime(wanted);
            // The counter's first value at which the monotonic clock shows the deadline.
            let from = |cycles: u64| clock.monotonic_ns(cycles) >= deadline;
            let mut cycles = set.saturating_add((u128::from(ahead) * u128::from(hertz) / 1_000_000_000) as u64);
            while !from(cycles) { cycles += hertz / 1_000_000_000 + 1; }
            prop_assert!(clock.realtime(cycles).to_timespec() >= wanted);
            prop_assert!(deadline <= clock.monotonic_ns(set) + ahead + 1);
        }
    }
}
