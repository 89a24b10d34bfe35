//! What is said of CPUs and tasks that do not get on (Linux's kernel/watchdog.c and kernel/hung_task.c, with their options).
//!
//! `watchdog_thresh=` is half of the seconds after which a CPU is stuck (15: thirty seconds), 0 or `nowatchdog` turns both
//! watchdogs off. `softlockup_panic=1`, `nmi_watchdog=panic` and `hung_task_panic=1` make a panic of what is otherwise
//! a report. `sysctl.kernel.hung_task_timeout_secs=` (30, 0 for never) is for tasks in an uninterruptible sleep.
//!
//! Hung tasks are found by going through all tasks now and then: nothing is kept in order for it, and it is nobody's time.
use crate::command_line::CommandLine;
use crate::report;
use core::sync::atomic::{AtomicBool, Ordering};
use sync::Sleep;
use task::kernel_threads::{self, Role};

const SECOND: u64 = 1_000_000_000;
/// Reports of hung tasks before there are no more (sysctl kernel.hung_task_warnings).
const WARNINGS: u32 = 10;

static SOFT_PANIC: AtomicBool = AtomicBool::new(false);
static HARD_PANIC: AtomicBool = AtomicBool::new(false);

struct Alarm;

impl scheduler::watchdog::Alarm for Alarm {
    fn soft_lockup(&self, cpu: usize, seconds: u64) {
        klog::emergency(format_args!("watchdog: BUG: soft lockup - CPU#{cpu} stuck for {seconds}s!"));
        report::context(klog::emergency);
        report::trace_here(klog::emergency);
        report::everything();
        assert!(!SOFT_PANIC.load(Ordering::Relaxed), "softlockup: hung tasks");
    }

    fn hard_lockup(&self, cpu: usize, seconds: u64) {
        klog::emergency(format_args!("watchdog: Watchdog detected hard LOCKUP on cpu {cpu}, for {seconds}s"));
        report::everything();
        assert!(!HARD_PANIC.load(Ordering::Relaxed), "Hard LOCKUP");
    }
}

/// Decides what is watched, before the CPUs start to be.
pub fn configure(command_line: &CommandLine) {
    SOFT_PANIC.store(command_line.number("softlockup_panic") == Some(1), Ordering::Relaxed);
    HARD_PANIC.store(command_line.value("nmi_watchdog") == Some("panic"), Ordering::Relaxed);
    let threshold = command_line.number("watchdog_thresh").filter(|&seconds| seconds <= 60).unwrap_or(15);
    if threshold > 0 && !command_line.has("nowatchdog") {
        scheduler::watchdog::configure(2 * threshold * SECOND, &Alarm);
    }
}

/// Starts the thread that looks for hung tasks.
pub fn watch_tasks(command_line: &CommandLine) {
    let seconds = command_line.number("sysctl.kernel.hung_task_timeout_secs").unwrap_or(30u64);
    let fatal = command_line.number("hung_task_panic") == Some(1);
    let Some(limit) = seconds.checked_mul(SECOND).filter(|&limit| limit > 0) else { return };
    let thread = kernel_threads::spawn(format_args!("khungtaskd"), Role::Free, move || {
        let mut warnings = WARNINGS;
        while warnings > 0 {
            let deadline = sync::now() + limit / 2;
            let _ = sync::park(Sleep::Interruptible, Some(deadline), || None::<()>);
            warnings = warnings.saturating_sub(look(limit, seconds, fatal));
        }
    });
    if thread.is_none() {
        klog::error!("no memory for the thread that looks for hung tasks");
    }
}

/// One look at all tasks; how many are hung.
fn look(limit: u64, seconds: u64, fatal: bool) -> u32 {
    let now = sync::now();
    let mut hung = 0;
    let mut from = 0;
    while let Some(task) = task::tree::next_task(from) {
        from = task.tid() + 1;
        let Some(thread) = task.thread() else { continue };
        let since = thread.blocked_since.load(Ordering::Relaxed);
        if thread.state() == Sleep::Uninterruptible as u32 && now.saturating_sub(since) >= limit {
            hung += 1;
            klog::error!("INFO: task {} blocked for more than {seconds} seconds.", task.tid());
            report::sleeper(|line| klog::record(klog::Level::Error, line), &task, thread);
        }
    }
    if hung > 0 {
        report::everything();
        assert!(!fatal, "hung_task: blocked tasks");
    }
    hung
}
