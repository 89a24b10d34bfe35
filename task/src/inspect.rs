//! Who may reach into another process (`ptrace(2)`, PTRACE_MODE_ATTACH_REALCREDS).
use crate::task::Task;
use abi::Errno;
use core::sync::atomic::Ordering;
use vfs::Capabilities;

impl Task {
    /// Whether this task may read and change what `target` has: its own process, one of the same user and group throughout
    /// that has no more capabilities and lets itself be looked at, or any with CAP_SYS_PTRACE. EPERM.
    pub fn may_inspect(&self, target: &Task) -> Result<(), Errno> {
        let (own, other) = (self.credentials(), target.credentials());
        if self.process.pid == target.process.pid || own.has(Capabilities::SYS_PTRACE) {
            return Ok(());
        }
        let (user, group) = (own.user.real, own.group.real);
        let same = [other.user.real, other.user.effective, other.user.saved].iter().all(|&id| id == user)
            && [other.group.real, other.group.effective, other.group.saved].iter().all(|&id| id == group);
        let dumpable = target.process.traits.dumpable.load(Ordering::Relaxed) == 1;
        if same && dumpable && own.permitted.contains(other.permitted) { Ok(()) } else { Err(Errno::EPERM) }
    }
}
