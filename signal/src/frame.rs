//! The frame that a handler runs on: Linux's `rt_sigframe` for x86-64.
//!
//! From high to low addresses: the 128 bytes that leaf functions use below RSP (System V ABI), or the end of the alternate
//! stack; vector state at a multiple of 64; `siginfo_t`, `ucontext`, return address, placed so that RSP is
//! what it is after a `call`: 8 more than a multiple of 16.
use crate::alternate_stack::AlternateStack;
use crate::decide::Deliver;
use crate::disposition::ActionFlags;
use crate::information::Information;
use crate::number::Signal;
use crate::set::SignalSet;
use crate::vector::VectorState;
use abi::Errno;
use abi::signal::{
    Siginfo, SignalContext, SignalFrame, UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS, UserContextFrame,
};
use core::mem::offset_of;
use zerocopy::IntoBytes;

const RED_ZONE: u64 = 128;
const VECTOR_ALIGNMENT: u64 = 64;
const FRAME_ALIGNMENT: u64 = 16;
const FRAME_SIZE: u64 = size_of::<SignalFrame>() as u64;

/// What RFLAGS loses on entry to a handler: TF, DF, RF.
const CLEARED_FLAGS: u64 = 1 << 8 | 1 << 10 | 1 << 16;

/// The registers that a frame saves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rsp: u64,
    pub rip: u64,
    pub eflags: u64,
    pub cs: u16,
    pub ss: u16,
    /// Of the thread's last fault: error code, vector, address.
    pub error: u64,
    pub trap: u64,
    pub cr2: u64,
}

/// Everything that a frame is made of.
#[derive(Debug)]
pub struct FrameRequest<'a> {
    pub signal: Signal,
    pub information: &'a Information,
    pub deliver: &'a Deliver,
    pub registers: &'a Registers,
    /// What `rt_sigreturn` is to set: the mask before, or the one that `sigsuspend` and its like put aside.
    pub mask: SignalSet,
    pub stack: &'a AlternateStack,
}

/// The registers that change for the handler. Vector state starts afresh too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalEntry {
    pub rip: u64,
    pub rsp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rax: u64,
    pub eflags: u64,
}

/// Bytes that the largest frame takes, for AT_MINSIGSTKSZ. `area_size` as in [`VectorState`].
pub fn minimum_stack_size(area_size: usize, extended: bool) -> u64 {
    let vector = VectorState::size_in_frame(area_size, extended);
    (FRAME_SIZE + vector + (FRAME_ALIGNMENT - 1) + (VECTOR_ALIGNMENT - 1)).next_multiple_of(FRAME_ALIGNMENT)
}

impl FrameRequest<'_> {
    /// Writes the frame, with `vector` in it, through `write`, piece by piece, and says how to enter the handler.
    ///
    /// EFAULT, or what `write` says: the action has no restorer, the alternate stack is too small, or the stack cannot
    /// be written. The thread then gets a forced SIGSEGV, fatal if that was the signal.
    pub fn write(
        &self,
        mut vector: VectorState<'_>,
        mut write: impl FnMut(u64, &[u8]) -> Result<(), Errno>,
    ) -> Result<SignalEntry, Errno> {
        let restorer = self.deliver.restorer.ok_or(Errno::EFAULT)?;
        let (address, vector_address) = self.place(vector.length_in_frame()).ok_or(Errno::EFAULT)?;
        vector.write(vector_address, &mut write)?;
        let context = self.context(vector_address, vector.is_extended());
        let mut frame = SignalFrame { return_address: restorer, context, information: Siginfo::default() };
        let mut length = offset_of!(SignalFrame, information);
        if self.deliver.flags.contains(ActionFlags::INFORMATION) {
            frame.information = self.information.to_siginfo(self.signal);
            length = size_of::<SignalFrame>();
        }
        write(address, frame.as_bytes().get(..length).unwrap_or(&[]))?;
        Ok(SignalEntry {
            rip: self.deliver.handler,
            rsp: address,
            rdi: self.signal.number().into(),
            rsi: address + offset_of!(SignalFrame, information) as u64,
            rdx: address + offset_of!(SignalFrame, context) as u64,
            rax: 0,
            eflags: self.registers.eflags & !CLEARED_FLAGS,
        })
    }

    /// Addresses of the frame and of the vector state. None where the alternate stack does not hold them, or where they
    /// would wrap around.
    fn place(&self, vector_length: u64) -> Option<(u64, u64)> {
        let rsp = self.registers.rsp;
        let mut on_alternate = self.stack.in_use(rsp);
        let mut top = rsp.checked_sub(RED_ZONE)?;
        if self.deliver.flags.contains(ActionFlags::ON_STACK) && self.stack.state(top) == 0 {
            top = self.stack.address.checked_add(self.stack.size)?;
            on_alternate = true;
        }
        let vector = top.checked_sub(vector_length)? & !(VECTOR_ALIGNMENT - 1);
        let frame = (vector.checked_sub(FRAME_SIZE)? & !(FRAME_ALIGNMENT - 1)).checked_sub(8)?;
        // A frame beyond the user half fails when it is written.
        (!on_alternate || self.stack.contains(frame)).then_some((frame, vector))
    }

    fn context(&self, vector: u64, extended: bool) -> UserContextFrame {
        let extended = if extended { UC_FP_XSTATE } else { 0 };
        UserContextFrame {
            flags: UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | extended,
            link: 0,
            stack: self.stack.saved(),
            context: SignalContext {
                old_mask: self.mask.bits(),
                vector_state: vector,
                ..SignalContext::from(self.registers)
            },
            mask: self.mask.bits(),
        }
    }
}

impl From<&Registers> for SignalContext {
    fn from(registers: &Registers) -> Self {
        Self {
            r8: registers.r8,
            r9: registers.r9,
            r10: registers.r10,
            r11: registers.r11,
            r12: registers.r12,
            r13: registers.r13,
            r14: registers.r14,
            r15: registers.r15,
            rdi: registers.rdi,
            rsi: registers.rsi,
            rbp: registers.rbp,
            rbx: registers.rbx,
            rdx: registers.rdx,
            rax: registers.rax,
            rcx: registers.rcx,
            rsp: registers.rsp,
            rip: registers.rip,
            eflags: registers.eflags,
            cs: registers.cs,
            ss: registers.ss,
            error: registers.error,
            trap: registers.trap,
            cr2: registers.cr2,
            ..Self::default()
        }
    }
}

impl From<&SignalContext> for Registers {
    fn from(context: &SignalContext) -> Self {
        Self {
            r8: context.r8,
            r9: context.r9,
            r10: context.r10,
            r11: context.r11,
            r12: context.r12,
            r13: context.r13,
            r14: context.r14,
            r15: context.r15,
            rdi: context.rdi,
            rsi: context.rsi,
            rbp: context.rbp,
            rbx: context.rbx,
            rdx: context.rdx,
            rax: context.rax,
            rcx: context.rcx,
            rsp: context.rsp,
            rip: context.rip,
            eflags: context.eflags,
            cs: context.cs,
            ss: context.ss,
            error: context.error,
            trap: context.trap,
            cr2: context.cr2,
        }
    }
}
