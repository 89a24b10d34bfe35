//! How much softirqs may take where an interrupt ends.

/// Rounds, and nanoseconds, after which a thread goes on with them (as in Linux's kernel/softirq.c).
const ROUNDS: u32 = 10;
const TIME: u64 = 2_000_000;

/// What is left for the softirqs behind one interrupt.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    rounds: u32,
    end: u64,
}

impl Budget {
    /// From `now` on, in nanoseconds.
    #[must_use]
    pub fn starting(now: u64) -> Self {
        Self { rounds: ROUNDS, end: now.saturating_add(TIME) }
    }

    /// After a round, with more to do: whether another may follow. Not where rounds or time are used up, nor while somebody is to run
    /// instead of what was interrupted.
    #[must_use]
    pub fn allows_another(&mut self, now: u64, reschedule_wanted: bool) -> bool {
        self.rounds = self.rounds.saturating_sub(1);
        self.rounds > 0 && now < self.end && !reschedule_wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a list of what each round took.
        #[test]
        fn rounds_and_time_are_limited(took in prop::collection::vec(0u64..1_000_000, 1..20), wanted_after in 0usize..20) {
            let mut budget = Budget::starting(5);
            let mut now = 5;
            let mut rounds = 0;
            for (index, time) in took.iter().enumerate() {
                now += time;
                rounds += 1;
                if !budget.allows_another(now, index >= wanted_after) {
                    break;
                }
            }
            let sums = took.iter().scan(0, |sum, time| { *sum += time; Some(*sum) });
            let late = sums.clone().position(|sum| sum >= TIME).map_or(usize::MAX, |index| index + 1);
            let expected = late.min(ROUNDS as usize).min(wanted_after + 1).min(took.len());
            prop_assert_eq!(rounds, expected);
        }
    }
}
