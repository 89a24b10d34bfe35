//! What belongs to an instruction, and what comes in between.

use crate::experiment::Linux;
use crate::observe::run_in_child;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::arch::asm;
use std::collections::BTreeSet;
use std::mem::zeroed;
use std::sync::atomic::{AtomicU64, Ordering};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::KernelAndUserMode,
    claim: "Exceptions are synchronous, at the same instruction each time, and interrupts are not.",
    experiment: "A loop counts in a register and divides by zero at its ten-thousandth turn; a handler notes the register. That is done 40 times. The control divides by \
        one, and has a timer expire while the loop runs, a little later each time; its handler notes the register too.",
    expected: "The exception is the division's: it finds the register at 10,000 always. The timer's interrupt knows nothing of the program, and finds it wherever it \
        happens to be.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the signal's context"),
    run,
};

const TIMES: u32 = 40;
static TURN: AtomicU64 = AtomicU64::new(0);

extern "C" fn handler(signal: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    TURN.store(registers[libc::REG_RSI as usize] as u64, Ordering::SeqCst);
    // Ends the loop: the limit is behind, and a division by one goes well.
    registers[libc::REG_RDI as usize] = 0;
    if signal == libc::SIGFPE {
        registers[libc::REG_RCX as usize] = 1;
    }
}

/// Turns up to the limit in RDI, dividing by RCX once at turn 10,000; RSI has the turn.
fn count_to(limit: u64, divisor: u64) {
    unsafe {
        asm!(
            "2:",
            "inc rsi",
            "cmp rsi, 10000",
            "jne 3f",
            "mov eax, 1",
            "xor edx, edx",
            "div rcx",
            "3:",
            "cmp rsi, rdi",
            "jb 2b",
            inout("rsi") 0_u64 => _, inout("rdi") limit => _, inout("rcx") divisor => _, out("rax") _, out("rdx") _,
        );
    }
}

/// At which turns the handler found the loop.
fn turns(by_division: bool) -> Result<Vec<u64>, Trouble> {
    let turn = |attempt: u32| {
        run_in_child(|| unsafe {
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigaction(libc::SIGFPE, &action, std::ptr::null_mut());
            libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut());
            if !by_division {
                let mut timer: libc::itimerval = zeroed();
                timer.it_value.tv_usec = 2000 + i64::from(attempt) * 37;
                libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut());
            }
            count_to(1 << 36, u64::from(!by_division));
            TURN.load(Ordering::SeqCst)
        })
    };
    let found = (0..TIMES).map(turn).collect::<Result<Vec<Option<u64>>, Trouble>>()?;
    Ok(found.into_iter().flatten().collect())
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (exceptions, interrupts) = lab.pair(|| turns(true), || turns(false))?;
    let different = |turns: &[u64]| turns.iter().collect::<BTreeSet<_>>().len();
    lab.mechanism("exceptions", exceptions.len(), "").equals(TIMES, "one in each loop");
    lab.mechanism("turns at which they came", different(&exceptions), "").equals(1, "the division's");
    lab.mechanism("that turn", exceptions.first().copied().unwrap_or(0), "").equals(10_000, "where the division is");
    lab.control("interrupts", interrupts.len(), "").equals(TIMES, "one in each loop");
    lab.control("turns at which they came, of the loop", different(&interrupts), "")
        .above(TIMES / 2, "the timer does not know where the program is");
    Ok(())
}
