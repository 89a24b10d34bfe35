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
