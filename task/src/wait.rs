//! Waiting for children: wait4(2), waitid(2).
use crate::process::Process;
use crate::signals::StopEvent;
use crate::task::Task;
use crate::tree::{self, Gone, Pid, Tree};
use crate::usage::{self, Usage};
use crate::{Failure, Restart};
use abi::Errno;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sync::{Sleep, WaitError};

/// Which children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Any,
    Process(Pid),
    Group(Pid),
}

/// Which changes, and how to look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub exited: bool,
    pub stopped: bool,
    pub continued: bool,
    pub no_hang: bool,
    /// Leaves the child waitable.
    pub no_wait: bool,
    /// Children that this thread made alone, not its whole process (`__WNOTHREAD`).
    pub own_only: bool,
    pub clone_children: CloneChildren,
}

/// `__WALL`, `__WCLONE`: children whose end sends another signal than SIGCHLD, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloneChildren {
    #[default]
    No,
    Only,
    Too,
}

/// What was found.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub pid: Pid,
    pub uid: u32,
    pub status: Status,
    /// What the child and the children that it waited for have used.
    pub used: Usage,
}

/// A change of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Exited(u8),
    Killed { signal: u8, core: bool },
    Stopped(u8),
    Continued,
}

impl Status {
    /// From the number that wait(2) stores for an ended process.
    pub fn from_exit(status: u32) -> Self {
        match status & 0x7f {
            0 => Self::Exited((status >> 8) as u8),
            signal => Self::Killed { signal: signal as u8, core: status & 0x80 != 0 },
        }
    }

    /// The number that wait(2) stores.
    pub fn to_number(self) -> u32 {
        match self {
            Self::Exited(code) => u32::from(code) << 8,
            Self::Killed { signal, core } => u32::from(signal) | u32::from(core) << 7,
            Self::Stopped(signal) => u32::from(signal) << 8 | 0x7f,
            Self::Continued => 0xffff,
        }
    }
}

/// Waits for a child of `task`'s process. `None` where WNOHANG was given and none has changed. ECHILD; interrupted by signals.
pub fn wait(task: &Task, which: Which, options: Options) -> Result<Option<Found>, Failure> {
    let process = &task.process;
    let look = || match look(task, which, options) {
        Ok(Some(found)) => Some(Ok(Some(found))),
        Ok(None) if options.no_hang => Some(Ok(None)),
        Ok(None) => None,
        Err(errno) => Some(Err(errno)),
    };
    match process.children_changed.wait(Sleep::Interruptible, None, look) {
        Ok(answer) => answer.map_err(Failure::Errno),
        Err(WaitError::Interrupted) => Err(Failure::Interrupted(Restart::IfFlagged)),
        Err(WaitError::TimedOut) => Ok(None),
    }
}

fn look(task: &Task, which: Which, options: Options) -> Result<Option<Found>, Errno> {
    let process = &*task.process;
    let mut tree = tree::lock();
    let node = tree.node(process.pid).ok_or(Errno::ECHILD)?;
    let mut candidates = false;
    let mut ended = None;
    let mut changed = None;
    let is_own = |child: &Process| {
        // Children of threads that have ended are the first's.
        let maker = child.made_by.load(Ordering::Relaxed);
        maker == task.tid() || node.leader.tid() == task.tid() && !node.threads.contains(&maker)
    };
    let mut consider = |child: &Arc<Process>| {
        if options.own_only && !is_own(child) {
            return false;
        }
        candidates = true;
        if child.is_zombie() {
            if options.exited && ended.is_none() {
                ended = Some(child.clone());
            }
        } else if changed.is_none() && (options.stopped || options.continued) {
            let mut signals = child.signals.lock();
            changed = signals
                .take_change(options.stopped, options.continued, options.no_wait)
                .map(|change| (child.clone(), change));
        }
        ended.is_some() || changed.is_some()
    };
    match which {
        Which::Process(pid) => {
            if let Some(child) =
                tree.node(pid).filter(|child| child.parent == process.pid && is_meant(&child.process, options))
            {
                consider(&child.process);
            }
        }
        Which::Any | Which::Group(_) => {
            for pid in &node.children {
                let Some(child) = tree.node(*pid) else { continue };
                let in_group = !matches!(which, Which::Group(group) if child.group != group);
                if in_group && is_meant(&child.process, options) && consider(&child.process) {
                    break;
                }
            }
        }
    }
    if let Some(child) = ended {
        let (found, gone) = reap(&mut tree, process, &child, options.no_wait);
        drop(tree);
        drop(gone);
        return Ok(Some(found));
    }
    if let Some((child, change)) = changed {
        let status = match change {
            StopEvent::Stopped(signal) => Status::Stopped(signal.number() as u8),
            StopEvent::Continued => Status::Continued,
        };
        return Ok(Some(found(&tree, &child, status)));
    }
    if candidates { Ok(None) } else { Err(Errno::ECHILD) }
}

fn is_meant(child: &Process, options: Options) -> bool {
    let is_clone = child.exit_signal.load(Ordering::Relaxed) != abi::raw::general::SIGCHLD;
    match options.clone_children {
        CloneChildren::No => !is_clone,
        CloneChildren::Only => is_clone,
        CloneChildren::Too => true,
    }
}

fn found(tree: &Tree, child: &Process, status: Status) -> Found {
    let mut used = usage::of_process_in(tree, child);
    used.add(usage::of_children(child));
    Found { pid: child.pid, uid: child.uid.load(Ordering::Relaxed), status, used }
}

fn reap(tree: &mut Tree, parent: &Process, child: &Arc<Process>, keep: bool) -> (Found, Option<Gone>) {
    let found = found(tree, child, Status::from_exit(child.exit_status().unwrap_or(0)));
    if keep {
        return (found, None);
    }
    let gone = tree.remove_process(child.pid);
    parent.children.lock().add(found.used);
    (found, gone)
}
