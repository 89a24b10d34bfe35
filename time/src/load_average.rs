//! The three load averages (`proc(5)`, `loadavg`; `getloadavg(3)`), in Linux's fixed point of 11 binary places.

use crate::TICKS_PER_SECOND;
use core::fmt;

/// Ticks between two updates: five seconds and one tick, so as not to run in step with what runs every second.
pub const LOAD_PERIOD_TICKS: u64 = 5 * TICKS_PER_SECOND + 1;

const PLACES: u32 = 11;
const ONE: u64 = 1 << PLACES;
/// e^(−5/60), e^(−5/300) and e^(−5/900).
const DECAY: [u64; 3] = [1884, 2014, 2037];

/// Averages over 1, 5 and 15 minutes of how many threads are runnable or in uninterruptible sleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoadAverage {
    loads: [u64; 3],
    due: u64,
}

impl LoadAverage {
    /// Zero, at tick `now`.
    #[must_use]
    pub const fn new(now: u64) -> Self {
        Self { loads: [0; 3], due: now.saturating_add(LOAD_PERIOD_TICKS) }
    }

    /// The tick at which an update is due.
    #[must_use]
    pub const fn due(&self) -> u64 {
        self.due
    }

    /// Brings the averages up to tick `now`, `active` threads being runnable or in uninterruptible sleep. Periods that were
    /// slept through count as if they had been like this one. Whether anything was due.
    pub fn update(&mut self, active: u64, now: u64) -> bool {
        let Some(late) = now.checked_sub(self.due) else {
            return false;
        };
        let periods = late / LOAD_PERIOD_TICKS + 1;
        self.due = self.due.saturating_add(periods.saturating_mul(LOAD_PERIOD_TICKS));
        let active = active.min(1 << 40) << PLACES;
        for (load, decay) in self.loads.iter_mut().zip(DECAY) {
            *load = decayed(*load, power(decay, periods), active);
        }
        true
    }

    /// As `sysinfo(2)` has them: 16 binary places.
    #[must_use]
    pub fn for_sysinfo(&self) -> [u64; 3] {
        self.loads.map(|load| load << (16 - PLACES))
    }
}

/// As the first three fields of `/proc/loadavg`.
impl fmt::Display for LoadAverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, five, fifteen] = self.loads.map(|load| {
            let rounded = load + ONE / 200;
            (rounded >> PLACES, ((rounded & (ONE - 1)) * 100) >> PLACES)
        });
        write!(f, "{}.{:02} {}.{:02} {}.{:02}", one.0, one.1, five.0, five.1, fifteen.0, fifteen.1)
    }
}

fn decayed(load: u64, decay: u64, active: u64) -> u64 {
    let sum = load.saturating_mul(decay).saturating_add(active.saturating_mul(ONE - decay));
    // Rounded towards `active`, or a rising load would never reach it.
    let sum = if active >= load { sum.saturating_add(ONE - 1) } else { sum };
    sum / ONE
}

/// `base` to the `exponent`, in fixed point, by squaring.
fn power(mut base: u64, mut exponent: u64) -> u64 {
    let multiply = |a: u64, b: u64| (a * b + ONE / 2) >> PLACES;
    let mut result = ONE;
    while exponent > 0 {
        if exponent & 1 != 0 {
            result = multiply(result, base);
        }
        base = multiply(base, base);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_steps_are_those_of_the_formula() {
        let mut average = LoadAverage::new(0);
        assert!(!average.update(1, LOAD_PERIOD_TICKS - 1));
        assert_eq!(average.to_string(), "0.00 0.00 0.00");
        assert!(average.update(1, LOAD_PERIOD_TICKS));
        // 2048 · (2048 − 1884) / 2048, and so on; rounded up.
        assert_eq!(average.loads, [164, 34, 11]);
        assert_eq!(average.to_string(), "0.08 0.02 0.01");
        assert!(!average.update(1, LOAD_PERIOD_TICKS));
        assert!(average.update(0, 2 * LOAD_PERIOD_TICKS));
        assert_eq!(average.loads, [150, 33, 10]);
        assert_eq!(average.for_sysinfo()[0], 150 << 5);
    }

    #[test]
    fn constant_load_is_reached_exactly_and_left_again() {
        let mut average = LoadAverage::new(0);
        for _ in 0..2000 {
            average.update(3, average.due());
        }
        assert_eq!(average.to_string(), "3.00 3.00 3.00");
        for _ in 0..2000 {
            average.update(0, average.due());
        }
        assert_eq!(average.to_string(), "0.00 0.00 0.00");
    }

    #[test]
    fn sleeping_through_periods_is_nearly_as_taking_each() {
        let (mut slow, mut fast) = (LoadAverage::new(0), LoadAverage::new(0));
        for average in [&mut slow, &mut fast] {
            average.update(8, LOAD_PERIOD_TICKS * 40);
        }
        assert_eq!(slow, fast);
        for period in 41..=60 {
            slow.update(2, LOAD_PERIOD_TICKS * period);
        }
        fast.update(2, LOAD_PERIOD_TICKS * 60);
        for (slow, fast) in slow.loads.iter().zip(fast.loads) {
            assert!(slow.abs_diff(fast) <= ONE / 50, "{slow} {fast}");
        }
        assert_eq!(slow.due(), fast.due());
        fast.update(u64::MAX, u64::MAX);
    }
}
