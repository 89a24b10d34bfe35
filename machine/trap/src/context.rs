//! Saved registers.
use crate::segments::{USER_CODE, USER_DATA};
use crate::vector;
use abi::PtRegs;
use arch::registers::{
    RFLAGS_AC, RFLAGS_CF, RFLAGS_DF, RFLAGS_FIXED, RFLAGS_ID, RFLAGS_IF, RFLAGS_NT, RFLAGS_RF, RFLAGS_TF,
};
use core::ops::{Deref, DerefMut};

/// A program's registers while the kernel runs for it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct UserContext {
    /// The kernel's stack pointer inside `enter_user`; read by the entry code only.
    kernel_stack: u64,
    /// What ended the last stay in user mode.
    pub(crate) vector: u64,
    registers: PtRegs,
}

impl Deref for UserContext {
    type Target = PtRegs;

    #[inline(always)]
    fn deref(&self) -> &PtRegs {
        &self.registers
    }
}

impl DerefMut for UserContext {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut PtRegs {
        &mut self.registers
    }
}

/// Bytes of a [`UserContext`] at the top of a kernel stack.
pub const CONTEXT_SIZE: usize = size_of::<UserContext>();

/// Flags that a program may set for itself (sigreturn, ptrace): Linux's `FIX_EFLAGS`, and ID.
const USER_FLAGS: u64 = RFLAGS_AC | RFLAGS_DF | RFLAGS_TF | RFLAGS_RF | RFLAGS_ID | 0x8d5 | RFLAGS_CF;

impl Default for UserContext {
    fn default() -> Self {
        Self::new(0, 0)
    }
}

impl UserContext {
    /// Registers of a fresh program: all zero but these.
    pub fn new(instruction: u64, stack: u64) -> Self {
        let registers = PtRegs {
            original_rax: u64::MAX,
            rip: instruction,
            cs: u64::from(USER_CODE),
            rflags: RFLAGS_FIXED | RFLAGS_IF,
            rsp: stack,
            ss: u64::from(USER_DATA),
            ..PtRegs::default()
        };
        Self { kernel_stack: 0, vector: vector::NONE, registers }
    }

    /// Takes over all registers of `other`, but not where this thread's kernel stack stands. They are then loaded in full.
    pub fn replace(&mut self, other: &Self) {
        *self = Self { kernel_stack: self.kernel_stack, vector: vector::NONE, registers: other.registers };
        self.harden();
    }

    /// Has every register loaded at the next return, RCX and R11 too, which `syscall` would spoil.
    pub fn load_in_full(&mut self) {
        self.vector = vector::NONE;
        self.harden();
    }

    /// Leaves nothing in the context that user code could not have set itself: selectors of ring 3, interrupts on, no I/O
    /// privilege. What the CPU refuses beyond that faults in `iretq`, which the entry code expects.
    fn harden(&mut self) {
        self.cs |= 3;
        self.ss |= 3;
        self.rflags = self.rflags & USER_FLAGS & !RFLAGS_NT | RFLAGS_FIXED | RFLAGS_IF;
    }

    /// Whether the program came here by a system call, through either door.
    pub fn in_system_call(&self) -> bool {
        self.vector == vector::SYSCALL || self.vector == vector::SYSCALL_32
    }

    /// What ended the last stay.
    pub fn vector(&self) -> u64 {
        self.vector
    }
}

/// Registers of interrupted kernel code.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct KernelFrame {
    pub vector: u64,
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// A page fault's error code (Intel SDM vol. 3, 4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultCode(pub u64);

impl FaultCode {
    /// The page was there, and the access was not allowed.
    pub fn present(self) -> bool {
        self.0 & 1 != 0
    }
    pub fn write(self) -> bool {
        self.0 & 2 != 0
    }
    pub fn user(self) -> bool {
        self.0 & 4 != 0
    }
    pub fn reserved(self) -> bool {
        self.0 & 8 != 0
    }
    pub fn fetch(self) -> bool {
        self.0 & 16 != 0
    }
}

/// Why a stay in user mode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// `syscall`: the 64-bit door.
    SystemCall,
    /// `int 0x80`: the 32-bit door.
    SystemCall32,
    /// A page fault at `address`.
    PageFault { address: usize, code: FaultCode },
    /// Another exception.
    Exception { vector: u64, error: u64 },
    /// An interrupt, which has been served.
    Interrupt,
    /// Nothing ended: there is work to do first, a reschedule or bits of [`sync::thread::work`].
    Work,
}
