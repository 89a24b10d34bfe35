//! Which CPU a thread should run on: decisions from a snapshot of all CPUs' loads, taken without their locks.
//!
//! Who is short of work pulls; nobody pushes. A snapshot may be stale, so an answer is a wish: whoever carries it out looks
//! again under the queue's lock and moves less, or nothing.

/// What other CPUs see of one run queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CpuLoad {
    /// Runnable threads, the running one included.
    pub running: usize,
    /// The sum of their weights.
    pub weight: u64,
}

/// Threads to pull from another CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pull {
    pub from: usize,
    /// At most this many.
    pub threads: usize,
    /// The weight to move in all.
    pub weight: u64,
    patience: u32,
}

impl Pull {
    /// Whether a thread of weight `share` may be moved, when `moved` has been already. The last one may overshoot by its
    /// other half, or three threads on two CPUs would stay where they are; after failures, heavier ones may too.
    #[must_use]
    pub fn admits(&self, share: u32, moved: u64) -> bool {
        (u64::from(share) >> self.patience) <= self.weight.saturating_sub(moved)
    }
}

/// A CPU that has nothing to run: take one thread from the CPU where most wait.
#[must_use]
pub fn idle_pull(this: usize, loads: &[CpuLoad]) -> Option<Pull> {
    let (from, load) = busiest(this, loads)?;
    Some(Pull { from, threads: 1, weight: load.weight, patience: 0 })
}

/// The periodic balance of one CPU, with its memory of failures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Balancer {
    failures: u32,
}

impl Balancer {
    /// What `this` CPU should pull, if the machine is out of balance by more than a quarter of its own load.
    #[must_use]
    pub fn periodic(&self, this: usize, loads: &[CpuLoad]) -> Option<Pull> {
        let own = loads.get(this)?;
        let (from, load) = busiest(this, loads)?;
        if load.running <= own.running && own.running > 0 && !heavier(load.weight, own.weight, 2) {
            return None;
        }
        if !heavier(load.weight, own.weight, 4) {
            return None;
        }
        let total = loads.iter().fold(0_u64, |sum, load| sum.saturating_add(load.weight));
        let average = total / loads.len() as u64;
        let weight = load.weight.saturating_sub(average).min(average.saturating_sub(own.weight));
        let pull = Pull { from, threads: load.running - 1, weight, patience: self.failures.min(1) };
        (weight > 0).then_some(pull)
    }

    /// Says how many threads a wanted pull moved.
    pub fn pulled(&mut self, threads: usize) {
        self.failures = if threads > 0 { 0 } else { self.failures.saturating_add(1) };
    }
}

/// How long a CPU waits between two periodic balances, in nanoseconds: a millisecond per CPU, sixteen times as long for
/// one that is busy with work of its own.
#[must_use]
pub fn interval_ns(cpus: usize, busy: bool) -> u64 {
    let interval = (cpus.max(1) as u64).saturating_mul(1_000_000);
    if busy { interval.saturating_mul(16) } else { interval }
}

/// The CPU for a waking thread: where it last ran if that is idle (its cache is warm), where the waker runs if that is
/// about to be, any idle one, and otherwise where it last ran. `previous` must be allowed, or any allowed CPU be given.
#[must_use]
pub fn wake_target(previous: usize, waker: usize, loads: &[CpuLoad], allowed: impl Fn(usize) -> bool) -> usize {
    let idle = |cpu: usize| allowed(cpu) && loads.get(cpu).is_some_and(|load| load.running == 0);
    if idle(previous) {
        return previous;
    }
    if idle(waker) {
        return waker;
    }
    (0..loads.len()).find(|&cpu| idle(cpu)).unwrap_or(previous)
}

/// The CPU for a new thread or program: the least loaded one that is allowed; `parent` if none is less loaded than it.
#[must_use]
pub fn fork_target(parent: usize, loads: &[CpuLoad], allowed: impl Fn(usize) -> bool) -> usize {
    let key = |cpu: usize, load: &CpuLoad| (load.running, load.weight, cpu != parent);
    let candidates = loads.iter().enumerate().filter(|(cpu, _)| allowed(*cpu));
    candidates.min_by_key(|(cpu, load)| key(*cpu, load)).map_or(parent, |(cpu, _)| cpu)
}

/// The CPU other than `this` with the most load of those that have something to give.
fn busiest(this: usize, loads: &[CpuLoad]) -> Option<(usize, CpuLoad)> {
    let others = loads.iter().copied().enumerate().filter(|(cpu, load)| *cpu != this && load.running > 1);
    others.max_by_key(|(_, load)| load.weight)
}

/// Whether `load` is more than `own` by over a `part`th.
fn heavier(load: u64, own: u64, part: u64) -> bool {
    load > own.saturating_add(own / part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn load(running: usize) -> CpuLoad {
        CpuLoad { running, weight: running as u64 * 1024 }
    }

    #[test]
    fn an_idle_cpu_takes_one_from_the_busiest() {
        assert_eq!(idle_pull(0, &[load(0), load(1)]), None);
        let pull = idle_pull(1, &[load(2), load(0), load(5)]).unwrap();
        assert_eq!((pull.from, pull.threads), (2, 1));
    }

    #[test]
    fn three_equal_threads_take_turns_on_two_cpus() {
        let mut balancer = Balancer::default();
        let loads = [load(1), load(2)];
        assert!(!balancer.periodic(0, &loads).unwrap().admits(1024, 0));
        balancer.pulled(0);
        assert!(balancer.periodic(0, &loads).unwrap().admits(1024, 0));
        balancer.pulled(1);
        assert!(!balancer.periodic(0, &loads).unwrap().admits(1024, 0));
    }

    #[test]
    fn a_heavy_thread_ends_up_alone() {
        let loads = [CpuLoad { running: 5, weight: 5 * 1024 }, CpuLoad { running: 6, weight: 88761 + 5 * 1024 }];
        let pull = Balancer::default().periodic(0, &loads).unwrap();
        assert_eq!(pull.threads, 5);
        assert!(!pull.admits(88761, 0) && pull.admits(1024, 4 * 1024));
    }

    #[test]
    fn wakers_and_parents_choose_idle_cpus() {
        assert_eq!(wake_target(1, 0, &[load(0), load(0)], |_| true), 1);
        assert_eq!(wake_target(1, 0, &[load(0), load(1)], |_| true), 0);
        assert_eq!(wake_target(1, 0, &[load(1), load(1), load(0)], |_| true), 2);
        assert_eq!(wake_target(1, 0, &[load(0), load(1)], |cpu| cpu == 1), 1);
        assert_eq!(fork_target(0, &[load(1), load(1)], |_| true), 0);
        assert_eq!(fork_target(0, &[load(2), load(1)], |_| true), 1);
        assert_eq!(fork_target(0, &[load(2), load(1), load(3)], |cpu| cpu != 1), 0);
    }

    proptest! {
        /// Equal threads settle within one of even, and then nothing moves but turns of the odd one.
        #[test]
        fn balancing_evens_out(start in prop::collection::vec(0usize..40, 2..9)) {
            let mut loads: Vec<_> = start.iter().map(|&running| load(running)).collect();
            let mut balancers = vec![Balancer::default(); loads.len()];
            for _ in 0..200 {
                for cpu in 0..loads.len() {
                    let Some(pull) = balancers[cpu].periodic(cpu, &loads) else { continue };
                    let mut moved = 0;
                    while moved < pull.threads && pull.admits(1024, moved as u64 * 1024) {
                        moved += 1;
                    }
                    loads[pull.from] = load(loads[pull.from].running - moved);
                    loads[cpu] = load(loads[cpu].running + moved);
                    balancers[cpu].pulled(moved);
                }
            }
            let most = loads.iter().map(|load| load.running).max().unwrap();
            let least = loads.iter().map(|load| load.running).min().unwrap();
            // Within the quarter at which nobody acts.
            prop_assert!(most <= least + least / 4 + 1, "{loads:?}");
        }
    }
}
