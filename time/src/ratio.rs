//! Counts of one rate as counts of another, without dividing.

/// `count * mult >> shift`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ratio {
    pub mult: u64,
    pub shift: u32,
}

impl Ratio {
    pub const ONE: Self = Self { mult: 1 << 32, shift: 32 };

    /// Turns counts at `from` a second into counts at `to` a second. `None` if either is zero or `to / from` is more than
    /// 2^31. The error is below one part in 2^32 as long as `from / to` is at most 2^30.
    #[must_use]
    pub fn between(from: u64, to: u64) -> Option<Self> {
        if from == 0 || to == 0 {
            return None;
        }
        // As many binary places as leave `mult` below 2^63, but a word's worth at the most: a shift of 64 or more would
        // cost the conversion a branch.
        let whole = (u128::from(to) / u128::from(from)).max(1);
        let shift = 63_u32.checked_sub(whole.ilog2() + 1)?;
        if shift < 32 {
            return None;
        }
        let rounded = ((u128::from(to) << shift) + u128::from(from) / 2) / u128::from(from);
        let mult = u64::try_from(rounded).ok().filter(|&mult| mult > 0)?;
        Some(Self { mult, shift })
    }

    /// Rounds down; saturates (for cycles to nanoseconds: after five centuries).
    #[inline]
    #[must_use]
    pub fn apply(self, count: u64) -> u64 {
        let scaled = (u128::from(count) * u128::from(self.mult)) >> (self.shift & 63);
        if scaled >> 64 != 0 {
            core::hint::cold_path();
            return u64::MAX;
        }
        scaled as u64
    }

    /// This ratio, faster by `parts` in 2^32 (slower if negative): a clock's frequency correction.
    #[must_use]
    pub fn adjusted(self, parts: i32) -> Self {
        let change = (i128::from(self.mult) * i128::from(parts)) >> 32;
        let mult = (i128::from(self.mult) + change).clamp(1, i128::from(i64::MAX));
        Self { mult: mult as u64, shift: self.shift }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NANOSECONDS_PER_SECOND;
    use proptest::prelude::*;

    const YEAR: u64 = 365 * 86_400;

    #[test]
    fn impossible_rates_are_refused() {
        assert_eq!(Ratio::between(0, 1), None);
        assert_eq!(Ratio::between(1, 0), None);
        assert_eq!(Ratio::between(1, u64::MAX), None);
        assert_eq!(Ratio::ONE.apply(u64::MAX), u64::MAX);
        assert_eq!(Ratio::between(1, 1 << 20).unwrap().apply(u64::MAX), u64::MAX);
    }

    #[test]
    fn adjusting_changes_the_rate_by_so_much() {
        let plain = Ratio::between(2_000_000_000, NANOSECONDS_PER_SECOND).unwrap();
        // 500 parts in a million.
        let faster = plain.adjusted(2_147_484);
        assert_eq!(faster.apply(2_000_000_000) - NANOSECONDS_PER_SECOND, 500_000);
        assert!(plain.adjusted(i32::MIN).apply(1 << 40) > 0);
    }

    proptest! {
        #[test]
        fn ten_years_of_cycles_convert_within_a_millisecond(hertz in 1_000_000u64..10_000_000_000, seconds in 0..10 * YEAR) {
            let ratio = Ratio::between(hertz, NANOSECONDS_PER_SECOND).unwrap();
            let cycles = seconds * hertz;
            prop_assert!(ratio.apply(cycles).abs_diff(seconds * NANOSECONDS_PER_SECOND) <= 1_000_000);
            let back = Ratio::between(NANOSECONDS_PER_SECOND, hertz).unwrap();
            let error = back.apply(seconds * NANOSECONDS_PER_SECOND).abs_diff(cycles);
            prop_assert!(error <= hertz / 1000);
        }

        #[test]
        fn never_panics(from: u64, to: u64, count: u64, parts: i32) {
            if let Some(ratio) = Ratio::between(from, to) {
                let _ = ratio.adjusted(parts).apply(count);
            }
        }
    }
}
