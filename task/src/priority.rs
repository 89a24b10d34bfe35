//! Nice values of tasks, and when they take effect.
//!
//! Only a running thread changes its own account with the scheduler. A nice value set by another task is seen at once by
//! getpriority(2) and by forks; it takes effect when its thread next enters user mode, or is interrupted there.
use crate::task::Task;
use core::sync::atomic::Ordering;
use sync::thread::work;

/// Sets the nice value of `target`, clamped to what there is; `caller` is the running task.
pub fn set_nice(caller: &Task, target: &Task, nice: i32) {
    target.nice.store(sched::Nice::clamped(nice).value(), Ordering::Relaxed);
    if target.tid == caller.tid {
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
    scheduler::set_share(sched::Nice::clamped(task.nice.load(Ordering::Relaxed)), sched::Policy::Normal);
}
