//! POSIX semaphores and condition variables.

use crate::experiment::Linux;
use crate::observe::{Steps, steps};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::time::Duration;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Synchronisation,
    claim: "The C library's semaphores stand on futexes: they count in user memory, and call the kernel only to sleep and to wake a sleeper.",
    experiment: "sem_post and sem_wait are executed one instruction at a time, and the calls among them counted: on a semaphore that is free, and in the control on one that \
        is taken, with another thread that waits or posts.",
    expected: "The count is a word that an atomic instruction changes. Only at zero must a waiter sleep, and only then has a post somebody to wake: both by the \
        same call, futex.",
    observable: Observable::OneProcessor,
    linux: Linux::By("single steps"),
    run,
};

struct Semaphore(UnsafeCell<MaybeUninit<libc::sem_t>>);
unsafe impl Sync for Semaphore {}

impl Semaphore {
    fn new(count: u32) -> Self {
        let semaphore = Self(UnsafeCell::new(MaybeUninit::zeroed()));
        unsafe { libc::sem_init(semaphore.place(), 0, count) };
        semaphore
    }

    fn place(&self) -> *mut libc::sem_t {
        self.0.get().cast()
    }

    fn wait(&self) {
        unsafe { libc::sem_wait(self.place()) };
    }

    fn post(&self) {
        unsafe { libc::sem_post(self.place()) };
    }
}

fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// Stepping through a post and a wait on a free one.
fn free() -> Result<(Steps, Steps), Trouble> {
    let semaphore = Semaphore::new(1);
    Ok((steps(|| semaphore.post()), steps(|| semaphore.wait())))
}

/// Stepping through a post while another thread waits, and through a wait before another posts.
fn taken() -> Result<(Steps, Steps), Trouble> {
    let semaphore = Semaphore::new(0);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| semaphore.wait());
        pause();
        let post = steps(|| semaphore.post());
        let _ = waiting.join();
        scope.spawn(|| {
            pause();
            semaphore.post();
        });
        Ok((post, steps(|| semaphore.wait())))
    })
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (free, taken) = lab.pair(free, taken)?;
    lab.mechanism(
        "calls of a post with nobody waiting",
        free.0.calls,
        &format!("of {} instructions", free.0.instructions),
    )
    .equals(0, "the count says so");
    lab.mechanism("calls of a wait on a free one", free.1.calls, &format!("of {} instructions", free.1.instructions))
        .equals(0, "the count says so");
    lab.control("futex calls of a post with somebody waiting", taken.0.futexes, &format!("of {} calls", taken.0.calls))
        .at_least(1, "it must be woken");
    lab.control("futex calls of a wait on a taken one", taken.1.futexes, &format!("of {} calls", taken.1.calls))
        .at_least(1, "it must sleep");
    Ok(())
}
