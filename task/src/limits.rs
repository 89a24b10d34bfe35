//! Resource limits (getrlimit(2)).
use crate::process::Process;
use crate::task::Task;
use crate::{signals, tree, usage};
use abi::raw::general::{
    RLIM_NLIMITS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC,
    RLIMIT_RTPRIO, RLIMIT_SIGPENDING, RLIMIT_STACK, SIGKILL, SIGXCPU,
};
use core::sync::atomic::Ordering;

/// No limit.
pub const INFINITY: u64 = u64::MAX;

/// Whether ticks that find the process running have something to look at: RLIMIT_CPU, or timers on clocks of processor time.
pub(crate) fn is_watched(process: &Process) -> bool {
    let limited = process.limits.lock().soft(RLIMIT_CPU) != INFINITY;
    limited || process.timers.lock().others.counts_processor_time()
}

/// Has the threads of a process look at what it has used, from the next tick on, where something depends on it.
pub fn watch_processor_time(process: &Process) {
    let watched = is_watched(process);
    for thread in tree::lock().threads(process.pid).filter_map(|task| task.thread()) {
        thread.wants_ticks.store(watched, Ordering::Relaxed);
    }
}

/// Before the running task enters user mode, a tick having found it running: SIGXCPU at the soft limit and each second after it,
/// SIGKILL at the hard one (setrlimit(2)).
pub(crate) fn check_processor_time(task: &Task) {
    let process = &task.process;
    let Some(limit) = process.limits.lock().get(RLIMIT_CPU) else { return };
    if limit.soft == INFINITY {
        return;
    }
    let used = usage::of_process(process).total() / 1_000_000_000;
    let signal = if used >= limit.hard {
        SIGKILL
    } else if used >= limit.soft {
        process.limits.lock().set(RLIMIT_CPU, Limit { soft: used.saturating_add(1), ..limit });
        SIGXCPU
    } else {
        return;
    };
    let _ = signals::send_to_process(process, signal, signals::Information::kernel());
}

/// One resource's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub soft: u64,
    pub hard: u64,
}

/// All limits of a process, by the numbers of `RLIMIT_*`.
#[derive(Clone, Copy, Debug)]
pub struct Limits([Limit; RLIM_NLIMITS as usize]);

impl Limits {
    /// Those of PID 1: Linux's `INIT_RLIMITS`, with `processes` as what memory allows.
    pub fn initial(processes: u64) -> Self {
        let mut limits = [Limit { soft: INFINITY, hard: INFINITY }; RLIM_NLIMITS as usize];
        let mut set = |which: u32, soft: u64, hard: u64| limits[which as usize] = Limit { soft, hard };
        set(RLIMIT_STACK, 8 << 20, INFINITY);
        set(RLIMIT_CORE, 0, INFINITY);
        set(RLIMIT_NPROC, processes, processes);
        set(RLIMIT_NOFILE, 1024, 4096);
        set(RLIMIT_MEMLOCK, 8 << 20, 8 << 20);
        set(RLIMIT_SIGPENDING, processes, processes);
        set(RLIMIT_MSGQUEUE, 819_200, 819_200);
        set(RLIMIT_NICE, 0, 0);
        set(RLIMIT_RTPRIO, 0, 0);
        Self(limits)
    }

    /// `None` where there is no such resource.
    pub fn get(&self, which: u32) -> Option<Limit> {
        self.0.get(which as usize).copied()
    }

    /// The soft limit of a resource that exists.
    pub fn soft(&self, which: u32) -> u64 {
        self.0.get(which as usize).map_or(INFINITY, |limit| limit.soft)
    }

    /// False where there is no such resource.
    pub fn set(&mut self, which: u32, limit: Limit) -> bool {
        self.0.get_mut(which as usize).map(|place| *place = limit).is_some()
    }
}
