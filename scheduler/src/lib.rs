//! Threads on CPUs: run queues, the switch, sleeping and waking, timers, the clock.
//!
//! This crate gives the pure decisions of `sched` and `time` their locks, their clock and their interrupts, and implements
//! what `sync` asks of a scheduler. It knows threads, not processes.
//!
//! **Run queues.** One per CPU, under a spinlock that holds interrupts off. The lock is taken on the old stack, crosses the
//! switch inside [`sync::switch`], and is released on the new one. A thread's account with the fair class is a token: in a
//! queue while it is runnable, parked in the thread while it sleeps.
//!
//! **Sleeping.** The thread announces its state and calls the scheduler, which parks it only if the state still says so.
//! **Waking.** Whoever moves the state from "asleep" to "waking" owns the wake-up: under the lock of the thread's last queue
//! it finds the parked account (and enqueues it, here or on a better CPU), or finds none because the thread has not let go
//! of its CPU yet (and then only sets the state back).
//!
//! **Who leaves a queue while it stands on its stack** cannot see to itself: a thread that has ended cannot free that stack, and one that may not
//! run on this CPU any more cannot be queued on another. The account goes to the CPU's `left` seat, and whoever runs next there drops it or
//! finds another CPU for it.
//!
//! **Balancing** moves threads that are runnable, and therefore threads that were preempted in the kernel: a look at this CPU's number or data
//! holds preemption off, or is stale. See [`balance`]; changes of shares and CPUs by others: [`share`].
//!
//! **Timers.** A queue per CPU, served from the timer interrupt; the hardware is armed for the first of them, and for the
//! next tick while a thread is runnable (tickless when idle).
//!
//! **The watchdog** is one slow timer per CPU; see [`watchdog`].
//!
//! **Accounts.** How long a thread ran is exact; what it did meanwhile, and what its CPU did, is sampled by the tick
//! ([`accounting`]). Counters are written by their own CPU alone, and read by whoever asks.
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]
#![cfg(target_os = "none")]

extern crate alloc;

mod accounting;
mod balance;
mod clock;
mod cpus;
mod remote;
mod run;
mod share;
mod threads;
mod timers;
mod wake;
pub mod watchdog;

pub use accounting::{load_average, threads_started};
pub use balance::{Balance, threads_pulled};
pub use clock::{
    clock, monotonic_coarse, publish_to as publish_clock_to, realtime, realtime_coarse, set_clock, set_realtime,
};
pub use cpus::{Chip, CpuStatistics, become_idle_thread, cpu_count, idle, start_cpus, statistics};
pub use remote::{Request, call, give_back_kept, remote_interrupt, set_remote_interrupt};
pub use run::{SleepObserver, Softirqs, register, run_time, set_sleep_observer, with_queue_locked, yield_now};
pub use share::{enforce_affinity, set_share};
pub use threads::{exit_thread, start};
pub use timers::{Expire, Timer, timer_interrupt};
pub use wake::{interrupt_sleep, kill_sleep, reschedule_interrupt, wake_stopped};
