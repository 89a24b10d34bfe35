//! What tasks have used: getrusage(2), times(2), CPU clocks.
use crate::process::Process;
use crate::task::Task;
use crate::tree::{self, Tree};
use core::sync::atomic::{AtomicU64, Ordering};

/// Times in nanoseconds, and counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub user: u64,
    pub system: u64,
    pub minor_faults: u64,
    pub major_faults: u64,
    pub voluntary_switches: u64,
    pub involuntary_switches: u64,
    /// The largest resident set of a program that has ended, in pages.
    pub resident_peak: usize,
}

impl Usage {
    /// Time on a CPU.
    pub fn total(&self) -> u64 {
        self.user.saturating_add(self.system)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.user = self.user.saturating_add(other.user);
        self.system = self.system.saturating_add(other.system);
        self.minor_faults = self.minor_faults.saturating_add(other.minor_faults);
        self.major_faults = self.major_faults.saturating_add(other.major_faults);
        self.voluntary_switches = self.voluntary_switches.saturating_add(other.voluntary_switches);
        self.involuntary_switches = self.involuntary_switches.saturating_add(other.involuntary_switches);
        self.resident_peak = self.resident_peak.max(other.resident_peak);
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// What one thread has used up to now.
pub fn of_thread(task: &Task) -> Usage {
    if let Some(thread) = task.thread() {
        scheduler::run_time(thread);
    }
    let (user, system) = task.processor_time();
    Usage {
        user,
        system,
        minor_faults: read(&task.minor_faults),
        major_faults: read(&task.major_faults),
        voluntary_switches: task.thread().map_or(0, |thread| read(&thread.voluntary_switches)),
        involuntary_switches: task.thread().map_or(0, |thread| read(&thread.involuntary_switches)),
        resident_peak: 0,
    }
}

/// What the threads of a process have used, those that have ended included.
pub fn of_process(process: &Process) -> Usage {
    of_process_in(&tree::lock(), process)
}

/// The same with the tree locked.
pub(crate) fn of_process_in(tree: &Tree, process: &Process) -> Usage {
    let mut sum = *process.ended.lock();
    for task in tree.threads(process.pid) {
        sum.add(of_thread(task));
    }
    sum
}

/// What children that have been waited for have used, with those that they waited for.
pub fn of_children(process: &Process) -> Usage {
    *process.children.lock()
}
