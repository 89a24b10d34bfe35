//! Where a CPU's time goes, and how a thread's is told apart into user and system.

use crate::TICK_NS;

/// The columns of `/proc/stat` (`proc(5)`), in its order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spent {
    User,
    Nice,
    System,
    Idle,
    IoWait,
    Irq,
    SoftIrq,
    Steal,
}

/// One CPU's account, in nanoseconds. Precise with [`CpuAccount::switch`] at every change, or by sampling with
/// [`CpuAccount::tick`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpuAccount {
    totals: [u64; 8],
    now_in: Spent,
    since: u64,
}

impl CpuAccount {
    /// An account opened at `now`, on which `spent` runs.
    #[must_use]
    pub const fn new(spent: Spent, now: u64) -> Self {
        Self { totals: [0; 8], now_in: spent, since: now }
    }

    /// From `now` on, time counts as `spent`. What was closed, and its nanoseconds since the last change.
    pub fn switch(&mut self, spent: Spent, now: u64) -> (Spent, u64) {
        let closed = self.now_in;
        let passed = now.saturating_sub(self.since);
        self.add(closed, passed);
        self.since = self.since.max(now);
        self.now_in = spent;
        (closed, passed)
    }

    /// Counts a tick, as what it found running.
    pub fn tick(&mut self, spent: Spent) {
        self.add(spent, TICK_NS);
    }

    /// Counts time known otherwise (ticks slept through, time stolen by the hypervisor).
    pub fn add(&mut self, spent: Spent, ns: u64) {
        if let Some(total) = self.totals.get_mut(spent as usize) {
            *total = total.wrapping_add(ns);
        }
    }

    /// Nanoseconds in the order of [`Spent`], up to the last change.
    #[must_use]
    pub fn totals(&self) -> [u64; 8] {
        self.totals
    }
}

/// A thread's or process's user and system time as last reported: neither may ever go back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reported {
    user: u64,
    system: u64,
}

impl Reported {
    /// Splits `runtime`, which is exact, in the proportion of `user` and `system`, which are sampled by ticks. All in
    /// nanoseconds. (user, system), whose sum is `runtime` unless that went back.
    pub fn split(&mut self, user: u64, system: u64, runtime: u64) -> (u64, u64) {
        if runtime <= self.user.saturating_add(self.system) {
            return (self.user, self.system);
        }
        let sampled = u128::from(user) + u128::from(system);
        let share = match (u128::from(runtime) * u128::from(system)).checked_div(sampled) {
            Some(share) => share as u64,
            // Too short for any tick to have seen it.
            None => 0,
        };
        let system = share.clamp(self.system, runtime - self.user);
        *self = Self { user: runtime - system, system };
        (self.user, self.system)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn time_goes_to_what_ran() {
        let mut account = CpuAccount::new(Spent::Idle, 100);
        assert_eq!(account.switch(Spent::System, 150), (Spent::Idle, 50));
        assert_eq!(account.switch(Spent::User, 149), (Spent::System, 0));
        assert_eq!(account.switch(Spent::Irq, 160), (Spent::User, 10));
        account.tick(Spent::Steal);
        assert_eq!(account.totals(), [10, 0, 0, 50, 0, 0, 0, TICK_NS]);
    }

    #[test]
    fn runtime_is_split_as_sampled() {
        assert_eq!(Reported::default().split(0, 0, 77), (77, 0));
        assert_eq!(Reported::default().split(0, 5, 77), (0, 77));
        assert_eq!(Reported::default().split(3, 1, 100), (75, 25));
        let huge = Reported::default().split(u64::MAX, u64::MAX, u64::MAX);
        assert_eq!(huge.0 + huge.1, u64::MAX);
    }

    proptest! {
        #[test]
        fn reports_never_go_back(steps in prop::collection::vec((0u64..1000, 0u64..1000, 0u64..3000), 1..50)) {
            let (mut reported, mut sums) = (Reported::default(), (0, 0, 0));
            let mut last = (0, 0);
            for (user, system, runtime) in steps {
                sums = (sums.0 + user, sums.1 + system, sums.2 + runtime);
                let now = reported.split(sums.0, sums.1, sums.2);
                prop_assert!(now.0 >= last.0 && now.1 >= last.1);
                prop_assert_eq!(now.0 + now.1, sums.2);
                last = now;
            }
        }
    }
}
