//! Nice levels and their weights (`sched(7)`, "The nice value"): each level is worth about 1.25 times the next.

/// A nice value, −20 (most) to 19 (least).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Nice(i8);

impl Nice {
    pub const MOST: Self = Self(-20);
    pub const LEAST: Self = Self(19);

    /// The nearest nice value; `setpriority(2)` clamps rather than refuses.
    #[must_use]
    pub fn clamped(value: i32) -> Self {
        Self(value.clamp(-20, 19) as i8)
    }

    #[must_use]
    pub const fn value(self) -> i32 {
        self.0 as i32
    }

    /// The weight of this level under the ordinary policies.
    #[must_use]
    pub fn weight(self) -> Weight {
        let index = usize::from(self.0.wrapping_add(20) as u8);
        // The index is within the table by construction of `Nice`; the default is never taken.
        WEIGHTS.get(index).copied().unwrap_or(Weight::NICE_0)
    }
}

/// An entity's share, and what turns real into virtual nanoseconds without a division.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weight {
    share: u32,
    /// 1024 / share, with 32 binary places.
    inverse: u64,
}

impl Weight {
    /// The weight of nice 0, at which virtual time is real time.
    pub const NICE_0: Self = Self::new(1024);
    /// The weight of `SCHED_IDLE`, whatever the nice value.
    pub const IDLE: Self = Self::new(3);

    const fn new(share: u32) -> Self {
        Self { share, inverse: (1024 << 32) / share as u64 }
    }

    #[must_use]
    pub const fn share(self) -> u32 {
        self.share
    }

    /// `real` nanoseconds as virtual ones.
    #[inline]
    #[must_use]
    pub const fn scale(self, real: u64) -> u64 {
        if self.share == 1024 {
            return real;
        }
        ((real as u128 * self.inverse as u128) >> 32) as u64
    }
}

const SHARES: [u32; 40] = [
    88761, 71755, 56483, 46273, 36291, // −20 …
    29154, 23254, 18705, 14949, 11916, // −15 …
    9548, 7620, 6100, 4904, 3906, // −10 …
    3121, 2501, 1991, 1586, 1277, // −5 …
    1024, 820, 655, 526, 423, // 0 …
    335, 272, 215, 172, 137, // 5 …
    110, 87, 70, 56, 45, // 10 …
    36, 29, 23, 18, 15, // 15 …
];

static WEIGHTS: [Weight; 40] = {
    let mut weights = [Weight::NICE_0; 40];
    let mut level = 0;
    while level < 40 {
        weights[level] = Weight::new(SHARES[level]);
        level += 1;
    }
    weights
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_is_a_quarter_more_than_the_next() {
        for value in -20..19 {
            let ratio =
                f64::from(Nice::clamped(value).weight().share) / f64::from(Nice::clamped(value + 1).weight().share);
            assert!((1.18..1.33).contains(&ratio), "{value}: {ratio}");
        }
        assert_eq!(Nice::default().weight(), Weight::NICE_0);
        assert_eq!(Nice::clamped(-100).weight().share(), 88761);
        assert_eq!(Nice::clamped(100).weight().share(), 15);
    }

    #[test]
    fn scaling_is_exact_to_a_millionth_and_does_not_overflow() {
        for weight in WEIGHTS.iter().chain([&Weight::IDLE]) {
            for real in [1_000_000, 3_600_000_000_000_u64, 1 << 55] {
                let exact = u128::from(real) * 1024 / u128::from(weight.share);
                let error = exact.abs_diff(u128::from(weight.scale(real)));
                assert!(error <= exact / 1_000_000 + 1, "{weight:?} {real}");
            }
        }
    }
}
