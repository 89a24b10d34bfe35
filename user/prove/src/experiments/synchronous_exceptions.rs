//! Where exceptions come, and where interrupts do.

use crate::experiment::Linux;
use crate::observe::run_in_child;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::arch::asm;
use std::mem::zeroed;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::KernelAndUserMode,
    claim: "Exceptions are synchronous: they come at the same instruction each time. Interrupts are not.",
    experiment: "A loop with an undefined instruction among forty others is turned thirty times, and the handler notes where each signal interrupted it. The \
        control is the same loop without that instruction, interrupted by a timer's signals thirty times.",
    expected: "An exception is a result of the instruction that is executed. An interrupt comes from outside, between any two instructions, so its places are \
        spread over the loop.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the signal's context (REG_RIP)"),
    run,
};

const TIMES: usize = 30;
static PLACES: [AtomicU64; TIMES] = [const { AtomicU64::new(0) }; TIMES];
static SEEN: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handler(signal: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let place = registers[libc::REG_RIP as usize];
    let index = SEEN.fetch_add(1, Ordering::Relaxed);
    if let Some(entry) = PLACES.get(index) {
        entry.store(place as u64, Ordering::Relaxed);
    }
    if signal == libc::SIGILL {
        // Behind the instruction.
        registers[libc::REG_RIP as usize] = place + 2;
    }
}

/// Different places of thirty signals: of the instruction's, or of a timer's.
fn places(exception: bool) -> Result<u64, Trouble> {
    let seen = run_in_child(|| unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        let signal = if exception { libc::SIGILL } else { libc::SIGALRM };
        libc::sigaction(signal, &action, null_mut());
        if !exception {
            // A number that no loop's length divides.
            let time = libc::timeval { tv_sec: 0, tv_usec: 1013 };
            let timer = libc::itimerval { it_interval: time, it_value: time };
            libc::setitimer(libc::ITIMER_REAL, &timer, null_mut());
        }
        while SEEN.load(Ordering::Relaxed) < TIMES {
            if exception {
                asm!(".rept 20", "nop", ".endr", "ud2", ".rept 20", "nop", ".endr");
            } else {
                asm!(".rept 40", "nop", ".endr");
            }
        }
        let mut places = PLACES.each_ref().map(|place| place.load(Ordering::Relaxed));
        places.sort_unstable();
        1 + places.windows(2).filter(|pair| pair[0] != pair[1]).count() as u64
    })?;
    seen.ok_or_else(|| Trouble::failed("a child was lost"))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (exceptions, interrupts) = lab.pair(|| places(true), || places(false))?;
    lab.mechanism("different places of thirty exceptions", exceptions, "place").equals(1, "the instruction's own");
    lab.control("different places of thirty interrupts", interrupts, "places").at_least(5, "anywhere in the loop");
    Ok(())
}
