//! What an instruction earns: the signal, and what the kernel says of the exception behind it.

use super::children::{run_in_child, signal_name};
use crate::Trouble;
use measure::system::map;
use std::fmt;
use std::mem::zeroed;

/// What a fault's handler was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    pub signal: i32,
    /// `si_code`.
    pub code: i32,
    /// `si_addr`.
    pub address: u64,
    /// The exception's vector, as the kernel hands it on in the context (REG_TRAPNO).
    pub vector: u64,
    /// The error code that the processor pushed (REG_ERR).
    pub error: u64,
}

/// As `SIGSEGV SI_KERNEL`.
impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match (self.signal, self.code) {
            (_, 0x80) => "SI_KERNEL",
            (libc::SIGSEGV, 1) => "SEGV_MAPERR",
            (libc::SIGSEGV, 2) => "SEGV_ACCERR",
            (libc::SIGBUS, 2) => "BUS_ADRERR",
            (libc::SIGFPE, 1) => "FPE_INTDIV",
            (libc::SIGFPE, 3) => "FPE_FLTDIV",
            (libc::SIGILL, 2) => "ILL_ILLOPN",
            (libc::SIGTRAP, 1) => "TRAP_BRKPT",
            (libc::SIGTRAP, 2) => "TRAP_TRACE",
            (_, code) => return write!(out, "{} code {code}", signal_name(self.signal)),
        };
        write!(out, "{} {code}", signal_name(self.signal))
    }
}

/// The text for a fault, or for none.
pub fn text(fault: Option<Fault>) -> String {
    fault.map_or_else(|| "no signal".to_owned(), |fault| fault.to_string())
}

/// Runs `body` in a process with handlers for whatever an instruction can earn; the first such signal, if one comes.
pub fn caught(body: impl FnOnce()) -> Result<Option<Fault>, Trouble> {
    let seen = run_in_child(|| {
        let mut fault = Fault::default();
        unsafe { catch(&raw mut fault, body) };
        fault
    })?;
    match seen {
        Some(fault) if fault.signal == 0 => Ok(None),
        Some(fault) => Ok(Some(fault)),
        None => Err(Trouble::failed("a process that was to catch a fault was lost")),
    }
}

/// Where the handler writes, and where it jumps back to.
static mut SEEN: *mut Fault = std::ptr::null_mut();
static mut RETURN: [u64; 2] = [0; 2];

const SIGNALS: [i32; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];

/// Runs `body`; comes back at its end or at its first fault.
unsafe fn catch(seen: *mut Fault, body: impl FnOnce()) {
    unsafe {
        SEEN = seen;
        const STACK: usize = 64 << 10;
        if let Ok(stack) = map(STACK) {
            let stack = libc::stack_t { ss_sp: stack.cast(), ss_flags: 0, ss_size: STACK };
            libc::sigaltstack(&stack, std::ptr::null_mut());
        }
        for signal in SIGNALS {
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
    landing(body);
}

/// Calls `body` so that the handler can come back behind the call, with the registers that a function must keep.
#[inline(never)]
fn landing<F: FnOnce()>(body: F) {
    extern "C" fn call<F: FnOnce()>(body: *mut Option<F>) {
        if let Some(body) = unsafe { (*body).take() } {
            body();
        }
    }
    let mut body = Some(body);
    unsafe {
        std::arch::asm!(
            "push rbx",
            "push rbp",
            "lea rax, [rip + 2f]",
            "mov [rsi], rax",
            "mov [rsi + 8], rsp",
            // The stack's alignment at a call.
            "mov rbp, rsp",
            "and rsp, -16",
            "call rdx",
            "mov rsp, rbp",
            "2:",
            "pop rbp",
            "pop rbx",
            "cld",
            in("rdi") &raw mut body,
            in("rsi") &raw mut RETURN,
            in("rdx") call::<F> as *const () as usize,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("C"),
        );
    }
}

extern "C" fn handler(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    unsafe {
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let register = |number: i32| registers[number as usize] as u64;
        *SEEN = Fault {
            signal,
            code: (*info).si_code,
            address: (*info).si_addr() as u64,
            vector: register(libc::REG_TRAPNO),
            error: register(libc::REG_ERR),
        };
        registers[libc::REG_RIP as usize] = RETURN[0] as i64;
        registers[libc::REG_RSP as usize] = RETURN[1] as i64;
        // Without single steps.
        registers[libc::REG_EFL as usize] &= !0x100;
    }
}

#[cfg(test)]
mod tests {
    use super::{caught, text};

    #[test]
    fn a_fault_and_none() {
        assert_eq!(text(caught(|| {}).unwrap()), "no signal");
        let divided = caught(|| unsafe {
            std::arch::asm!("xor edx, edx", "div {0:e}", in(reg) 0, inout("eax") 1 => _, out("edx") _);
        });
        let divided = divided.unwrap().unwrap();
        assert_eq!((divided.to_string().as_str(), divided.vector), ("SIGFPE FPE_INTDIV", 0));
    }
}
