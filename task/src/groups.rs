//! Process groups and sessions: setpgid(2), setsid(2).
use crate::process::Process;
use crate::tree::{self, Pid, Tree};
use abi::Errno;
use core::sync::atomic::Ordering;

/// Moves process `pid`, which is the caller or a child of its, to `group`, which is `pid` itself or a group of the session.
///
/// # Errors
/// ESRCH for a process that is neither; EINVAL for a thread's number; EACCES for a child that has executed a program; EPERM for another session's child,
/// a session's leader, or a group of another session.
pub fn set_group(caller: &Process, pid: Pid, group: Pid) -> Result<(), Errno> {
    let mut tree = tree::lock();
    let session = may_move(&tree, caller, pid)?;
    if group != pid && !tree.groups_of(session).any(|known| known == group) {
        return Err(Errno::EPERM);
    }
    tree.move_to_group(pid, group, session);
    Ok(())
}

/// The session of a process whose group the caller may change. The checks are in Linux's order.
fn may_move(tree: &Tree, caller: &Process, pid: Pid) -> Result<Pid, Errno> {
    let own = tree.node(caller.pid).ok_or(Errno::ESRCH)?;
    // The number of a thread that is not its process's first names no process.
    let node = tree.node(pid).ok_or(if tree.task(pid).is_some() { Errno::EINVAL } else { Errno::ESRCH })?;
    if node.parent == caller.pid {
        if node.session != own.session {
            return Err(Errno::EPERM);
        }
        if node.process.has_executed() {
            return Err(Errno::EACCES);
        }
    } else if pid != caller.pid {
        return Err(Errno::ESRCH);
    }
    if node.session == pid { Err(Errno::EPERM) } else { Ok(node.session) }
}

/// Makes the process the leader of a new session and of a new group in it, and answers their number.
///
/// # Errors
/// EPERM if it leads a group already, or one has its number.
pub fn new_session(process: &Process) -> Result<Pid, Errno> {
    let mut tree = tree::lock();
    let pid = process.pid;
    let leads = tree.node(pid).is_none_or(|node| node.session == pid);
    if leads || tree.members(pid).next().is_some() {
        return Err(Errno::EPERM);
    }
    tree.move_to_group(pid, pid, pid);
    process.is_detached.store(false, Ordering::Relaxed);
    Ok(pid)
}

/// Whether nobody could continue a group that stops: no member has a parent in another group of its session.
pub fn is_orphaned(group: Pid) -> bool {
    tree::lock().is_orphaned(group, None)
}

/// The session of a group's members; of the process with that number where it is no group's.
pub fn session_of(group: Pid) -> Option<Pid> {
    let tree = tree::lock();
    let member = tree.members(group).next().unwrap_or(group);
    tree.node(member).map(|node| node.session)
}
