//! Who runs next on a CPU, and for how long.
//!
//! **Problem.** Runnable threads share a CPU in proportion to their weights, a thread that wakes up runs soon, and the
//! decision costs a few dozen instructions under a lock that is held with interrupts off: nothing here may allocate,
//! sleep or read a clock.
//!
//! **Model.** Each thread has an [`Entity`], which counts *virtual runtime*: nanoseconds run, scaled by 1024 over its
//! weight. Whoever has least runs next, so that all virtual runtimes advance together and real time is shared by weight.
//! A queue keeps its entities in an ordered [tree](tree) with the first of them at hand, except the one that runs,
//! which sits in `current`. `min_vruntime` follows the front of the queue, never backwards: newcomers and sleepers are placed
//! relative to it, and an entity that changes queue carries only its distance from it.
//!
//! **The entity is a token.** A `Box<Entity>` is in exactly one place: in the hands of its sleeping thread, in a tree, in a
//! `current` seat, or on its way ([`Migrant`]). Whether it is runnable is where it is, not a flag. The tree's links are the
//! boxes themselves, so moving a thread between queues moves one pointer, and the only allocation is the box, made by
//! whoever creates the thread. The thread that an entity stands for (`T`, a counted pointer in the kernel) is handed in
//! with it and handed out with it: no reference counts change on the way.
//!
//! **Invariants.** The queue's `load` is the sum of the weights of its tree and `current`. A queued entity's virtual
//! runtime does not change, so its [`Position`] finds it again in O(log n). Virtual runtimes are compared by wrapping
//! difference; those of one queue lie within half the number range of each other.
//!
//! **Locks.** None here. The owner keeps a [`RunQueue`] per CPU under a lock that holds off interrupts; each method is
//! called with that lock held. Moving between queues needs no two locks at once: the [`Migrant`] travels between them.
//!
//! **Why not** slots in an array: a migrating thread would need a slot reserved in every queue. Why not parent pointers
//! and red-black nodes: a tree of owned boxes cannot have them in safe code, and a treap needs neither. EEVDF can stand
//! beside [`FairQueue`] with the same entities; [`Class`] orders what else may come above.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod balance;
mod class;
mod entity;
mod fair;
mod placement;
mod run_queue;
pub mod tree;
mod tunables;
mod watch;
mod weight;

pub use balance::{Balancer, CpuLoad, Pull, fork_target, idle_pull, interval_ns, wake_target};
pub use class::{Class, Policy};
pub use entity::{Entity, Migrant, Position, Runnable};
pub use fair::{FairQueue, Home};
pub use run_queue::{RunQueue, Sleep};
pub use tunables::Tunables;
pub use watch::Watch;
pub use weight::{Nice, Weight};

/// Whether the CPU that owns the queue should go through the scheduler as soon as it may.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preempt {
    No,
    Yes,
}

impl From<bool> for Preempt {
    fn from(wanted: bool) -> Self {
        if wanted { Self::Yes } else { Self::No }
    }
}

/// What came of making an entity runnable.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Enqueued {
    /// Where it stands; finds it again while it is queued.
    pub position: Position,
    /// Whether it should run in place of what runs now.
    pub preempt: Preempt,
}
