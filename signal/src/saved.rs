//! What `rt_sigreturn(2)` finds on the stack.
use crate::set::SignalSet;
use abi::PtRegs;
use abi::signal::{UC_STRICT_RESTORE_SS, UserContextFrame};

/// The flat data segment of user mode.
const USER_DATA: u64 = 0x2b;

/// Puts the registers back that a frame saved, all of which may be the program's own invention. The caller forces the selectors to
/// ring 3 and keeps from RFLAGS what a program may set; no system call is restarted after this.
pub fn restore_registers(frame: &UserContextFrame, registers: &mut PtRegs) {
    let from = &frame.context;
    // Without UC_STRICT_RESTORE_SS an SS that is not the flat data segment becomes that.
    let strict = frame.flags & UC_STRICT_RESTORE_SS != 0;
    *registers = PtRegs {
        r15: from.r15,
        r14: from.r14,
        r13: from.r13,
        r12: from.r12,
        rbp: from.rbp,
        rbx: from.rbx,
        r11: from.r11,
        r10: from.r10,
        r9: from.r9,
        r8: from.r8,
        rax: from.rax,
        rcx: from.rcx,
        rdx: from.rdx,
        rsi: from.rsi,
        rdi: from.rdi,
        original_rax: u64::MAX,
        rip: from.rip,
        cs: u64::from(from.cs),
        rflags: from.eflags,
        rsp: from.rsp,
        ss: if strict { u64::from(from.ss) } else { USER_DATA },
    };
}

/// The mask that a frame saved, without SIGKILL and SIGSTOP.
pub fn saved_mask(frame: &UserContextFrame) -> SignalSet {
    SignalSet::mask_from_bits(frame.mask)
}
