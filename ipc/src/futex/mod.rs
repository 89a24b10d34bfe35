//! Futexes (`futex(2)`): waiting for a word in user memory.
//!
//! **Problem.** Threads sleep on any word of memory without having declared it, and a wake-up must not be lost between a
//! waiter's look at the word and its sleep.
//!
//! **Model.** A hash table of buckets, each under a spinlock. A waiter looks at the word *under the bucket's lock* and is
//! queued before the lock is dropped; whoever changes the word does so first and takes the lock afterwards to wake. In a
//! bucket each key has a queue of its own, so the cost of a call does not depend on who waits for other words, and waiters
//! are woken in the order of their coming.
//!
//! **User memory under a spinlock.** The closures that read or change the word must not sleep. Where the page is not there
//! they answer [`Fault`]; the call then drops everything and fails with [`FutexFailure::Fault`], and its caller brings the
//! page in, makes the key anew (a shared page may be another one by now), and calls again.
//!
//! **No allocation under locks.** Places in a bucket are reserved with the lock dropped, and given back when it empties.
//! A thread brings its own [`Waiter`], which lives as long as the thread, so that waiting itself allocates nothing.
//!
//! **Lock order.** `Rank::Futex`; two buckets in the order of their addresses. Wake-ups follow after the lock is dropped,
//! but for the overflow of a large batch.
mod bucket;
mod operation;
mod robust;
mod table;
mod waiter;

pub use operation::{Comparison, WakeOperation};
pub use robust::{RobustMemory, walk_robust_list};
pub use table::{Count, FutexFailure, Futexes, Requeued};
pub use waiter::Waiter;

/// Matches every waiter (FUTEX_BITSET_MATCH_ANY).
pub const MATCH_ANY: u32 = u32::MAX;

/// What a futex is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A word in an address space, by the number of the address space.
    Private { space: u64, address: u64 },
    /// A word in an object that several address spaces may map (a file's inode or a shared anonymous object), by the
    /// object's number and the offset in bytes.
    Shared { object: u64, offset: u64 },
}

/// A word of user memory that cannot be reached without sleeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

#[cfg(test)]
mod tests;
