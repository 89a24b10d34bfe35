//! The timer that user space sees: a first expiry and a period (`setitimer(2)`, `timer_settime(2)`, `timerfd_settime(2)`).

/// When a timer is to expire first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// So many nanoseconds from now.
    After(u64),
    /// At this instant of the clock (`TIMER_ABSTIME`).
    At(u64),
}

/// A timer's state, in nanoseconds of its clock. The queue's timer is armed for [`Interval::deadline`] by the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Interval {
    deadline: Option<u64>,
    period: u64,
}

impl Interval {
    /// Arms (or with `None` disarms) the timer at `now`; a `period` of zero means once. The deadline to arm the queue's timer
    /// for.
    pub fn set(&mut self, start: Option<Start>, period: u64, now: u64) -> Option<u64> {
        self.deadline = start.map(|start| match start {
            Start::After(length) => now.saturating_add(length).min(i64::MAX as u64),
            Start::At(instant) => instant,
        });
        self.period = period;
        self.deadline
    }

    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        self.deadline
    }

    #[must_use]
    pub fn period(&self) -> u64 {
        self.period
    }

    /// Time left until the next expiry: zero if disarmed, at least one nanosecond if armed (its expiry may be on its way).
    #[must_use]
    pub fn remaining(&self, now: u64) -> u64 {
        self.deadline.map_or(0, |deadline| deadline.saturating_sub(now).max(1))
    }

    /// The timer's deadline has come (or not, if it was set anew meanwhile). How many expiries there have been up to `now`;
    /// more than one are overruns. The deadline moves past `now`, or goes if the timer was for once.
    pub fn expire(&mut self, now: u64) -> u64 {
        let Some(deadline) = self.deadline.filter(|&deadline| deadline <= now) else {
            return 0;
        };
        if self.period == 0 {
            self.deadline = None;
            return 1;
        }
        let times = (now - deadline) / self.period + 1;
        let passed = times.saturating_mul(self.period);
        self.deadline = Some(deadline.saturating_add(passed));
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn once_and_disarmed() {
        let mut timer = Interval::default();
        assert_eq!((timer.remaining(5), timer.expire(5)), (0, 0));
        assert_eq!(timer.set(Some(Start::After(10)), 0, 5), Some(15));
        assert_eq!((timer.remaining(8), timer.remaining(20)), (7, 1));
        assert_eq!((timer.expire(14), timer.expire(15), timer.expire(16)), (0, 1, 0));
        assert_eq!(timer.set(Some(Start::At(3)), 0, 5), Some(3));
        assert_eq!(timer.set(None, 7, 5), None);
        assert_eq!(timer.expire(u64::MAX), 0);
    }

    proptest! {
        #[test]
        fn counts_as_one_by_one(start in 0u64..1000, period in 1u64..50, jumps in prop::collection::vec(0u64..300, 0..30)) {
            let mut timer = Interval::default();
            timer.set(Some(Start::At(start)), period, 0);
            let (mut now, mut next) = (0, start);
            for jump in jumps {
                now += jump;
                let mut expected = 0;
                while next <= now {
                    next += period;
                    expected += 1;
                }
                prop_assert_eq!(timer.expire(now), expected);
                prop_assert_eq!(timer.deadline(), Some(next));
            }
        }

        #[test]
        fn never_panics(start: u64, period: u64, now: u64, later: u64) {
            let mut timer = Interval::default();
            timer.set(Some(Start::After(start)), period, now);
            timer.expire(later);
            timer.set(Some(Start::At(start)), period, now);
            timer.expire(later);
        }
    }
}
