//! Seconds and nanoseconds as user space writes them (`timespec(3type)`).

use crate::NANOSECONDS_PER_SECOND;

const NANOSECONDS: u32 = NANOSECONDS_PER_SECOND as u32;

/// The most seconds that fit an `i64` of nanoseconds (`KTIME_SEC_MAX`).
const MOST_SECONDS: i64 = i64::MAX / NANOSECONDS_PER_SECOND as i64;

/// The real-time clock may not be set to less than thirty years before its end (`TIME_UPTIME_SEC_MAX`).
const SETTABLE_SECONDS: i64 = MOST_SECONDS - 30 * 365 * 24 * 3600;

/// An instant or a length of time; the nanoseconds are below a thousand million and count upwards even if the seconds are
/// negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Timespec {
    seconds: i64,
    nanoseconds: u32,
}

impl Timespec {
    pub const ZERO: Self = Self { seconds: 0, nanoseconds: 0 };
    pub const MAX: Self = Self { seconds: i64::MAX, nanoseconds: NANOSECONDS - 1 };
    pub const MIN: Self = Self { seconds: i64::MIN, nanoseconds: 0 };

    /// From user space's two numbers. `None` (EINVAL) if the nanoseconds are not 0 to 999,999,999.
    #[must_use]
    pub const fn new(seconds: i64, nanoseconds: i64) -> Option<Self> {
        if nanoseconds < 0 || nanoseconds >= NANOSECONDS as i64 {
            return None;
        }
        Some(Self { seconds, nanoseconds: nanoseconds as u32 })
    }

    /// A length of time or an absolute deadline; `None` (EINVAL) also if it is negative, as `nanosleep(2)`, `futex(2)`,
    /// `ppoll(2)` and the timers have it.
    #[must_use]
    pub const fn non_negative(seconds: i64, nanoseconds: i64) -> Option<Self> {
        if seconds < 0 { None } else { Self::new(seconds, nanoseconds) }
    }

    /// From a `timeval`; `None` (EINVAL) if the microseconds are not 0 to 999,999.
    #[must_use]
    pub const fn from_timeval(seconds: i64, microseconds: i64) -> Option<Self> {
        if microseconds < 0 || microseconds >= 1_000_000 {
            return None;
        }
        Self::new(seconds, microseconds * 1000)
    }

    #[inline]
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0 }
    }

    #[inline]
    #[must_use]
    pub const fn from_ns(ns: u64) -> Self {
        let seconds = (ns / NANOSECONDS_PER_SECOND) as i64;
        Self { seconds, nanoseconds: (ns % NANOSECONDS_PER_SECOND) as u32 }
    }

    /// Of nanoseconds that are below a thousand million.
    #[inline]
    pub(crate) const fn from_second(seconds: i64, nanoseconds: u32) -> Self {
        debug_assert!(nanoseconds < NANOSECONDS);
        Self { seconds, nanoseconds }
    }

    #[inline]
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    #[inline]
    #[must_use]
    pub const fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// For a `timeval`.
    #[inline]
    #[must_use]
    pub const fn microseconds(self) -> u32 {
        self.nanoseconds / 1000
    }

    #[inline]
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.seconds < 0
    }

    /// Whether the real-time clock may be set to this (`clock_settime(2)`, EINVAL otherwise).
    #[must_use]
    pub const fn is_settable(self) -> bool {
        self.seconds >= 0 && self.seconds < SETTABLE_SECONDS
    }

    /// Nanoseconds; zero if negative, and `i64::MAX` if more than that (292 years), as Linux does with deadlines: such a
    /// timer never expires.
    #[must_use]
    pub const fn to_ns_saturating(self) -> u64 {
        if self.seconds < 0 {
            return 0;
        }
        if self.seconds >= MOST_SECONDS {
            return i64::MAX as u64;
        }
        self.seconds as u64 * NANOSECONDS_PER_SECOND + self.nanoseconds as u64
    }

    /// The instant that lies this long after `now`, both in nanoseconds; saturates at "never".
    #[must_use]
    pub fn after(self, now: u64) -> u64 {
        now.saturating_add(self.to_ns_saturating()).min(i64::MAX as u64)
    }

    #[inline]
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        let nanoseconds = self.nanoseconds + other.nanoseconds;
        let (carry, nanoseconds) =
            if nanoseconds >= NANOSECONDS { (1, nanoseconds - NANOSECONDS) } else { (0, nanoseconds) };
        // In 128 bits, since the carry may undo what the sum of the seconds alone would overflow by.
        let seconds = self.seconds as i128 + other.seconds as i128 + carry;
        Self::from_parts(seconds, nanoseconds)
    }

    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        let (borrow, nanoseconds) = if self.nanoseconds < other.nanoseconds {
            (1, self.nanoseconds + NANOSECONDS - other.nanoseconds)
        } else {
            (0, self.nanoseconds - other.nanoseconds)
        };
        Self::from_parts(self.seconds as i128 - other.seconds as i128 - borrow, nanoseconds)
    }

    #[inline]
    const fn from_parts(seconds: i128, nanoseconds: u32) -> Option<Self> {
        if seconds < i64::MIN as i128 || seconds > i64::MAX as i128 {
            return None;
        }
        Some(Self { seconds: seconds as i64, nanoseconds })
    }

    #[inline]
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        match self.checked_add(other) {
            Some(sum) => sum,
            None if other.is_negative() => Self::MIN,
            None => Self::MAX,
        }
    }

    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        match self.checked_sub(other) {
            Some(difference) => difference,
            None if other.is_negative() => Self::MAX,
            None => Self::MIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(time: Timespec) -> i128 {
        i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds)
    }

    #[test]
    fn what_linux_refuses_is_refused() {
        assert_eq!(Timespec::new(0, -1), None);
        assert_eq!(Timespec::new(0, 1_000_000_000), None);
        assert_eq!(Timespec::non_negative(-1, 0), None);
        assert_eq!(Timespec::from_timeval(0, 1_000_000), None);
        assert_eq!(Timespec::from_timeval(0, -1), None);
        assert_eq!(Timespec::from_timeval(1, 999_999).map(exact), Some(1_999_999_000));
        assert!(Timespec::new(-1, 0).is_some());
    }

    #[test]
    fn lengths_saturate_at_never() {
        let never = i64::MAX as u64;
        assert_eq!(Timespec::new(i64::MAX, 0).unwrap().to_ns_saturating(), never);
        assert_eq!(Timespec::new(MOST_SECONDS, 0).unwrap().to_ns_saturating(), never);
        assert_eq!(Timespec::new(-5, 0).unwrap().to_ns_saturating(), 0);
        assert_eq!(Timespec::MAX.after(5), never);
        assert_eq!(Timespec::from_ns(7).after(5), 12);
    }

    proptest! {
        #[test]
        fn sums_are_exact_or_refused(a: i64, x in 0u32..NANOSECONDS, b: i64, y in 0u32..NANOSECONDS) {
            let (left, right) = (Timespec { seconds: a, nanoseconds: x }, Timespec { seconds: b, nanoseconds: y });
            let fits = |value: i128| (exact(Timespec::MIN)..=exact(Timespec::MAX)).contains(&value).then_some(value);
            prop_assert_eq!(left.checked_add(right).map(exact), fits(exact(left) + exact(right)));
            prop_assert_eq!(left.checked_sub(right).map(exact), fits(exact(left) - exact(right)));
            let bounded = |value: i128| value.clamp(exact(Timespec::MIN), exact(Timespec::MAX));
            prop_assert_eq!(exact(left.saturating_add(right)), bounded(exact(left) + exact(right)));
            prop_assert_eq!(exact(left.saturating_sub(right)), bounded(exact(left) - exact(right)));
            prop_assert_eq!(left.cmp(&right), exact(left).cmp(&exact(right)));
        }
    }
}
