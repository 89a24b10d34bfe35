//! Whom a wake-up wakes.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::ptr::null;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Synchronisation,
    claim: "Waking one wakes one waiter, and waking all wakes the herd.",
    experiment: "Twenty threads wait for one futex. It is asked to wake one, and twenty milliseconds later the threads that have gone on are counted; the control asks it \
        to wake as many as there are.",
    expected: "Waiters stand in a queue, and the waker says how many it wants. Who wakes all for one piece of work makes nineteen run for nothing.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the futex call's answer, and the threads' own count"),
    run,
};

const THREADS: usize = 20;

fn futex(word: &AtomicU32, operation: i32, value: u32) -> i64 {
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation | libc::FUTEX_PRIVATE_FLAG, value, null::<u8>()) }
}

/// What the call answered, and how many went on.
fn woken(count: u32) -> Result<(i64, usize), Trouble> {
    let (word, went_on) = (AtomicU32::new(0), AtomicU32::new(0));
    let pause = || std::thread::sleep(Duration::from_millis(20));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                futex(&word, libc::FUTEX_WAIT, 0);
                went_on.fetch_add(1, Ordering::SeqCst);
            });
        }
        pause();
        let answer = futex(&word, libc::FUTEX_WAKE, count);
        pause();
        let seen = went_on.load(Ordering::SeqCst) as usize;
        // The rest must end too.
        word.store(1, Ordering::SeqCst);
        futex(&word, libc::FUTEX_WAKE, i32::MAX as u32);
        Ok((answer, seen))
    })
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (one, all) = lab.pair(|| woken(1), || woken(i32::MAX as u32))?;
    lab.mechanism("woken by a wake-up of one, as the call says", one.0, "threads").equals(1, "that was asked for");
    lab.mechanism("threads that went on", one.1, "threads").equals(1, "the others were left asleep");
    lab.control("woken by a wake-up of all, as the call says", all.0, "threads").equals(THREADS, "each was waiting");
    lab.control("threads that went on then", all.1, "threads").equals(THREADS, "each was waiting");
    Ok(())
}
