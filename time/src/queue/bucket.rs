//! Buckets of a radix queue, and which deadline belongs where.

/// Bits of a digit.
pub const DIGIT_BITS: u32 = 6;
/// Buckets of a level.
pub const BUCKETS: usize = 1 << DIGIT_BITS;
/// Digits of an instant.
pub const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;
/// Buckets of all levels.
pub const COUNT: usize = LEVELS * BUCKETS;

/// Timers in a list, in the order in which they came.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    pub first: Option<u32>,
    pub last: Option<u32>,
    /// None of its timers is due before this, if it has any.
    pub bound: u64,
}

impl Bucket {
    pub const EMPTY: Self = Self { first: None, last: None, bound: u64::MAX };
}

/// A bucket's level and digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u16);

impl Place {
    #[inline]
    pub fn new(level: usize, digit: usize) -> Self {
        Self((level * BUCKETS + digit) as u16)
    }

    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    #[inline]
    pub fn level(self) -> usize {
        self.index() / BUCKETS
    }

    #[inline]
    pub fn digit(self) -> usize {
        self.index() % BUCKETS
    }
}

/// The highest digit in which two instants differ; 0 where they do not.
#[inline]
pub fn level_of(due: u64, base: u64) -> usize {
    (due ^ base).checked_ilog2().unwrap_or(0) as usize / DIGIT_BITS as usize
}

/// When a bucket begins, seen from `base`.
#[inline]
pub fn start_of(place: Place, base: u64) -> u64 {
    let shift = DIGIT_BITS * place.level() as u32;
    let above = u64::MAX.checked_shl(shift + DIGIT_BITS).unwrap_or(0);
    base & above | (place.digit() as u64) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_starts() {
        for (due, base, level, start) in [
            (0, 0, 0, 0),
            (63, 0, 0, 63),
            (64, 63, 1, 64),
            (130, 65, 1, 128),
            (u64::MAX, 0, 10, 15 << 60),
            (u64::MAX, u64::MAX - 1, 0, u64::MAX),
            (1 << 36 | 5, 7, 6, 1 << 36),
        ] {
            assert_eq!(level_of(due, base), level);
            let place = Place::new(level, (due >> (DIGIT_BITS * level as u32)) as usize % BUCKETS);
            assert_eq!(start_of(place, base), start, "{due} from {base}");
            assert_eq!(place.level(), level);
        }
    }
}
