//! Who may look at a process, and whose its files are.
use abi::Errno;
use core::sync::atomic::Ordering;
use sync::Thread;
use task::Task;
use vfs::Capabilities;

/// Lets `look` see the running task. `None` for a thread of the kernel's own.
pub(crate) fn with_reader<R>(look: impl FnOnce(&Task) -> R) -> Option<R> {
    Thread::with_local(look)
}

/// Whether the running task may look into `target` as a tracer could that only reads (`ptrace(2)`,
/// PTRACE_MODE_READ_FSCREDS): its own process, one of the same user and group throughout that has no more capabilities and
/// gained no rights by its exec, or any with CAP_SYS_PTRACE.
pub(crate) fn may_look(target: &Task) -> bool {
    with_reader(|reader| {
        if reader.process.pid == target.process.pid {
            return true;
        }
        let (own, other) = (reader.credentials(), target.credentials());
        if own.has(Capabilities::SYS_PTRACE) {
            return true;
        }
        let (user, group) = (own.user.file_system, own.group.file_system);
        let same = [other.user.real, other.user.effective, other.user.saved].iter().all(|&id| id == user)
            && [other.group.real, other.group.effective, other.group.saved].iter().all(|&id| id == group);
        same && is_dumpable(target) && own.effective.contains(other.permitted)
    })
    .unwrap_or(false)
}

/// The same as an error. EACCES.
pub(crate) fn check_look(target: &Task) -> Result<(), Errno> {
    if may_look(target) { Ok(()) } else { Err(Errno::EACCES) }
}

/// Whether others of its user may look at it: not after an exec that gained rights, nor where it does not want that
/// (PR_SET_DUMPABLE).
fn is_dumpable(target: &Task) -> bool {
    target.process.traits.dumpable.load(Ordering::Relaxed) == 1
}

/// User and group of a file about `target`: its effective ones, or root's where nobody of its user may look. A folder that
/// everybody may read stays the user's.
pub(crate) fn owner(target: &Task, public_folder: bool) -> (u32, u32) {
    if !public_folder && !is_dumpable(target) {
        return (0, 0);
    }
    let credentials = target.credentials();
    (credentials.user.effective, credentials.group.effective)
}
