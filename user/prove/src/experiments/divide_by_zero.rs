//! An exception, again and again.

use crate::experiment::Linux;
use crate::observe::run_in_child;
use crate::{Experiment, Lab, Subject, Trouble, times};
use evidence::Observable;
use measure::system::now;
use std::arch::asm;
use std::mem::zeroed;
use std::sync::atomic::{AtomicU64, Ordering};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::KernelAndUserMode,
    claim: "A program that divides by zero for ever brings the kernel in each time: the exception comes back at the same instruction until something changes.",
    experiment: "A division by zero is executed with a handler that only counts and returns. After 5,000 signals the handler puts another divisor into \
        the register. The cost of each is measured; where the kernel counts exceptions by vector, its count is set beside the handler's. The \
        control divides by one as often.",
    expected: "An exception is synchronous: it belongs to the instruction, which has not been executed, so returning executes it again. Each time \
        the processor enters the kernel by vector 0, the kernel makes a signal of it, and both sides count the same.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the handler's count; Linux counts no exceptions by vector"),
    run,
};

const TIMES: u64 = 5000;
/// What Birgus counts, by vector.
const COUNTS: &str = "/sys/kernel/debug/birgus/exceptions";

static SIGNALS: AtomicU64 = AtomicU64::new(0);
static ELSEWHERE: AtomicU64 = AtomicU64::new(0);
static AT: AtomicU64 = AtomicU64::new(0);

extern "C" fn handler(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let place = registers[libc::REG_RIP as usize] as u64;
    if AT.swap(place, Ordering::Relaxed) != place && SIGNALS.load(Ordering::Relaxed) > 0 {
        ELSEWHERE.fetch_add(1, Ordering::Relaxed);
    }
    if SIGNALS.fetch_add(1, Ordering::Relaxed) + 1 == TIMES {
        registers[libc::REG_RCX as usize] = 1;
    }
}

#[derive(Clone, Copy)]
struct Counted {
    /// Divisions that the program executed to their end.
    divisions: u64,
    signals: u64,
    /// Signals at another place than the one before.
    elsewhere: u64,
    nanoseconds: u64,
    /// What the kernel counts of vector 0, if it does.
    exceptions: Option<u64>,
}

/// The sum over all processors, of a line such as `0 5000 divide error`.
fn exceptions() -> Option<u64> {
    let text = std::fs::read_to_string(COUNTS).ok()?;
    let line = text
        .lines()
        .find(|line| line.split_whitespace().next().is_some_and(|word| word.trim_end_matches(':') == "0"))?;
    Some(line.split_whitespace().skip(1).map_while(|word| word.parse::<u64>().ok()).sum())
}

/// Divides by so much until that succeeds, so often.
fn divided(divisor: u32, divisions: u64) -> Result<Counted, Trouble> {
    let counted = run_in_child(|| {
        unsafe {
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigaction(libc::SIGFPE, &action, std::ptr::null_mut());
        }
        let (before, start) = (exceptions(), now());
        for _ in 0..divisions {
            unsafe { asm!("xor edx, edx", "div ecx", inout("ecx") divisor => _, inout("eax") 1 => _, out("edx") _) };
        }
        let nanoseconds = now() - start;
        let exceptions = before.and_then(|before| Some(exceptions()? - before));
        let (signals, elsewhere) = (SIGNALS.load(Ordering::Relaxed), ELSEWHERE.load(Ordering::Relaxed));
        Counted { divisions, signals, elsewhere, nanoseconds, exceptions }
    })?;
    counted.ok_or_else(|| Trouble::failed("the process that divides was lost"))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (zero, one) = lab.pair(|| divided(0, 1), || divided(1, TIMES))?;
    lab.mechanism("divisions in the program's text", zero.divisions, "division");
    lab.mechanism("signals", zero.signals, "signals").equals(TIMES, "until the divisor changes");
    lab.mechanism("of them, at another instruction", zero.elsewhere, "signals").equals(0, "it is executed again");
    let each = |counted: Counted, by: u64| counted.nanoseconds as f64 / by.max(1) as f64;
    lab.control("divisions by one", one.divisions, "divisions").equals(TIMES, "as many");
    lab.control("signals of dividing by one", one.signals, "signals").equals(0, "there is nothing to signal");
    lab.control("cost of dividing by one", each(one, TIMES), "instructions").below(20, "the kernel has no part in it");
    lab.mechanism("cost of each exception, signal and return", each(zero, TIMES), "instructions")
        .above(times(20.0, "cost of dividing by one"), "the kernel is at work each time");
    match (zero.exceptions, one.exceptions) {
        (Some(zero), Some(one)) => {
            lab.mechanism("exceptions of vector 0, counted by the kernel", zero, "exceptions")
                .equals(TIMES, "both sides count the same");
            lab.control("exceptions of vector 0 while dividing by one", one, "exceptions").equals(0, "there are none");
        }
        _ => lab.unobserved(format!("the kernel's own count: there is no {COUNTS}")),
    }
    Ok(())
}
