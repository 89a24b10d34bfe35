//! Instants as binary fractions.

use crate::{NANOSECONDS_PER_SECOND, TICK_NS, TICKS_PER_SECOND, Timespec};

/// Seconds in the high 64 bits, parts of 2^64 of a second in the low ones.
///
/// A count of cycles becomes one by a single multiplication, and its seconds need no division: they are a word. The
/// nanoseconds are the high half of another product. A part is 54 zeptoseconds, so bases add up without an error that shows.
/// All arithmetic wraps, so that words torn by a concurrent update give a wrong instant, never a panic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Moment(u128);

/// The whole units in a fraction of a second, with so many units in a second.
#[inline(always)]
const fn units(fraction: u64, in_a_second: u64) -> u64 {
    (((fraction as u128) * (in_a_second as u128)) >> 64) as u64
}

impl Moment {
    pub const ZERO: Self = Self(0);

    #[inline(always)]
    #[must_use]
    pub const fn from_words(fraction: u64, seconds: u64) -> Self {
        Self((seconds as u128) << 64 | fraction as u128)
    }

    /// The fraction, and the seconds.
    #[must_use]
    pub const fn to_words(self) -> [u64; 2] {
        [self.0 as u64, (self.0 >> 64) as u64]
    }

    /// The first instant of the nanosecond `time`.
    #[must_use]
    pub const fn from_timespec(time: Timespec) -> Self {
        // 2^64 parts are so many in each nanosecond, and a rest that is less than one.
        const WHOLE: u64 = u64::MAX / NANOSECONDS_PER_SECOND;
        const REST: u64 = u64::MAX % NANOSECONDS_PER_SECOND + 1;
        let nanoseconds = time.nanoseconds() as u64;
        let parts = nanoseconds * WHOLE + (nanoseconds * REST).div_ceil(NANOSECONDS_PER_SECOND);
        Self::from_words(parts, time.seconds() as u64)
    }

    /// This, and `cycles` of a counter of which one takes `rate` parts of a second.
    #[inline(always)]
    #[must_use]
    pub const fn after(self, cycles: u64, rate: u64) -> Self {
        Self(self.0.wrapping_add(cycles as u128 * rate as u128))
    }

    #[must_use]
    pub const fn wrapping_add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    #[must_use]
    pub const fn wrapping_sub(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }

    #[inline(always)]
    #[must_use]
    pub const fn seconds(self) -> i64 {
        (self.0 >> 64) as i64
    }

    /// Nanoseconds of the second, rounded down; below a thousand million.
    #[inline(always)]
    #[must_use]
    pub const fn nanoseconds(self) -> u64 {
        units(self.0 as u64, NANOSECONDS_PER_SECOND)
    }

    /// Microseconds of the second, rounded down.
    #[inline(always)]
    #[must_use]
    pub const fn microseconds(self) -> u64 {
        units(self.0 as u64, 1_000_000)
    }

    /// Nanoseconds of the second at the last tick: a tick begins with each second, and every 4 ms.
    #[inline(always)]
    #[must_use]
    pub const fn coarse_nanoseconds(self) -> u64 {
        units(self.0 as u64, TICKS_PER_SECOND) * TICK_NS
    }

    #[inline]
    #[must_use]
    pub const fn to_timespec(self) -> Timespec {
        Timespec::from_second(self.seconds(), self.nanoseconds() as u32)
    }

    /// The instant of the last tick.
    #[must_use]
    pub const fn to_coarse(self) -> Timespec {
        Timespec::from_second(self.seconds(), self.coarse_nanoseconds() as u32)
    }

    /// Nanoseconds, rounded down; wraps after five centuries.
    #[inline]
    #[must_use]
    pub const fn to_ns(self) -> u64 {
        (self.seconds() as u64).wrapping_mul(NANOSECONDS_PER_SECOND).wrapping_add(self.nanoseconds())
    }

    /// The first whole nanosecond that is not before this; `i64::MAX`, which is never, beyond that.
    #[must_use]
    pub const fn to_ns_up(self) -> u64 {
        let exact = (self.0 as u64) == 0 || Self::from_timespec(self.to_timespec()).0 == self.0;
        let down = self.to_timespec().to_ns_saturating();
        if exact || down >= i64::MAX as u64 { down } else { down + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_moment_before_a_nanosecond_is_not_it_yet() {
        let time = Timespec::new(5, 1).unwrap();
        let moment = Moment::from_timespec(time);
        assert_eq!(moment.to_timespec(), time);
        assert_eq!(moment.to_ns_up(), 5_000_000_001);
        let before = moment.wrapping_sub(Moment(1));
        assert_eq!((before.to_timespec(), before.to_ns_up()), (Timespec::from_seconds(5), 5_000_000_001));
        assert_eq!(moment.wrapping_add(Moment(1)).to_ns_up(), 5_000_000_002);
        assert_eq!(Moment::from_timespec(Timespec::MAX).to_ns_up(), i64::MAX as u64);
    }

    proptest! {
        #[test]
        fn a_nanosecond_survives(seconds: i64, nanoseconds in 0..1_000_000_000_i64) {
            let time = Timespec::new(seconds, nanoseconds).unwrap();
            let moment = Moment::from_timespec(time);
            prop_assert_eq!(moment.to_timespec(), time);
            prop_assert_eq!(moment.microseconds(), nanoseconds as u64 / 1000);
            prop_assert_eq!(i64::from(moment.to_coarse().nanoseconds()), nanoseconds / 4_000_000 * 4_000_000);
            let [fraction, word] = moment.to_words();
            prop_assert_eq!(Moment::from_words(fraction, word), moment);
        }

        #[test]
        fn rounding_up_is_never_early(seconds in 0..9_000_000_000_u64, fraction: u64) {
            let moment = Moment::from_words(fraction, seconds);
            let ns = moment.to_ns_up();
            prop_assert!(Moment::from_timespec(Timespec::from_ns(ns)) >= moment);
            prop_assert!(ns - moment.to_ns() <= 1);
        }
    }
}
