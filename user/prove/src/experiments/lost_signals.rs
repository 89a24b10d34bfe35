//! Pending signals.

use crate::experiment::Linux;
use crate::observe::run_in_child;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::mem::zeroed;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Communication,
    claim: "A standard signal that is pending already is lost; real-time signals are queued, each with its value, in order.",
    experiment: "A process blocks a signal, is sent it five times with the values 1 to 5, and lets it through. Its handler counts, and notes the values. This \
        is done with SIGUSR1, and with the first real-time signal.",
    expected: "A standard signal is one bit in a mask: four of the five find it set. POSIX wants a queue for real-time signals, so that they can carry data.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the handler's count"),
    run,
};

static COUNT: AtomicU64 = AtomicU64::new(0);
static VALUES: AtomicU64 = AtomicU64::new(0);

extern "C" fn handler(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    COUNT.fetch_add(1, Ordering::SeqCst);
    let value = unsafe { (*info).si_value() }.sival_ptr as u64;
    VALUES.store(VALUES.load(Ordering::SeqCst) * 10 + value, Ordering::SeqCst);
}

/// How many of five came through, and their values as digits.
fn delivered(signal: i32) -> Result<(u64, u64), Trouble> {
    let seen = run_in_child(|| unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(signal, &action, null_mut());
        let mut mask: libc::sigset_t = zeroed();
        libc::sigaddset(&mut mask, signal);
        libc::sigprocmask(libc::SIG_BLOCK, &mask, null_mut());
        for value in 1..=5_usize {
            libc::sigqueue(libc::getpid(), signal, libc::sigval { sival_ptr: value as *mut libc::c_void });
        }
        libc::sigprocmask(libc::SIG_UNBLOCK, &mask, null_mut());
        (COUNT.load(Ordering::SeqCst), VALUES.load(Ordering::SeqCst))
    })?;
    seen.ok_or_else(|| Trouble::failed("a child was lost"))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let real_time = libc::SIGRTMIN();
    let (standard, queued) = lab.pair(|| delivered(libc::SIGUSR1), || delivered(real_time))?;
    lab.mechanism("SIGUSR1 delivered, of five sent", standard.0, "").equals(1, "a bit is set or not");
    lab.mechanism("its value", standard.1, "").equals(1, "the first found the bit clear");
    lab.control("SIGRTMIN delivered, of five sent", queued.0, "").equals(5, "each is queued");
    lab.control("their values", queued.1.to_string(), "").equals("12345", "in the order in which they were sent");
    Ok(())
}
