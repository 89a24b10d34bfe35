//! What processes talk through and wait for, apart from files and sockets: pipes, futexes, event counters, epoll.
//!
//! **Problem.** Objects that live between threads: each has a state, and threads that wait for it to change. What a
//! descriptor, a path or a signal is, nobody here knows: a floor above turns descriptors into [`pipe::PipeEnd`]s and user
//! addresses into [`futex::Key`]s, and raises SIGPIPE when a write says that it met a broken pipe.
//!
//! **Model.** State changes under the object's lock; wake-ups follow after it is dropped. A sleeper looks at a summary in
//! atomics (never at the lock, since it has announced its sleep already) and takes the lock again when it is awake.
//!
//! **Waking few.** Readers and writers wait exclusively, and are woken one at a time on the edge (empty, full). Whoever
//! leaves something for others wakes the next, so that an edge seen by one is never lost to the rest. Pollers stand in
//! queues of their own, since a wake-up for one must still reach all of them.
//!
//! **Locks.** `Rank::Pipe` (a sleeping lock: user memory is copied under it) comes before `Rank::AddressSpace`, which faults
//! take. `Rank::Futex` is a spinlock per bucket; user words are read under it by a closure that does not sleep.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod epoll;
mod event_counter;
mod failure;
pub mod futex;
pub mod pipe;
mod readiness;

pub use event_counter::EventCounter;
pub use failure::Failure;
pub use readiness::Readiness;
