//! The queue of the fair class on one CPU.

use crate::entity::{Entity, Migrant, Position, Runnable};
use crate::tree::Tree;
use crate::{Enqueued, Nice, Policy, Preempt, Tunables, Weight, placement};

/// Where a waking thread last ran.
#[derive(Clone, Copy, Debug)]
pub enum Home {
    /// In this queue.
    Here,
    /// In another, whose `min_vruntime` now is this (a recent copy will do).
    Elsewhere { min_vruntime: u64 },
}

/// One CPU's runnable entities of the fair class. Call with the run queue's lock held; nothing here allocates or sleeps.
#[derive(Debug)]
pub struct FairQueue<T> {
    tree: Tree<T>,
    current: Option<Runnable<T>>,
    load: u64,
    min_vruntime: u64,
    tunables: Tunables,
    yielded: bool,
}

impl<T> FairQueue<T> {
    #[must_use]
    pub fn new(tunables: Tunables) -> Self {
        // Starting shortly before wrapping around, so that every boot passes through it.
        let min_vruntime = 0_u64.wrapping_sub(1 << 20);
        Self { tree: Tree::default(), current: None, load: 0, min_vruntime, tunables, yielded: false }
    }

    /// The entity that runs, if it is one of this class.
    #[inline]
    #[must_use]
    pub fn current(&self) -> Option<&Runnable<T>> {
        self.current.as_ref()
    }

    /// Runnable entities, the running one included.
    #[inline]
    #[must_use]
    pub fn running(&self) -> usize {
        self.tree.len() + usize::from(self.current.is_some())
    }

    /// The sum of their weights.
    #[must_use]
    pub fn load(&self) -> u64 {
        self.load
    }

    /// The front of the queue in virtual time. Publish a copy for [`Home::Elsewhere`].
    #[must_use]
    pub fn min_vruntime(&self) -> u64 {
        self.min_vruntime
    }

    pub fn set_tunables(&mut self, tunables: Tunables) {
        self.tunables = tunables;
    }

    /// Brings the running entity's account up to `now`; returns the nanoseconds added (for the thread's CPU clock).
    #[inline]
    pub fn update_current(&mut self, now: u64) -> u64 {
        let Some(current) = &mut self.current else {
            return 0;
        };
        let entity = &mut current.entity;
        // Clocks of two CPUs may differ by a little; never count backwards.
        let ran = now.saturating_sub(entity.exec_start);
        if ran > 0 {
            entity.exec_start = now;
            entity.ran(ran);
            self.advance();
        }
        ran
    }

    /// Takes in a thread that has never run.
    pub fn enqueue_new(&mut self, mut runnable: Runnable<T>, now: u64) -> Enqueued {
        self.update_current(now);
        let slice = self.slice_of(runnable.entity.weight, self.running() + 1, self.load_with(&runnable));
        let slice = runnable.entity.weight.scale(slice);
        let current = self.current.as_ref().map(|current| current.entity.vruntime());
        runnable.entity.position.vruntime = placement::of_new(self.min_vruntime, slice, current);
        self.queue(runnable, now)
    }

    /// Takes in a thread that slept.
    pub fn enqueue_woken(&mut self, mut runnable: Runnable<T>, home: Home, now: u64) -> Enqueued {
        self.update_current(now);
        let entity = &mut runnable.entity;
        if let Home::Elsewhere { min_vruntime } = home {
            let distance = entity.position.vruntime.wrapping_sub(min_vruntime);
            entity.position.vruntime = self.min_vruntime.wrapping_add(distance);
        }
        entity.position.vruntime = placement::of_woken(entity, self.min_vruntime, &self.tunables, now);
        self.queue(runnable, now)
    }

    /// Takes in a runnable thread from another queue.
    pub fn attach(&mut self, migrant: Migrant<T>, now: u64) -> Enqueued {
        self.update_current(now);
        self.queue(migrant.arriving(self.min_vruntime), now)
    }

    /// Takes out a queued thread, for another queue. `None` if it is not queued here at `position`.
    pub fn detach(&mut self, position: Position) -> Option<Migrant<T>> {
        let runnable = self.tree.remove(position)?;
        self.load = self.load.saturating_sub(u64::from(runnable.entity.weight.share()));
        self.advance();
        Some(Migrant::leaving(runnable, self.min_vruntime))
    }

    /// Takes out the running thread, for another queue (its affinity has changed, or its CPU goes away).
    pub fn detach_current(&mut self, now: u64) -> Option<Migrant<T>> {
        let runnable = self.take_current(now)?;
        Some(Migrant::leaving(runnable, self.min_vruntime))
    }

    /// Takes out the running thread, which goes to sleep or ends.
    pub fn take_current(&mut self, now: u64) -> Option<Runnable<T>> {
        self.update_current(now);
        let runnable = self.current.take()?;
        self.yielded = false;
        self.load = self.load.saturating_sub(u64::from(runnable.entity.weight.share()));
        self.advance();
        Some(runnable)
    }

    /// Chooses who runs from `now` on: the running entity, if there is one, or the first of the queue. An entity that gives
    /// way is queued where it was after `update_current(now)`.
    #[inline]
    pub fn pick_next(&mut self, now: u64) -> Option<&Runnable<T>> {
        self.update_current(now);
        let yielded = core::mem::take(&mut self.yielded);
        let Some(current) = &mut self.current else {
            return self.seat_first(now);
        };
        let entity = &mut current.entity;
        match self.tree.first() {
            Some(first) if gives_way(entity, first, yielded, &self.tunables) => {
                let left = self.current.take();
                // Out first, then in: one that yields may still stand before the one that it lets by.
                self.seat_first(now);
                if let Some(left) = left {
                    self.put_back(left, now);
                }
            }
            _ => entity.slice_start = entity.sum_exec,
        }
        self.current.as_ref()
    }

    /// Gives the empty seat to the first entity.
    #[inline]
    fn seat_first(&mut self, now: u64) -> Option<&Runnable<T>> {
        let mut first = self.tree.pop_first()?;
        let entity = &mut first.entity;
        entity.run_delay = entity.run_delay.wrapping_add(now.saturating_sub(entity.queued_at));
        entity.times_run = entity.times_run.wrapping_add(1);
        entity.exec_start = now;
        entity.slice_start = entity.sum_exec;
        Some(self.current.insert(first))
    }

    /// The running thread called `sched_yield(2)`. The scheduler is to be entered next.
    pub fn yield_current(&mut self) {
        self.yielded = self.current.is_some();
    }

    /// The timer's tick.
    pub fn tick(&mut self, now: u64) -> Preempt {
        self.update_current(now);
        let (Some(current), Some(first)) = (&self.current, self.tree.first()) else {
            return Preempt::No;
        };
        let entity = &current.entity;
        let ran = entity.sum_exec.wrapping_sub(entity.slice_start);
        let slice = self.slice_of(entity.weight, self.running(), self.load);
        placement::tick_preempts(entity.position, first, ran, slice, &self.tunables).into()
    }

    /// What is left of the running entity's slice, in nanoseconds of real time; `None` if nobody waits for the CPU, so
    /// that no tick is needed on its account.
    #[must_use]
    pub fn slice_left_ns(&self) -> Option<u64> {
        self.tree.first()?;
        let entity = &self.current.as_ref()?.entity;
        let ran = entity.sum_exec.wrapping_sub(entity.slice_start);
        Some(self.slice_of(entity.weight, self.running(), self.load).saturating_sub(ran))
    }

    /// Changes nice value and policy of the running thread.
    pub fn set_share_of_current(&mut self, nice: Nice, policy: Policy, now: u64) -> Preempt {
        self.update_current(now);
        let waiting = !self.tree.is_empty();
        let Some(current) = &mut self.current else {
            return Preempt::No;
        };
        let before = current.entity.weight.share();
        let after = change_share(&mut self.load, &mut current.entity, nice, policy);
        Preempt::from(waiting && after < before)
    }

    /// The same for a queued thread. `None` if it is not queued here at `position`.
    pub fn set_share_of_queued(&mut self, position: Position, nice: Nice, policy: Policy, now: u64) -> Option<Preempt> {
        self.update_current(now);
        let entity = self.tree.get_mut(position)?;
        change_share(&mut self.load, entity, nice, policy);
        let preempt = self
            .current
            .as_ref()
            .is_none_or(|current| placement::wakeup_preempts(&current.entity, entity, &self.tunables));
        Some(preempt.into())
    }

    /// Whether an entity is queued here at `position`.
    #[must_use]
    pub fn contains(&self, position: Position) -> bool {
        self.tree.contains(position)
    }

    /// The queued entity that a busy CPU should give away first: among the last `budget`, the one furthest from running
    /// that `movable` accepts.
    #[must_use]
    pub fn find_movable(&self, budget: usize, movable: &mut dyn FnMut(&Runnable<T>) -> bool) -> Option<Position> {
        self.tree.find_last(budget, movable)
    }

    fn queue(&mut self, runnable: Runnable<T>, now: u64) -> Enqueued {
        self.load = self.load_with(&runnable);
        let position = runnable.entity.position;
        let preempt = match &self.current {
            Some(current) => placement::wakeup_preempts(&current.entity, &runnable.entity, &self.tunables),
            None => true,
        };
        self.put_back(runnable, now);
        Enqueued { position, preempt: preempt.into() }
    }

    fn put_back(&mut self, mut runnable: Runnable<T>, now: u64) {
        runnable.entity.queued_at = now;
        self.tree.insert(runnable);
    }

    /// Moves `min_vruntime` up to the least virtual runtime here, never back.
    fn advance(&mut self) {
        let current = self.current.as_ref().map(|current| current.entity.vruntime());
        let first = self.tree.first().map(|first| first.vruntime);
        let least = match (current, first) {
            (Some(current), Some(first)) if placement::ahead(current, first) > 0 => first,
            (Some(current), _) => current,
            (None, Some(first)) => first,
            (None, None) => return,
        };
        if placement::ahead(least, self.min_vruntime) > 0 {
            self.min_vruntime = least;
        }
    }

    fn load_with(&self, runnable: &Runnable<T>) -> u64 {
        self.load.saturating_add(u64::from(runnable.entity.weight.share()))
    }

    /// The share of the period that `weight` has among `running` entities of `load` together.
    fn slice_of(&self, weight: Weight, running: usize, load: u64) -> u64 {
        let period = self.tunables.period_ns(running);
        let share = period.saturating_mul(u64::from(weight.share())).checked_div(load).unwrap_or(period);
        share.max(self.tunables.min_granularity_ns)
    }
}

/// Gives `entity` its new weight, in it and in the `load` of its queue; says which it is.
fn change_share<T>(load: &mut u64, entity: &mut Entity<T>, nice: Nice, policy: Policy) -> u32 {
    let before = u64::from(entity.weight.share());
    entity.set_share(nice, policy);
    let after = entity.weight.share();
    *load = load.saturating_sub(before).saturating_add(u64::from(after));
    after
}

fn gives_way<T>(current: &Entity<T>, first: Position, yielded: bool, tunables: &Tunables) -> bool {
    first.before(current.position) || (yielded && placement::yields_to(current, first, tunables))
}
