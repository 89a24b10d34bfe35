//! Classes of scheduling, and the policies of the fair one.

/// The classes, from the one that always runs first to the one that runs when nothing else can (`sched(7)`).
/// Only the fair class has a queue so far.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    Deadline,
    RealTime,
    Fair,
    Idle,
}

/// How an entity of the fair class behaves towards others (`sched(7)`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Policy {
    /// `SCHED_OTHER`.
    #[default]
    Normal,
    /// `SCHED_BATCH`: does not preempt on waking.
    Batch,
    /// `SCHED_IDLE`: the least weight; anything else preempts it on waking.
    Idle,
}
