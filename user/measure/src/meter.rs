//! How often an operation is done, and which of the results counts.
//!
//! A batch is as large as it must be to last for [`ENOUGH`]: then the two readings of the clock do not count. The least of
//! several batches is what the operation costs; their mean says what was put off and done later, in another batch's time.

use crate::Batch;
use crate::system::Errno;

/// Nanoseconds that a batch should last.
pub const ENOUGH: u64 = 2_000_000;
/// Batches that count.
pub const BATCHES: u64 = 5;

/// What an operation costs, in hundredths of a nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub least: u64,
    pub mean: u64,
    /// Operations in a batch.
    pub count: u64,
}

/// Measures.
pub fn measure(batch: &mut Batch, most: u64) -> Result<Cost, Errno> {
    let count = calibrate(batch, most)?;
    let (mut least, mut sum) = (u64::MAX, 0_u64);
    for _ in 0..BATCHES {
        let elapsed = batch(count)?;
        least = least.min(elapsed);
        sum = sum.saturating_add(elapsed);
    }
    Ok(Cost { least: each(least, count), mean: each(sum, count * BATCHES), count })
}

/// The size of a batch. Doing so also warms what is warmed by use.
pub fn calibrate(batch: &mut Batch, most: u64) -> Result<u64, Errno> {
    let mut count = 1;
    loop {
        let elapsed = batch(count)?;
        let next = larger(count, elapsed).min(most.max(1));
        if next <= count {
            return Ok(count);
        }
        count = next;
    }
}

/// The next size to try after `count` operations took `elapsed`; `count` itself when that is enough.
fn larger(count: u64, elapsed: u64) -> u64 {
    if elapsed >= ENOUGH {
        return count;
    }
    // An eighth more than it takes, so that the next try is the last; at most eightfold, because the first are not typical.
    let wanted = u128::from(count) * u128::from(ENOUGH) * 9 / 8 / u128::from(elapsed.max(1));
    let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
    wanted.clamp(count + 1, count.saturating_mul(8).max(count + 1))
}

/// Hundredths of a nanosecond for each.
fn each(nanoseconds: u64, count: u64) -> u64 {
    let hundredths = u128::from(nanoseconds) * 100 / u128::from(count.max(1));
    u64::try_from(hundredths).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{BATCHES, Cost, ENOUGH, calibrate, each, larger, measure};
    use crate::Batch;
    use crate::system::Errno;

    fn costing(each: u64) -> Batch {
        Box::new(move |count| Ok(count * each))
    }

    #[test]
    fn batches_last_long_enough() {
        for cost in [1, 7, 324, 10_000, 541_062, ENOUGH, 10 * ENOUGH] {
            let count = calibrate(&mut costing(cost), u64::MAX).unwrap();
            assert!(count * cost >= ENOUGH, "{count} of {cost}");
            assert!(count == 1 || count * cost < 3 * ENOUGH, "{count} of {cost}");
        }
    }

    #[test]
    fn a_batch_has_a_limit() {
        assert_eq!(calibrate(&mut costing(1), 512).unwrap(), 512);
        assert_eq!(calibrate(&mut costing(0), 1).unwrap(), 1, "a clock that stands still");
    }

    #[test]
    fn growth_is_bounded_and_never_stops_short() {
        assert_eq!(larger(1, 0), 8);
        assert_eq!(larger(10, ENOUGH), 10);
        assert_eq!(larger(10, ENOUGH - 1), 11);
        assert_eq!(larger(u64::MAX - 1, 1), u64::MAX);
    }

    #[test]
    fn the_least_and_the_mean() {
        let mut elapsed = vec![ENOUGH, 5 * ENOUGH, 3 * ENOUGH, 2 * ENOUGH, 4 * ENOUGH, 6 * ENOUGH].into_iter();
        let mut batch: Batch = Box::new(move |_| elapsed.next().ok_or(Errno(0)));
        let cost = measure(&mut batch, u64::MAX).unwrap();
        assert_eq!(BATCHES, 5);
        assert_eq!(cost, Cost { least: 200 * ENOUGH, mean: 400 * ENOUGH, count: 1 });
        assert_eq!(each(355, 2), 17_750);
    }

    #[test]
    fn errors_end_it() {
        assert_eq!(measure(&mut (Box::new(|_| Err(Errno(38))) as Batch), 10), Err(Errno(38)));
    }
}
