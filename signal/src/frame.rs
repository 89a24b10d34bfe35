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
use crate::vector::VectorLayout;
use abi::signal::{
    Siginfo, SignalContext, SignalFrame, UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS, UserContextFrame,
};
use abi::{Errno, PtRegs};
use core::mem::offset_of;

const RED_ZONE: u64 = 128;
const VECTOR_ALIGNMENT: u64 = 64;
const FRAME_ALIGNMENT: u64 = 16;
const FRAME_SIZE: u64 = (size_of::<SignalFrame>() + size_of::<Siginfo>()) as u64;

/// What RFLAGS loses on entry to a handler: TF, DF, RF.
const CLEARED_FLAGS: u64 = 1 << 8 | 1 << 10 | 1 << 16;

/// A thread's last fault, which its frames tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastFault {
    /// CR2 of the last page fault.
    pub address: u64,
    pub error: u64,
    /// The exception's vector.
    pub trap: u64,
}

/// Everything that a frame is made of.
#[derive(Debug)]
pub struct FrameRequest<'a> {
    pub signal: Signal,
    pub information: &'a Information,
    pub deliver: &'a Deliver,
    /// The registers to come back to.
    pub registers: &'a PtRegs,
    pub fault: LastFault,
    /// What `rt_sigreturn` is to set: the mask before, or the one that `sigsuspend` and its like put aside.
    pub mask: SignalSet,
    pub stack: &'a AlternateStack,
    pub vector: VectorLayout,
}

/// Where a frame is to be. Three pieces: the vector state, [`FrameRequest::frame`], and after that the `siginfo_t` if it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub address: u64,
    pub vector: u64,
    restorer: u64,
}

impl Place {
    /// Where the `siginfo_t` belongs.
    pub fn information(&self) -> u64 {
        self.address + size_of::<SignalFrame>() as u64
    }
}

/// Bytes that the largest frame takes, for AT_MINSIGSTKSZ.
pub fn minimum_stack_size(vector: VectorLayout) -> u64 {
    (FRAME_SIZE + vector.length_in_frame() + (FRAME_ALIGNMENT - 1) + (VECTOR_ALIGNMENT - 1))
        .next_multiple_of(FRAME_ALIGNMENT)
}

impl FrameRequest<'_> {
    /// Finds the frame's place. EFAULT: the action has no restorer, the alternate stack does not hold the frame, or it would wrap
    /// around. The thread then gets a forced SIGSEGV, fatal if that was the signal, and so where a piece cannot be written.
    pub fn place(&self) -> Result<Place, Errno> {
        let restorer = self.deliver.restorer.ok_or(Errno::EFAULT)?;
        let (address, vector) = self.addresses().ok_or(Errno::EFAULT)?;
        Ok(Place { address, vector, restorer })
    }

    fn addresses(&self) -> Option<(u64, u64)> {
        let rsp = self.registers.rsp;
        let mut on_alternate = self.stack.in_use(rsp);
        let mut top = rsp.checked_sub(RED_ZONE)?;
        if self.deliver.flags.contains(ActionFlags::ON_STACK) && self.stack.state(top) == 0 {
            top = self.stack.address.checked_add(self.stack.size)?;
            on_alternate = true;
        }
        let vector = top.checked_sub(self.vector.length_in_frame())? & !(VECTOR_ALIGNMENT - 1);
        let frame = (vector.checked_sub(FRAME_SIZE)? & !(FRAME_ALIGNMENT - 1)).checked_sub(8)?;
        // A frame beyond the user half fails when it is written.
        (!on_alternate || self.stack.contains(frame)).then_some((frame, vector))
    }

    /// The piece for [`Place::address`].
    #[inline]
    pub fn frame(&self, place: &Place) -> SignalFrame {
        let extended = if self.vector.is_extended() { UC_FP_XSTATE } else { 0 };
        let from = self.registers;
        SignalFrame {
            return_address: place.restorer,
            context: UserContextFrame {
                flags: UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | extended,
                link: 0,
                stack: self.stack.saved(),
                context: SignalContext {
                    r8: from.r8,
                    r9: from.r9,
                    r10: from.r10,
                    r11: from.r11,
                    r12: from.r12,
                    r13: from.r13,
                    r14: from.r14,
                    r15: from.r15,
                    rdi: from.rdi,
                    rsi: from.rsi,
                    rbp: from.rbp,
                    rbx: from.rbx,
                    rdx: from.rdx,
                    rax: from.rax,
                    rcx: from.rcx,
                    rsp: from.rsp,
                    rip: from.rip,
                    eflags: from.rflags,
                    cs: from.cs as u16,
                    gs: 0,
                    fs: 0,
                    ss: from.ss as u16,
                    error: self.fault.error,
                    trap: self.fault.trap,
                    old_mask: self.mask.bits(),
                    cr2: self.fault.address,
                    vector_state: place.vector,
                    reserved: [0; 8],
                },
                mask: self.mask.bits(),
            },
        }
    }

    /// The piece for [`Place::information`]; only handlers with SA_SIGINFO get one.
    pub fn information(&self) -> Option<Siginfo> {
        self.deliver.flags.contains(ActionFlags::INFORMATION).then(|| self.information.to_siginfo(self.signal))
    }
}

/// Changes registers to those with which the handler begins. Selectors, and vector state, which starts afresh too, are the caller's.
pub fn enter_handler(registers: &mut PtRegs, signal: Signal, deliver: &Deliver, place: &Place) {
    registers.rip = deliver.handler;
    registers.rsp = place.address;
    registers.rdi = signal.number().into();
    registers.rsi = place.information();
    registers.rdx = place.address + offset_of!(SignalFrame, context) as u64;
    registers.rax = 0;
    registers.rflags &= !CLEARED_FLAGS;
}
