//! A CPU's run queue: its classes in order, and what is counted of them together.

use crate::{Class, Enqueued, FairQueue, Home, Migrant, Preempt, Runnable, Tunables};
use core::fmt;

/// How a thread sleeps: those that sleep uninterruptibly count towards the load average (`proc(5)`, `loadavg`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sleep {
    Interruptible,
    Uninterruptible,
}

/// One CPU's runnable threads of every class. Kept under a lock that holds interrupts off; nothing here allocates.
#[derive(Debug)]
pub struct RunQueue<T> {
    fair: FairQueue<T>,
    switches: u64,
    /// Who was picked last; `None` for the idle thread.
    last: Option<u64>,
    /// Uninterruptible sleepers that slept here, less those that woke here: only the sum over all CPUs means anything.
    uninterruptible: i64,
    counted_active: i64,
}

impl<T> RunQueue<T> {
    #[must_use]
    pub fn new(tunables: Tunables) -> Self {
        Self { fair: FairQueue::new(tunables), switches: 0, last: None, uninterruptible: 0, counted_active: 0 }
    }

    /// The fair class's queue, for what concerns it alone (shares, detaching, `min_vruntime`).
    #[must_use]
    pub fn fair(&self) -> &FairQueue<T> {
        &self.fair
    }

    pub fn fair_mut(&mut self) -> &mut FairQueue<T> {
        &mut self.fair
    }

    /// The class of what runs.
    #[must_use]
    pub fn class(&self) -> Class {
        if self.fair.current().is_some() { Class::Fair } else { Class::Idle }
    }

    /// The running thread; `None` for the idle thread.
    #[inline]
    #[must_use]
    pub fn current(&self) -> Option<&T> {
        self.fair.current().map(|runnable| &runnable.owner)
    }

    /// Runnable threads, the running one included.
    #[inline]
    #[must_use]
    pub fn running(&self) -> usize {
        self.fair.running()
    }

    /// Switches between threads since boot (`/proc/stat`, `ctxt`, is the sum over the CPUs).
    #[must_use]
    pub fn switches(&self) -> u64 {
        self.switches
    }

    /// Takes in a thread that has never run.
    pub fn start(&mut self, runnable: Runnable<T>, now: u64) -> Enqueued {
        self.fair.enqueue_new(runnable, now)
    }

    /// Takes in a thread that slept as `sleep` says.
    pub fn wake(&mut self, runnable: Runnable<T>, home: Home, sleep: Sleep, now: u64) -> Enqueued {
        if sleep == Sleep::Uninterruptible {
            self.uninterruptible -= 1;
        }
        self.fair.enqueue_woken(runnable, home, now)
    }

    /// Takes in a runnable thread from another CPU.
    pub fn attach(&mut self, migrant: Migrant<T>, now: u64) -> Enqueued {
        self.fair.attach(migrant, now)
    }

    /// Takes out the running thread, which goes to sleep. `None` from the idle thread, which may not.
    pub fn block(&mut self, sleep: Sleep, now: u64) -> Option<Runnable<T>> {
        let runnable = self.fair.take_current(now)?;
        if sleep == Sleep::Uninterruptible {
            self.uninterruptible += 1;
        }
        Some(runnable)
    }

    /// Chooses who runs from `now` on, by class; `None` is the idle thread.
    #[inline]
    pub fn pick_next(&mut self, now: u64) -> Option<&T> {
        let next = self.fair.pick_next(now);
        let id = next.map(|runnable| runnable.entity.id());
        if id != self.last {
            self.last = id;
            self.switches = self.switches.wrapping_add(1);
        }
        next.map(|runnable| &runnable.owner)
    }

    /// The timer's tick.
    pub fn tick(&mut self, now: u64) -> Preempt {
        self.fair.tick(now)
    }

    /// This CPU's part of the uninterruptible sleepers; only the sum over all CPUs means anything.
    #[must_use]
    pub fn uninterruptible(&self) -> i64 {
        self.uninterruptible
    }

    /// By how much this CPU's part of the load average's count (runnable and uninterruptible threads) has changed since
    /// the last call; add it to the count of the whole machine.
    pub fn take_active_change(&mut self) -> i64 {
        let active = self.running() as i64 + self.uninterruptible;
        let change = active - self.counted_active;
        self.counted_active = active;
        change
    }
}

/// One line for panic reports.
impl<T> fmt::Display for RunQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fair = &self.fair;
        write!(f, "{} runnable, load {}, ", fair.running(), fair.load())?;
        match fair.current() {
            Some(current) => write!(f, "running {} at {}", current.entity.id(), current.entity.vruntime())?,
            None => f.write_str("idle")?,
        }
        write!(f, ", min vruntime {}, {} switches", fair.min_vruntime(), self.switches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entity, Nice, Policy};
    use alloc::boxed::Box;

    fn thread(id: u64) -> Runnable<u64> {
        Runnable { entity: Box::new(Entity::new(id, Nice::default(), Policy::Normal)), owner: id }
    }

    #[test]
    fn counts_switches_and_active_threads() {
        let mut queue = RunQueue::new(Tunables::for_cpus(1));
        assert_eq!(queue.pick_next(0), None);
        assert_eq!((queue.class(), queue.switches()), (Class::Idle, 0));
        assert_eq!(queue.start(thread(1), 0).preempt, Preempt::Yes);
        assert_eq!(queue.pick_next(0), Some(&1));
        assert_eq!(queue.pick_next(5), Some(&1));
        assert_eq!((queue.class(), queue.switches()), (Class::Fair, 1));
        assert_eq!(queue.take_active_change(), 1);
        let sleeper = queue.block(Sleep::Uninterruptible, 9).unwrap();
        assert_eq!(queue.pick_next(9), None);
        assert_eq!(queue.take_active_change(), 0);
        let mut other = RunQueue::new(Tunables::for_cpus(1));
        let _ = other.wake(sleeper, Home::Here, Sleep::Uninterruptible, 20);
        let sleeper = {
            other.pick_next(20);
            other.block(Sleep::Interruptible, 30)
        };
        assert_eq!(sleeper.map(|sleeper| sleeper.entity.sum_exec_ns()), Some(19));
        assert_eq!(queue.take_active_change() + other.take_active_change(), -1);
        assert_eq!(queue.switches(), 2);
        assert!(queue.to_string().starts_with("0 runnable, load 0, idle"));
    }
}
