//! Controlling terminals of sessions (`credentials(7)`, `tty_ioctl(4)`).
use crate::caller;
use crate::terminal::Terminal;
use abi::Errno;
use abi::raw::general::{SIGCONT, SIGHUP};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use sync::{Mutex, Rank};
use task::Task;
use task::process::Process;
use task::signals::{Information, send_to_group};
use task::tree::Pid;
use tty::job_control::{Acquire, Refusal, check_acquire, open_acquires};

/// What a session has.
enum Tie {
    Terminal(Arc<Terminal>),
    /// It was hung up; this was its foreground group, which hears of the leader's end.
    Lost(Option<Pid>),
}

/// By session. Sessions without a terminal are not here.
static SESSIONS: Mutex<BTreeMap<Pid, Tie>> = Mutex::new(Rank::Terminal, BTreeMap::new());

/// The controlling terminal of a process.
pub fn terminal_of(process: &Process) -> Option<Arc<Terminal>> {
    if process.is_detached() {
        return None;
    }
    match SESSIONS.lock().get(&process.session()) {
        Some(Tie::Terminal(terminal)) => Some(terminal.clone()),
        _ => None,
    }
}

fn is_leader(process: &Process) -> bool {
    process.session() == process.pid
}

fn tie(sessions: &mut BTreeMap<Pid, Tie>, terminal: &Arc<Terminal>, process: &Process) {
    let session = process.session();
    terminal.look(|state| (state.session, state.foreground) = (Some(session), Some(process.group())));
    sessions.insert(session, Tie::Terminal(terminal.clone()));
}

/// A session leader's first opening of a free terminal makes it its controlling terminal.
pub fn acquire_by_opening(terminal: &Arc<Terminal>, no_terminal: bool, reads: bool) {
    caller::with(|task| {
        let process = &*task.process;
        if no_terminal || !is_leader(process) {
            return;
        }
        let mut sessions = SESSIONS.lock();
        let has_terminal = matches!(sessions.get(&process.session()), Some(Tie::Terminal(_)));
        if open_acquires(true, has_terminal, terminal.owners().0, no_terminal, reads) {
            tie(&mut sessions, terminal, process);
        }
    });
}

/// TIOCSCTTY. EPERM.
pub fn acquire(task: &Task, terminal: &Arc<Terminal>, force: bool, may_read: bool) -> Result<(), Errno> {
    let process = &*task.process;
    let privileged = caller::is_administrator();
    let mut sessions = SESSIONS.lock();
    let has_terminal = !process.is_detached() && matches!(sessions.get(&process.session()), Some(Tie::Terminal(_)));
    let holder = terminal.owners().0;
    let answer = check_acquire(
        is_leader(process),
        process.session(),
        has_terminal,
        holder,
        force && privileged,
        may_read || privileged,
    );
    match answer.map_err(errno_of)? {
        Acquire::Kept => return Ok(()),
        Acquire::Take => {}
        Acquire::Steal => {
            if let Some(holder) = holder {
                sessions.remove(&holder);
            }
        }
    }
    tie(&mut sessions, terminal, process);
    Ok(())
}

/// The error number of a refusal.
pub fn errno_of(refusal: Refusal) -> Errno {
    match refusal {
        Refusal::NotTheTerminal => Errno::ENOTTY,
        Refusal::Invalid => Errno::EINVAL,
        Refusal::NoSuchGroup => Errno::ESRCH,
        Refusal::NotPermitted => Errno::EPERM,
    }
}

/// TIOCNOTTY: a leader gives the terminal up for its session, which is told; others for themselves. ENOTTY.
pub fn give_up(task: &Task, terminal: &Arc<Terminal>) -> Result<(), Errno> {
    let process = &*task.process;
    if !caller::is_controlled(task, terminal) {
        return Err(Errno::ENOTTY);
    }
    if !is_leader(process) {
        process.detach();
        return Ok(());
    }
    let foreground = {
        let mut sessions = SESSIONS.lock();
        sessions.remove(&process.session());
        release(terminal)
    };
    tell(foreground, &[SIGHUP, SIGCONT]);
    Ok(())
}

/// Takes the session off a terminal; its foreground group.
fn release(terminal: &Terminal) -> Option<Pid> {
    terminal.look(|state| {
        state.session = None;
        state.foreground.take()
    })
}

fn tell(group: Option<Pid>, signals: &[u32]) {
    let Some(group) = group else { return };
    for &signal in signals {
        send_to_group(group, signal, Information::kernel());
    }
}

/// A session's leader ends: its terminal is free again, and the foreground group told. A device's line is hung up.
pub fn leader_ends(session: Pid) {
    let gone = SESSIONS.lock().remove(&session);
    match gone {
        None => {}
        Some(Tie::Lost(group)) => {
            let still_there = group.filter(|&group| task::groups::session_of(group) == Some(session));
            tell(still_there, &[SIGHUP, SIGCONT]);
        }
        Some(Tie::Terminal(terminal)) => {
            let foreground = release(&terminal);
            if !terminal.is_pair() {
                terminal.hang_up_line();
            }
            tell(foreground, &[SIGHUP]);
        }
    }
}

/// Nobody has the terminal open any more: its session loses it, without a word (tty_release).
pub fn forget(terminal: &Terminal) {
    let mut sessions = SESSIONS.lock();
    let unused = terminal.look(|state| if state.opens == 0 { state.session } else { None });
    if let Some(session) = unused {
        release(terminal);
        sessions.remove(&session);
    }
}

/// The terminal is hung up: its session loses it, and the leader is told.
pub fn lose(terminal: &Terminal) {
    let mut sessions = SESSIONS.lock();
    let Some(session) = terminal.owners().0 else { return };
    let foreground = release(terminal);
    sessions.insert(session, Tie::Lost(foreground));
    drop(sessions);
    if let Some(leader) = task::tree::find_process(session) {
        for signal in [SIGHUP, SIGCONT] {
            let _ = task::signals::send_to_process(&leader, signal, Information::kernel());
        }
    }
}
