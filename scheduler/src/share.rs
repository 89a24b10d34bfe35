//! Changes of a thread's share and of its CPUs, by whomever and wherever the thread is: they take effect at once.
use crate::clock;
use crate::cpus;
use crate::run::{self, Queue, publish};
use crate::wake;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sched::{Entity, Nice, Policy, Position, Preempt};
use sync::Thread;
use sync::thread::Sleep;

/// Where a thread's account is. With the run queue locked.
enum Place {
    Running,
    Queued(Position),
    Asleep,
}

/// Nanoseconds to wait for a thread that is on its way between two queues.
const ON_ITS_WAY: u64 = 1_000_000;

/// Finds `thread` and has `found` do what it is sought for, with the queue of its CPU locked. `None` for one that has no account: not yet, or
/// no more. May sleep.
fn find<R>(thread: &Thread, mut found: impl FnMut(usize, Queue<'static>, Place) -> R) -> Option<R> {
    loop {
        let id = thread.account.load(Ordering::Relaxed);
        if id == 0 || thread.state() == Sleep::Dead as u32 {
            return None;
        }
        let home = thread.cpu();
        let queue = cpus::cpu(home).queue.lock();
        if thread.cpu() != home {
            continue;
        }
        let position = Position { vruntime: thread.virtual_time.load(Ordering::Relaxed), id };
        let place = if queue.current().is_some_and(|current| core::ptr::eq(Arc::as_ptr(current), thread)) {
            Place::Running
        } else if queue.fair().contains(position) {
            Place::Queued(position)
        } else if thread.is_parked() {
            Place::Asleep
        } else {
            drop(queue);
            let _ = sync::park(Sleep::Uninterruptible, Some(sync::now() + ON_ITS_WAY), || None::<()>);
            continue;
        };
        return Some(found(home, queue, place));
    }
}

/// Changes nice value and policy of `thread`. May sleep.
pub fn set_share(thread: &Thread, nice: Nice, policy: Policy) {
    let _ = find(thread, |home, mut queue, place| {
        let now = clock::now();
        let preempt = match place {
            Place::Running => queue.fair_mut().set_share_of_current(nice, policy, now),
            Place::Queued(position) => {
                queue.fair_mut().set_share_of_queued(position, nice, policy, now).unwrap_or(Preempt::No)
            }
            Place::Asleep => {
                thread.with_parked(|parked| {
                    if let Some(entity) = parked.downcast_mut::<Entity<Arc<Thread>>>() {
                        entity.set_share(nice, policy);
                    }
                });
                Preempt::No
            }
        };
        publish(cpus::cpu(home), &queue);
        wake::after_enqueue(home, preempt, 0);
    });
}

/// After a change of `thread`'s CPUs: takes it away from one where it may not run. A sleeper finds its CPU when it wakes. May sleep.
pub fn enforce_affinity(thread: &Thread) {
    let own = core::ptr::eq(&raw const *sync::current(), thread);
    while !thread.affinity.allows(thread.cpu()) {
        let leaves = find(thread, |home, mut queue, place| match place {
            Place::Asleep => false,
            Place::Queued(position) => {
                let migrant = queue.fair_mut().detach(position);
                publish(cpus::cpu(home), &queue);
                drop(queue);
                migrant.into_iter().for_each(crate::balance::settle);
                false
            }
            Place::Running => {
                // It sees for itself on its way through the scheduler.
                wake::after_enqueue(home, Preempt::Yes, 0);
                true
            }
        });
        if !(own && leaves == Some(true)) {
            return;
        }
        run::move_away();
    }
}
