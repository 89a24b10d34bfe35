//! Nice values, policies and CPUs of tasks. What is set takes effect at once, wherever the thread is.
use crate::task::Task;
use core::sync::atomic::{AtomicU8, Ordering};
use sched::Policy;

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

/// Sets the nice value of `target`, clamped to what there is. May sleep.
pub fn set_nice(target: &Task, nice: i32) {
    target.nice.store(sched::Nice::clamped(nice).value(), Ordering::Relaxed);
    share(target);
}

/// Sets the policy of `target`. May sleep.
pub fn set_policy(target: &Task, policy: Policy) {
    target.policy.set(policy);
    share(target);
}

/// Restricts `target` to the CPUs that `wanted` picks; at least one of them runs. May sleep.
pub fn set_affinity(target: &Task, wanted: impl Fn(usize) -> bool) {
    if let Some(thread) = target.thread() {
        thread.affinity.set(scheduler::cpu_count(), wanted);
        scheduler::enforce_affinity(thread);
    }
}

fn share(task: &Task) {
    if let Some(thread) = task.thread() {
        let nice = sched::Nice::clamped(task.nice.load(Ordering::Relaxed));
        scheduler::set_share(thread, nice, task.policy.get());
    }
}
