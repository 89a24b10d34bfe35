//! What the scheduler knows of one thread.

use crate::tree::Link;
use crate::tunables::LONG_SLEEP_NS;
use crate::{Nice, Policy, Weight};
use alloc::boxed::Box;

/// One thread's account with the fair class: a token that is in exactly one place (see the crate's root).
///
/// `T` is what stands for the thread while it is runnable. Times are nanoseconds of the clock that the caller passes.
#[derive(Debug)]
pub struct Entity<T> {
    pub(crate) position: Position,
    pub(crate) weight: Weight,
    nice: Nice,
    policy: Policy,
    pub(crate) exec_start: u64,
    pub(crate) sum_exec: u64,
    pub(crate) slice_start: u64,
    pub(crate) queued_at: u64,
    pub(crate) run_delay: u64,
    pub(crate) times_run: u64,
    pub(crate) priority: u32,
    pub(crate) left: Link<T>,
    pub(crate) right: Link<T>,
}

impl<T> Entity<T> {
    /// The account of a new thread; box it where sleeping and failing are allowed. `id` must differ from that of every
    /// other live entity (the thread's identifier will do) and breaks ties: the lower goes first.
    #[must_use]
    pub fn new(id: u64, nice: Nice, policy: Policy) -> Self {
        let mut entity = Self {
            position: Position { vruntime: 0, id },
            weight: Weight::NICE_0,
            nice,
            policy,
            exec_start: 0,
            sum_exec: 0,
            slice_start: 0,
            queued_at: 0,
            run_delay: 0,
            times_run: 0,
            priority: 0,
            left: None,
            right: None,
        };
        entity.set_share(nice, policy);
        entity
    }

    /// Changes nice value and policy of an entity that is in no queue; a queue has methods for those that are.
    pub fn set_share(&mut self, nice: Nice, policy: Policy) {
        self.nice = nice;
        self.policy = policy;
        self.weight = if policy == Policy::Idle { Weight::IDLE } else { nice.weight() };
    }

    #[must_use]
    pub fn id(&self) -> u64 {
        self.position.id
    }

    #[must_use]
    pub fn nice(&self) -> Nice {
        self.nice
    }

    #[must_use]
    pub fn policy(&self) -> Policy {
        self.policy
    }

    #[must_use]
    pub fn weight(&self) -> Weight {
        self.weight
    }

    /// Virtual runtime in nanoseconds; comparable only within the queue that it was last in.
    #[must_use]
    pub fn vruntime(&self) -> u64 {
        self.position.vruntime
    }

    /// Time on a CPU since the thread began, up to the queue's last update.
    #[must_use]
    pub fn sum_exec_ns(&self) -> u64 {
        self.sum_exec
    }

    /// Time spent runnable and waiting (`/proc/PID/schedstat`, second field).
    #[must_use]
    pub fn run_delay_ns(&self) -> u64 {
        self.run_delay
    }

    /// Turns on a CPU (`/proc/PID/schedstat`, third field).
    #[must_use]
    pub fn times_run(&self) -> u64 {
        self.times_run
    }

    pub(crate) fn slept_long(&self, now: u64) -> bool {
        now.saturating_sub(self.exec_start) > LONG_SLEEP_NS
    }

    /// Accounts for `real` nanoseconds on the CPU.
    pub(crate) fn ran(&mut self, real: u64) {
        self.sum_exec = self.sum_exec.wrapping_add(real);
        self.position.vruntime = self.position.vruntime.wrapping_add(self.weight.scale(real));
    }
}

/// An entity's place in a queue's order. Keep its `vruntime` beside the thread to find the entity while it is queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    pub vruntime: u64,
    pub id: u64,
}

impl Position {
    /// Whether `self` comes before `other`. Virtual runtimes wrap around, so only differences mean anything.
    #[inline]
    #[must_use]
    pub fn before(self, other: Self) -> bool {
        let ahead = self.ahead_of(other.vruntime);
        ahead < 0 || (ahead == 0 && self.id < other.id)
    }

    /// How much more virtual runtime than `vruntime`.
    #[inline]
    pub(crate) fn ahead_of(self, vruntime: u64) -> i64 {
        self.vruntime.wrapping_sub(vruntime) as i64
    }
}

/// A runnable entity together with its thread.
#[derive(Debug)]
pub struct Runnable<T> {
    pub entity: Box<Entity<T>>,
    pub owner: T,
}

/// A runnable entity between two queues: its virtual runtime is relative to `min_vruntime`. Only a queue can take it in.
#[must_use = "the thread would never run again"]
#[derive(Debug)]
pub struct Migrant<T>(Runnable<T>);

impl<T> Migrant<T> {
    pub(crate) fn leaving(mut runnable: Runnable<T>, min_vruntime: u64) -> Self {
        let position = &mut runnable.entity.position;
        position.vruntime = position.vruntime.wrapping_sub(min_vruntime);
        Self(runnable)
    }

    pub(crate) fn arriving(self, min_vruntime: u64) -> Runnable<T> {
        let mut runnable = self.0;
        let position = &mut runnable.entity.position;
        position.vruntime = position.vruntime.wrapping_add(min_vruntime);
        runnable
    }

    #[must_use]
    pub fn owner(&self) -> &T {
        &self.0.owner
    }
}
