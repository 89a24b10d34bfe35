//! Faults of user code: what they mean, and the signals that they earn.
use crate::image::limits_of;
use crate::shortage::{self, Holding};
use crate::signals::{self, Information};
use crate::table_registers::{self, Outcome};
use crate::task::Task;
use abi::raw::general::*;
use core::sync::atomic::Ordering;
use memory::counters::{Counter, count};
use mm::{Access, FaultError, FaultKind};
use sync::Thread;
use trap::{FaultCode, UserContext, vector};

/// `si_code` of a signal that the kernel sends without saying more (SI_KERNEL).
const SI_KERNEL: i32 = 0x80;

/// A page fault in user mode.
pub(crate) fn page_fault(task: &Task, context: &UserContext, address: usize, code: FaultCode) {
    let access = match code {
        code if code.write() => Access::Write,
        code if code.fetch() => Access::Execute,
        _ => Access::Read,
    };
    if address >= memory::USER_END {
        // Whether a kernel address is mapped is nobody's business.
        return segmentation_fault(task, SEGV_MAPERR as i32, address, code.0 | 1, vector::PAGE_FAULT);
    }
    match serve(task, address, access) {
        Ok(()) => {}
        Err(FaultError::NotMapped) => segmentation_fault(task, SEGV_MAPERR as i32, address, code.0, vector::PAGE_FAULT),
        Err(FaultError::NotAllowed) => {
            segmentation_fault(task, SEGV_ACCERR as i32, address, code.0, vector::PAGE_FAULT)
        }
        Err(FaultError::NoBacking) => {
            let information = Information::fault(SIGBUS, BUS_ADRERR as i32, address, vector::PAGE_FAULT);
            signals::force(task, SIGBUS, information, Some((address, code.0, vector::PAGE_FAULT)));
        }
        // The program faults again, if it still runs.
        Err(FaultError::OutOfMemory) => _ = out_of_memory(task, Holding::Nothing),
    }
    let _ = context;
}

fn serve(task: &Task, address: usize, access: Access) -> Result<(), FaultError> {
    let space = task.space().ok_or(FaultError::NotMapped)?;
    count(Counter::Faults, 1);
    match space.fault(address, access, || limits_of(task))? {
        FaultKind::Major => {
            count(Counter::MajorFaults, 1);
            task.major_faults.fetch_add(1, Ordering::Relaxed)
        }
        FaultKind::Minor | FaultKind::Spurious => task.minor_faults.fetch_add(1, Ordering::Relaxed),
    };
    Ok(())
}

fn segmentation_fault(task: &Task, code: i32, address: usize, error: u64, trap: u64) {
    let information = Information::fault(SIGSEGV, code, address, trap);
    signals::force(task, SIGSEGV, information, Some((address, error, trap)));
}

/// No frame is free: the program goes on where memory came back, and ends where it is the one that has to give it back.
fn out_of_memory(task: &Task, holding: Holding) -> bool {
    let goes_on = shortage::relieve(task, holding);
    if !goes_on {
        crate::exit::exit_group(task, SIGKILL);
    }
    goes_on
}

/// A fault of the kernel's own on user memory: brings the page in for the running task. False where it could not have made
/// the access itself.
pub fn user_page(address: usize, write: bool) -> bool {
    let access = if write { Access::Write } else { Access::Read };
    let bring_in = |task: &Task| {
        loop {
            match serve(task, address, access) {
                Ok(()) => return true,
                Err(FaultError::OutOfMemory) if out_of_memory(task, Holding::Locks) => {}
                Err(_) => return false,
            }
        }
    };
    Thread::with_local(bring_in).unwrap_or(false)
}

/// Any other exception in user mode (arch/x86/kernel/traps.c).
pub(crate) fn exception(task: &Task, context: &mut UserContext, number: u64, error: u64) {
    if number == vector::GENERAL_PROTECTION && error == 0 {
        match table_registers::emulate(context) {
            Outcome::Done => return,
            Outcome::Fault(address) => {
                // As if the write itself had faulted: by the user, a write.
                return segmentation_fault(task, SEGV_MAPERR as i32, address, 0b110, vector::PAGE_FAULT);
            }
            Outcome::Other => {}
        }
    }
    let here = context.rip as usize;
    let (signal, code, address) = match number {
        vector::DIVIDE_ERROR => (SIGFPE, FPE_INTDIV as i32, here),
        vector::DEBUG => (SIGTRAP, TRAP_TRACE as i32, here),
        vector::BREAKPOINT => (SIGTRAP, SI_KERNEL, 0),
        vector::OVERFLOW | vector::BOUND_RANGE => (SIGSEGV, SI_KERNEL, 0),
        vector::INVALID_OPCODE => (SIGILL, ILL_ILLOPN as i32, here),
        vector::SEGMENT_NOT_PRESENT | vector::STACK_FAULT => (SIGBUS, SI_KERNEL, 0),
        vector::ALIGNMENT_CHECK => (SIGBUS, BUS_ADRALN as i32, 0),
        vector::X87_ERROR | vector::SIMD_ERROR => (SIGFPE, float_code(number), here),
        _ => (SIGSEGV, SI_KERNEL, 0),
    };
    signals::force(task, signal, Information::fault(signal, code, address, number), Some((0, error, number)));
}

/// Which floating-point exception: the first one raised and not masked.
fn float_code(number: u64) -> i32 {
    let raised = Thread::with_user_state(|state| {
        let bytes = state.bytes();
        let half = |at: usize| u32::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        if number == vector::X87_ERROR {
            half(2) & !half(0) & 0x3f
        } else {
            let control = half(24) | half(26) << 16;
            control & !(control >> 7) & 0x3f
        }
    })
    .unwrap_or(0);
    let codes = [(0x1, FPE_FLTINV), (0x4, FPE_FLTDIV), (0x8, FPE_FLTOVF), (0x12, FPE_FLTUND), (0x20, FPE_FLTRES)];
    codes.into_iter().find(|&(bits, _)| raised & bits != 0).map_or(0, |(_, code)| code as i32)
}
