//! What becomes of a system call that a signal interrupted (`signal(7)`, "Interruption of system calls").
use crate::decide::Deliver;
use crate::disposition::ActionFlags;

/// How a system call wants to be restarted; user space never sees these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// ERESTARTNOINTR: as if nothing had happened.
    Always,
    /// ERESTARTSYS: unless a handler without SA_RESTART runs.
    IfFlagged,
    /// ERESTARTNOHAND: unless a handler runs.
    NoHandler,
    /// ERESTART_RESTARTBLOCK: unless a handler runs, and then by `restart_syscall(2)`, which knows how much time is left.
    Block,
}

/// A system call that ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted(pub Restart);

/// What to do to the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// RAX back to the call's number, RIP back by the two bytes of `syscall` or `int 0x80`.
    Again,
    /// The same with the number of `restart_syscall`.
    RestartSystemCall,
    /// RAX is -EINTR.
    Interrupted,
}

impl Interrupted {
    /// `handler`: the one that runs now, or none when all pending signals came to nothing.
    pub fn outcome(self, handler: Option<&Deliver>) -> Outcome {
        let flagged = handler.is_some_and(|deliver| deliver.flags.contains(ActionFlags::RESTART));
        match (self.0, handler) {
            (Restart::Always, _) | (Restart::IfFlagged | Restart::NoHandler, None) => Outcome::Again,
            (Restart::IfFlagged, Some(_)) if flagged => Outcome::Again,
            (Restart::Block, None) => Outcome::RestartSystemCall,
            _ => Outcome::Interrupted,
        }
    }
}
