//! How many of a pool's workers are awake: numbers, and who is to be called when.
//!
//! A pool serves its items with as few workers as will do: of those that have an item, only so many may be *running* (one for the pool
//! of a CPU). A worker whose item sleeps does not count, so another is called for what waits; when it wakes there are more than there
//! should be for a while, and whoever finishes first goes idle. Before a worker begins an item it sees to it that somebody idle is
//! there to be called in its place, so nobody has to make a worker where one cannot sleep.
//!
//! **Calls.** Who is called counts as running from then on. A call is a token, not an address: whichever idle worker looks first takes it.
//!
//! **Surplus.** The least number of workers that were idle at once during a period was not needed in it. All but one of them end.

/// The numbers of one pool. The owner keeps them under a lock.
#[derive(Clone, Debug)]
pub struct Pool {
    /// As many may run at once.
    most_running: usize,
    waiting: usize,
    idle: usize,
    running: usize,
    asleep: usize,
    /// Calls that no worker has taken yet.
    calls: usize,
    /// Somebody is making a worker.
    making: bool,
    fewest_idle: usize,
    surplus: usize,
    period_end: u64,
}

/// Nanoseconds over which a worker that was never needed is found out.
const PERIOD: u64 = 10_000_000_000;

/// Whether an idle worker is to be woken, for which there is a call.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    No,
    One,
}

/// What an idle worker does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Its call: look for items.
    Work,
    /// It was not needed for long enough.
    End,
    /// Sleep, until this time at the latest.
    Sleep { until: Option<u64> },
}

impl Pool {
    /// Without workers.
    #[must_use]
    pub const fn new(most_running: usize) -> Self {
        Self {
            most_running,
            waiting: 0,
            idle: 0,
            running: 0,
            asleep: 0,
            calls: 0,
            making: false,
            fewest_idle: 0,
            surplus: 0,
            period_end: 0,
        }
    }

    /// Workers of all kinds.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.idle + self.running + self.asleep
    }

    /// An item came.
    pub fn queued(&mut self) -> Wake {
        self.waiting += 1;
        self.call()
    }

    /// A worker that is running takes an item. If it may not, or there is none, it is idle from now on: false.
    pub fn take(&mut self) -> bool {
        if self.waiting > 0 && self.running <= self.most_running {
            self.waiting -= 1;
            return true;
        }
        self.running -= 1;
        self.idle += 1;
        false
    }

    /// A worker's item goes to sleep.
    pub fn sleeps(&mut self) -> Wake {
        self.running -= 1;
        self.asleep += 1;
        self.call()
    }

    /// It goes on.
    pub fn wakes(&mut self) {
        self.asleep -= 1;
        self.running += 1;
    }

    /// Whether the worker that asks, which has taken an item, is to make another worker first. It says so when it has: [`Pool::made`].
    pub fn begin_making(&mut self) -> bool {
        let wanted = self.idle == 0 && !self.making;
        self.making |= wanted;
        wanted
    }

    /// A worker was made, and is idle; or there was no memory for it.
    pub fn made(&mut self, succeeded: bool) -> Wake {
        self.making = false;
        if !succeeded {
            return Wake::No;
        }
        self.idle += 1;
        self.call()
    }

    /// An idle worker looks at `now` what to do.
    pub fn next(&mut self, now: u64) -> Next {
        if self.calls > 0 {
            self.calls -= 1;
            return Next::Work;
        }
        if now >= self.period_end {
            self.surplus = self.fewest_idle.saturating_sub(1);
            self.fewest_idle = self.idle;
            self.period_end = now.saturating_add(PERIOD);
        }
        if self.surplus > 0 && self.idle > 1 {
            self.surplus -= 1;
            self.idle -= 1;
            self.fewest_idle = self.fewest_idle.min(self.idle);
            return Next::End;
        }
        // The last one has no end to wait for.
        Next::Sleep { until: (self.idle > 1).then_some(self.period_end) }
    }

    /// Whether somebody is called who has not looked yet.
    #[must_use]
    pub fn has_call(&self) -> bool {
        self.calls > 0
    }

    fn call(&mut self) -> Wake {
        if self.waiting <= self.calls || self.running >= self.most_running || self.idle == 0 {
            return Wake::No;
        }
        self.idle -= 1;
        self.running += 1;
        self.calls += 1;
        self.fewest_idle = self.fewest_idle.min(self.idle);
        Wake::One
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a worker is at, in the model.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Worker {
        Idle,
        Running,
        Asleep,
    }

    /// Workers one by one, beside the numbers.
    struct Model {
        pool: Pool,
        workers: Vec<Worker>,
        waiting: usize,
        done: usize,
        now: u64,
    }

    impl Model {
        fn new(most_running: usize) -> Self {
            let mut pool = Pool::new(most_running);
            let _ = pool.made(true);
            Self { pool, workers: vec![Worker::Idle], waiting: 0, done: 0, now: 0 }
        }

        fn find(&self, kind: Worker, from: usize) -> Option<usize> {
            let count = self.workers.len();
            (0..count).map(|step| (from + step) % count).find(|&index| self.workers[index] == kind)
        }

        /// A running worker that has no item: takes one, or goes idle.
        fn go_on(&mut self, index: usize) {
            if self.pool.take() {
                self.waiting -= 1;
                if self.pool.begin_making() {
                    self.workers.push(Worker::Idle);
                    let _ = self.pool.made(true);
                }
            } else {
                self.workers[index] = Worker::Idle;
            }
        }

        fn step(&mut self, action: u8, which: usize) {
            match action {
                0 => {
                    let _ = self.pool.queued();
                    self.waiting += 1;
                }
                1 => {
                    if let Some(index) = self.find(Worker::Idle, which) {
                        match self.pool.next(self.now) {
                            Next::Work => {
                                self.workers[index] = Worker::Running;
                                self.go_on(index);
                            }
                            Next::End => {
                                self.workers.remove(index);
                            }
                            Next::Sleep { .. } => {}
                        }
                    }
                }
                2 => {
                    if let Some(index) = self.find(Worker::Running, which) {
                        let _ = self.pool.sleeps();
                        self.workers[index] = Worker::Asleep;
                    }
                }
                3 => {
                    if let Some(index) = self.find(Worker::Asleep, which) {
                        self.pool.wakes();
                        self.workers[index] = Worker::Running;
                    }
                }
                4 => {
                    if let Some(index) = self.find(Worker::Running, which) {
                        self.done += 1;
                        self.go_on(index);
                    }
                }
                _ => self.now += PERIOD / 3,
            }
        }

        fn check(&self) {
            let count = |kind| self.workers.iter().filter(|worker| **worker == kind).count();
            let pool = &self.pool;
            // Those that are called count as running, and have not looked yet.
            assert_eq!(pool.running, count(Worker::Running) + pool.calls);
            assert_eq!(pool.idle + pool.calls, count(Worker::Idle));
            assert_eq!((pool.asleep, pool.waiting), (count(Worker::Asleep), self.waiting));
            // Nobody who could be called is forgotten.
            assert!(pool.waiting <= pool.calls || pool.running >= pool.most_running || pool.idle == 0, "{pool:?}");
            // Where all that have items sleep, there is somebody to call.
            assert!(pool.idle > 0 || pool.running > 0, "{pool:?}");
        }
    }

    proptest! {
        #[test]
        fn nobody_is_forgotten_and_all_is_done(
            most in 1usize..4,
            steps in prop::collection::vec((0u8..6, 0usize..8), 0..200),
        ) {
            let mut model = Model::new(most);
            let mut queued = 0;
            for (action, which) in steps {
                queued += usize::from(action == 0);
                model.step(action, which);
                model.check();
            }
            for _ in 0..1000 {
                for action in [3, 4, 1] {
                    model.step(action, 0);
                    model.check();
                }
            }
            prop_assert_eq!((model.done, model.waiting), (queued, 0));
        }

        /// After a burst, all but one end, within three periods.
        #[test]
        fn the_surplus_ends(burst in 1usize..30) {
            let mut model = Model::new(1);
            for _ in 0..burst {
                model.step(0, 0);
                model.step(1, 0);
                model.step(2, 0);
            }
            prop_assert_eq!(model.workers.len(), burst + 1);
            for _ in 0..burst {
                model.step(3, 0);
                model.step(4, 0);
            }
            for _ in 0..12 {
                model.step(5, 0);
                for _ in 0..=burst {
                    model.step(1, 0);
                    model.check();
                }
            }
            prop_assert_eq!(model.workers.len(), 1);
        }
    }

    #[test]
    fn one_at_a_time_unless_it_sleeps() {
        let mut pool = Pool::new(1);
        let _ = pool.made(true);
        let _ = pool.made(true);
        assert_eq!((pool.queued(), pool.queued()), (Wake::One, Wake::No));
        assert_eq!(pool.next(0), Next::Work);
        assert!(pool.take());
        assert_eq!(pool.sleeps(), Wake::One);
        assert_eq!(pool.next(0), Next::Work);
        assert!(pool.take());
        // The first goes on, and finds that it is one too many.
        pool.wakes();
        assert_eq!(pool.queued(), Wake::No);
        assert!(!pool.take());
        assert!(pool.take(), "the other goes on with what waits");
    }
}
