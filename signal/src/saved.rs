//! What `rt_sigreturn(2)` finds on the stack.
use crate::frame::Registers;
use crate::set::SignalSet;
use abi::Errno;
use abi::signal::{SignalStack, UC_STRICT_RESTORE_SS, UserContextFrame};
use zerocopy::{FromZeros, IntoBytes};

/// The saved context. All of it is the program's own invention, if it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedContext {
    /// `error`, `trap` and `cr2` are for information. The caller forces the selectors to ring 3 and keeps from RFLAGS what
    /// a program may set; no system call is restarted after this.
    pub registers: Registers,
    /// Without SIGKILL and SIGSTOP.
    pub mask: SignalSet,
    /// For [`AlternateStack::set`](crate::AlternateStack::set), whose errors do not count, with the restored RSP.
    pub stack: SignalStack,
    /// For [`restore_vector_state`](crate::restore_vector_state); 0: the initial state.
    pub vector: u64,
    /// SS counts as saved. Else any SS that is not a flat data segment becomes the usual one.
    pub strict_stack_segment: bool,
}

impl SavedContext {
    /// Reads the context that stands at `rsp` when the handler's return address is popped. What `read` says: a forced SIGSEGV.
    pub fn read(rsp: u64, read: impl FnOnce(u64, &mut [u8]) -> Result<(), Errno>) -> Result<Self, Errno> {
        let mut frame = UserContextFrame::new_zeroed();
        read(rsp, frame.as_mut_bytes())?;
        Ok(Self {
            registers: Registers::from(&frame.context),
            mask: SignalSet::mask_from_bits(frame.mask),
            stack: frame.stack,
            vector: frame.context.vector_state,
            strict_stack_segment: frame.flags & UC_STRICT_RESTORE_SS != 0,
        })
    }
}
