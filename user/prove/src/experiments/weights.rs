//! Fair shares.

use crate::experiment::Linux;
use crate::observe::{fork, shared_words, sleep_until, turns_until};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{now, wait};
use std::sync::atomic::Ordering;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Scheduling,
    claim: "Shares of the processor are proportional to weights, and each nice level divides the weight by 1.25.",
    experiment: "Four processes of the nice levels 0, 3, 6 and 9 count on one processor for 0.8 seconds. What each has counted is its share. The control gives \
        all four the level 0.",
    expected: "The scheduler runs whoever had the least time so far, divided by weight: so time is dealt out in proportion. Weights are 1024 / 1.25^nice, \
        so that one level is worth about a tenth of the processor between two.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the processes' own counts"),
    run,
};

const NICE: [i32; 4] = [0, 3, 6, 9];
const NANOSECONDS: u64 = 800_000_000;

/// The shares in per cent of four processes, whose levels are multiplied by `factor`.
fn shares(factor: i32) -> Result<[f64; 4], Trouble> {
    let counts = shared_words()?;
    // All begin together, when all are there.
    let start = now() + 10_000_000;
    let mut children = Vec::new();
    for (index, nice) in NICE.into_iter().enumerate() {
        children.push(fork(|| {
            unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice * factor) };
            sleep_until(start);
            counts[index].store(turns_until(start + NANOSECONDS), Ordering::SeqCst);
            0
        })?);
    }
    for child in children {
        wait(child)?;
    }
    let counted = [0, 1, 2, 3].map(|index| counts[index].load(Ordering::SeqCst) as f64);
    let sum: f64 = counted.iter().sum();
    Ok(counted.map(|count| 100.0 * count / sum))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (weighted, equal) = lab.pair(|| shares(1), || shares(0))?;
    let weights = NICE.map(|nice| 1.25_f64.powi(-nice));
    let sum: f64 = weights.iter().sum();
    for ((nice, share), weight) in NICE.into_iter().zip(weighted).zip(weights) {
        let expected = 100.0 * weight / sum;
        lab.mechanism(format!("share at nice {nice}"), share, "%")
            .at_least(expected * 0.9 - 0.5, &format!("{expected:.1} % by weight, with a slice more or less"))
            .at_most(expected * 1.1 + 0.5, "likewise");
    }
    for (number, share) in equal.into_iter().enumerate() {
        lab.control(format!("share of equal {}", number + 1), share, "%")
            .at_least(22, "a quarter each")
            .at_most(28, "a quarter each");
    }
    let line = |shares: [f64; 4]| NICE.into_iter().zip(shares).map(|(nice, share)| (f64::from(nice), share)).collect();
    let (weighted, equal) = (line(weighted), line(equal));
    lab.chart(
        "Shares of four processes",
        ("nice level", "% of the processor"),
        ("of different levels", weighted),
        ("all of level 0", equal),
    );
    Ok(())
}
