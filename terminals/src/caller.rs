//! Who is at a terminal's file just now.
use crate::terminal::Terminal;
use abi::Errno;
use abi::raw::general::{SIGTTIN, SIGTTOU};
use signal::Signal;
use sync::Thread;
use task::signals::{Information, send_to_group};
use task::{Task, groups};
use tty::job_control::{Attempt, Caller, Verdict, judge};
use vfs::Capabilities;

/// Calls `body` with the task that runs; `None` on the kernel's own threads.
pub fn with<R>(body: impl FnOnce(&Task) -> R) -> Option<R> {
    Thread::with_local(body)
}

/// Whether the caller has CAP_SYS_ADMIN.
pub fn is_administrator() -> bool {
    with(|task| task.credentials().has(Capabilities::SYS_ADMIN)).unwrap_or(true)
}

/// Whether `terminal` is the caller's controlling terminal.
pub fn is_controlled(task: &Task, terminal: &Terminal) -> bool {
    terminal.owners().0 == Some(task.process.session()) && !task.process.is_detached()
}

/// Asks job control. EINTR once the caller's group has been stopped for it; EIO.
pub fn check(terminal: &Terminal, attempt: Attempt) -> Result<(), Errno> {
    with(|task| check_task(task, terminal, attempt)).unwrap_or(Ok(()))
}

fn check_task(task: &Task, terminal: &Terminal, attempt: Attempt) -> Result<(), Errno> {
    let (foreground, group) = (terminal.owners().1, task.process.group());
    // The usual case, without a look at the process tree.
    if foreground.is_none_or(|foreground| foreground == group) || !is_controlled(task, terminal) {
        return Ok(());
    }
    let caller = describe(task, terminal);
    let signal = match judge(attempt, &caller, foreground) {
        Verdict::Allow => return Ok(()),
        Verdict::Refuse => return Err(Errno::EIO),
        Verdict::StopInput => SIGTTIN,
        Verdict::StopOutput => SIGTTOU,
    };
    send_to_group(group, signal, Information::kernel());
    Err(Errno::EINTR)
}

/// The caller as job control sees it.
pub fn describe(task: &Task, terminal: &Terminal) -> Caller {
    let group = task.process.group();
    Caller {
        is_controlled: is_controlled(task, terminal),
        group,
        group_is_orphaned: groups::is_orphaned(group),
        refuses_ttin: refuses(task, SIGTTIN),
        refuses_ttou: refuses(task, SIGTTOU),
    }
}

/// Whether it blocks or ignores a signal.
fn refuses(task: &Task, number: u32) -> bool {
    Signal::new(number)
        .is_ok_and(|signal| task.signal_mask().contains(signal) || task.signal_action(signal).ignores(signal))
}
