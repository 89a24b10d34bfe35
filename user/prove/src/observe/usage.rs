//! What the kernel counts of a process or a thread, by getrusage.

use std::mem::zeroed;

/// Counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub minor_faults: u64,
    pub major_faults: u64,
    pub voluntary_switches: u64,
    pub involuntary_switches: u64,
    /// Microseconds.
    pub user_time: u64,
    pub system_time: u64,
}

impl Usage {
    pub fn of_process() -> Self {
        Self::of(libc::RUSAGE_SELF)
    }

    fn of(whom: i32) -> Self {
        let mut usage: libc::rusage = unsafe { zeroed() };
        unsafe { libc::getrusage(whom, &mut usage) };
        let microseconds = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
        Self {
            minor_faults: usage.ru_minflt as u64,
            major_faults: usage.ru_majflt as u64,
            voluntary_switches: usage.ru_nvcsw as u64,
            involuntary_switches: usage.ru_nivcsw as u64,
            user_time: microseconds(usage.ru_utime),
            system_time: microseconds(usage.ru_stime),
        }
    }

    /// What was added since an earlier count.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            minor_faults: self.minor_faults - earlier.minor_faults,
            major_faults: self.major_faults - earlier.major_faults,
            voluntary_switches: self.voluntary_switches - earlier.voluntary_switches,
            involuntary_switches: self.involuntary_switches - earlier.involuntary_switches,
            user_time: self.user_time.saturating_sub(earlier.user_time),
            system_time: self.system_time.saturating_sub(earlier.system_time),
        }
    }
}

/// The faults of the process while `work` runs.
pub fn faults_of(work: impl FnOnce()) -> u64 {
    let before = Usage::of_process();
    work();
    Usage::of_process().since(before).minor_faults
}
