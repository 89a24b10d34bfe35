//! Whom the scheduler serves.

use crate::experiment::Linux;
use crate::observe::{fork, shared_words, sleep_until, turns_until};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{now, wait};
use std::sync::atomic::Ordering;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Scheduling,
    claim: "Threads and processes are scheduled alike: shares go to tasks, not to processes.",
    experiment: "A process with three threads and one with a single thread loop for 0.4 seconds on one processor. What all threads of each counted is compared. The \
        control has one thread in both.",
    expected: "The scheduler knows tasks only, and each gets a quarter: so the process with three has three quarters.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the threads' own counts"),
    run,
};

const NANOSECONDS: u64 = 400_000_000;

/// The share of a process with so many threads, beside one with a single thread; in per cent.
fn share(threads: usize) -> Result<f64, Trouble> {
    let counts = shared_words()?;
    let start = now() + 20_000_000;
    let turn = move |index: usize| {
        sleep_until(start);
        counts[index].fetch_add(turns_until(start + NANOSECONDS), Ordering::SeqCst);
    };
    let many = fork(|| {
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| turn(0));
            }
            turn(0);
        });
        0
    })?;
    let one = fork(|| {
        turn(1);
        0
    })?;
    wait(many)?;
    wait(one)?;
    let [many, one] = [0, 1].map(|index| counts[index].load(Ordering::SeqCst) as f64);
    Ok(100.0 * many / (many + one))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (three, one) = lab.pair(|| share(3), || share(1))?;
    lab.mechanism("share of the process with three threads", three, "%")
        .at_least(70, "three of four tasks")
        .at_most(80, "three of four tasks");
    lab.control("share of a process with one thread", one, "%")
        .at_least(45, "one of two tasks")
        .at_most(55, "one of two tasks");
    Ok(())
}
