//! Nice values, policies and CPUs of tasks, and when they take effect.
//!
//! Only a running thread changes its own account with the scheduler, and its CPU. What is set by another task is seen at once by
//! getpriority(2) and the like, and by forks; it takes effect when its thread next enters user mode, is interrupted there, or wakes up.
use crate::task::Task;
use core::sync::atomic::{AtomicU8, Ordering};
use sched::Policy;
use sync::thread::work;

/// A task's policy, shared with whoever sets it.
#[derive(Debug)]
pub struct SharedPolicy(AtomicU8);

impl SharedPolicy {
    pub(crate) fn new(policy: Policy) -> Self {
        let shared = Self(AtomicU8::new(0));
        shared.set(policy);
        shared
    }

    pub fn get(&self) -> Policy {
        match self.0.load(Ordering::Relaxed) {
            1 => Policy::Batch,
            2 => Policy::Idle,
            _ => Policy::Normal,
        }
    }

    fn set(&self, policy: Policy) {
        let number = match policy {
            Policy::Normal => 0,
            Policy::Batch => 1,
            Policy::Idle => 2,
        };
        self.0.store(number, Ordering::Relaxed);
    }
}

/// Sets the nice value of `target`, clamped to what there is; `caller` is the running task.
pub fn set_nice(caller: &Task, target: &Task, nice: i32) {
    target.nice.store(sched::Nice::clamped(nice).value(), Ordering::Relaxed);
    changed(caller, target);
}

/// Sets the policy of `target`.
pub fn set_policy(caller: &Task, target: &Task, policy: Policy) {
    target.policy.set(policy);
    changed(caller, target);
}

/// Restricts `target` to the CPUs that `wanted` picks; at least one of them runs.
pub fn set_affinity(caller: &Task, target: &Task, wanted: impl Fn(usize) -> bool) {
    if let Some(thread) = target.thread() {
        thread.affinity.set(scheduler::cpu_count(), wanted);
    }
    changed(caller, target);
}

fn changed(caller: &Task, target: &Task) {
    if target.tid() == caller.tid() {
        share(target);
    } else if let Some(thread) = target.thread() {
        thread.add_work(work::SHARE);
    }
}

/// Before the running task enters user mode with work to do: takes what others have set.
#[inline]
pub(crate) fn apply(task: &Task) {
    let Some(thread) = task.thread() else { return };
    if thread.work() & work::SHARE != 0 {
        thread.remove_work(work::SHARE);
        share(task);
    }
}

fn share(task: &Task) {
    scheduler::set_share(sched::Nice::clamped(task.nice.load(Ordering::Relaxed)), task.policy.get());
    scheduler::leave_forbidden_cpu();
}
