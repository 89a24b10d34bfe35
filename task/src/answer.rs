//! What a system call answers.
use abi::Errno;
use sync::WaitError;

/// How an interrupted call goes on, if no handler runs or the handler's flags say so (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Always, as if nothing had happened.
    Always,
    /// Where the handler has SA_RESTART; EINTR else.
    IfFlagged,
    /// Where no handler runs; EINTR else.
    WithoutHandler,
    /// By restart_syscall(2), with what the task kept of the call; EINTR where a handler runs.
    Block,
}

/// Why a call did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Errno(Errno),
    /// Interrupted by a signal. Not an error number: whether the program ever sees EINTR is decided with the signal.
    Interrupted(Restart),
}

/// The result of a call that may be interrupted.
pub type Answer = Result<usize, Failure>;

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<WaitError> for Failure {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::Interrupted => Self::Interrupted(Restart::IfFlagged),
            WaitError::TimedOut => Self::Errno(Errno::ETIMEDOUT),
        }
    }
}
