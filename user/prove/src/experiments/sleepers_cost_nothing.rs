//! Tasks that wait.

use crate::experiment::Linux;
use crate::observe::{fork, shared_words, sleep_until, turns_until};
use crate::{Experiment, Lab, Subject, Trouble, times};
use evidence::Observable;
use measure::system::{now, wait};
use std::sync::atomic::Ordering;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Scheduling,
    claim: "A task that sleeps has left the run queue and costs nothing; one that can run takes its share.",
    experiment: "A process loops for a tenth of a second and counts its turns: alone, beside 100 processes that sleep, and in the control beside one, two and four \
        that loop too.",
    expected: "The scheduler looks at tasks that can run. A sleeper stands in the queue of what it waits for, and nobody comes by it until that happens.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the process's own count"),
    run,
};

const NANOSECONDS: u64 = 100_000_000;

/// The turns of one process beside so many others, which sleep or loop.
fn turns(others: u64, sleep: bool) -> Result<u64, Trouble> {
    let told = shared_words()?;
    let start = now() + 20_000_000 + others * 500_000;
    let end = start + NANOSECONDS;
    let mut children = Vec::new();
    for _ in 0..others {
        children.push(fork(|| {
            sleep_until(start);
            if sleep {
                sleep_until(end + 10_000_000);
            } else {
                turns_until(end);
            }
            0
        })?);
    }
    // All are asleep when it begins, and those that sleep on are woken once.
    let counting = fork(|| {
        sleep_until(start + 1_000_000);
        told[0].store(turns_until(end), Ordering::SeqCst);
        0
    })?;
    wait(counting)?;
    for child in children {
        wait(child)?;
    }
    Ok(told[0].load(Ordering::SeqCst))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let alone = turns(0, true)?;
    lab.control("turns of a process that is alone", alone, "turns").above(0, "it runs");
    let measured = lab.pairs(&[1, 2, 4], |others| turns(25 * others, true), |others| turns(others, false))?;
    for &(others, asleep, _) in &measured {
        lab.mechanism(format!("turns beside {} that sleep", 25 * others), asleep, "turns")
            .at_least(times(0.9, "turns of a process that is alone"), "they take no part");
    }
    for &(others, _, awake) in &measured {
        let share = 1.0 / (others + 1) as f64;
        lab.control(format!("turns beside {others} that loop"), awake, "turns")
            .at_most(times(1.25 * share, "turns of a process that is alone"), "they take theirs");
    }
    let part = |turns: u64| 100.0 * turns as f64 / alone.max(1) as f64;
    let looping = measured.iter().map(|row| (row.0 as f64, part(row.2)));
    let sleeping = measured.iter().map(|row| (row.0 as f64, part(row.1)));
    let alone = std::iter::once((0.0, 100.0));
    let (sleeping, looping) = (alone.clone().chain(sleeping).collect(), alone.chain(looping).collect());
    lab.chart(
        "Turns of one process beside others",
        ("others that loop, or 25 times as many that sleep", "% of its turns alone"),
        ("they sleep", sleeping),
        ("they loop", looping),
    );
    Ok(())
}
