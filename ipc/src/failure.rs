//! Why an operation that may sleep failed.
use abi::Errno;
use sync::WaitError;

/// Why an operation that may sleep failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// With an error for the program.
    Error(Errno),
    /// Its sleep ended early: the caller knows whether to restart or to answer EINTR.
    Wait(WaitError),
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        Self::Error(error)
    }
}

impl From<WaitError> for Failure {
    fn from(error: WaitError) -> Self {
        Self::Wait(error)
    }
}
