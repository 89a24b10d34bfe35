//! Nanoseconds to ticks of a timer, without a division.

/// How fast a timer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Ticks per nanosecond, times 2^32.
    factor: u64,
}

impl Rate {
    /// For a timer of `frequency` ticks per second. `None` for one slower than 1 Hz or faster than 1 THz.
    pub fn new(frequency: u64) -> Option<Self> {
        if !(1..=1_000_000_000_000).contains(&frequency) {
            return None;
        }
        let factor = (u128::from(frequency) << 32).div_ceil(1_000_000_000);
        Some(Self { factor: factor as u64 })
    }

    /// At least one tick; saturates.
    #[inline]
    pub fn ticks(self, nanoseconds: u64) -> u64 {
        let product = (u128::from(nanoseconds) * u128::from(self.factor)) >> 32;
        u64::try_from(product).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_to_the_division() {
        for frequency in [1, 32_768, 14_318_180, 1_000_000_000, 62_500_000, 3_000_000_001] {
            let rate = Rate::new(frequency).unwrap();
            for nanoseconds in [1, 999, 4_000_000, 1_000_000_000, 3_600_000_000_000] {
                let exact = (u128::from(nanoseconds) * u128::from(frequency) / 1_000_000_000).max(1) as u64;
                let got = rate.ticks(nanoseconds);
                let slack = 1 + nanoseconds / (1 << 32);
                assert!(got >= exact && got - exact <= slack, "{frequency} Hz, {nanoseconds} ns: {got} for {exact}");
            }
        }
        assert_eq!(Rate::new(0), None);
        assert_eq!(Rate::new(1_000_000_000_000).unwrap().ticks(u64::MAX), u64::MAX);
    }
}
