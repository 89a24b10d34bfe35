//! Limited direct execution.

use crate::experiment::Linux;
use crate::observe::{Usage, fork, shared_words, turns_until};
use crate::{Experiment, Lab, Subject, Trouble, times};
use evidence::Observable;
use measure::system::now;
use std::sync::atomic::Ordering;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::KernelAndUserMode,
    claim: "A program in an endless loop makes no call, and the kernel takes the processor back all the same.",
    experiment: "Two processes on one processor count in endless loops that never call the kernel, until a third of a second has passed by the \
        vDSO's clock. Each reads its own switch counters afterwards. The control loops alone for as long.",
    expected: "The timer's interrupt enters the kernel whatever the program does, and the scheduler then gives the other its turn: switches, all of them \
        involuntary, and each process gets about half. One that is alone keeps the processor.",
    observable: Observable::OneProcessor,
    linux: Linux::By("getrusage: ru_nivcsw"),
    run,
};

const NANOSECONDS: u64 = 333_000_000;

/// What one process saw.
#[derive(Clone, Copy, Default)]
struct Loop {
    /// Turns of the loop.
    turns: u64,
    usage: Usage,
}

/// Loops until then.
fn looping(end: u64) -> Loop {
    let before = Usage::of_process();
    let turns = turns_until(end);
    Loop { turns, usage: Usage::of_process().since(before) }
}

/// This one's loop, and the turns of the other process if there is one.
fn looped(with_another: bool) -> Result<(Loop, u64), Trouble> {
    let turns = shared_words()?;
    let end = now() + NANOSECONDS;
    let other = if with_another {
        Some(fork(|| {
            turns[0].store(turns_until(end), Ordering::SeqCst);
            0
        })?)
    } else {
        None
    };
    let own = looping(end);
    if let Some(other) = other {
        measure::system::wait(other)?;
    }
    Ok((own, turns[0].load(Ordering::SeqCst)))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let ((one, other), (alone, _)) = lab.pair(|| looped(true), || looped(false))?;
    lab.control("turns of a loop that is alone", alone.turns, "turns").above(0, "it ran");
    lab.control("its involuntary switches", alone.usage.involuntary_switches, "switches")
        .below(times(0.5, "involuntary switches of the first"), "hardly anybody else wants to run");
    lab.mechanism("turns of one of two", one.turns, "turns")
        .below(times(0.65, "turns of a loop that is alone"), "the other had its share");
    lab.mechanism("turns of the other", other, "turns")
        .above(times(0.35, "turns of a loop that is alone"), "the first was made to stop");
    lab.mechanism("involuntary switches of the first", one.usage.involuntary_switches, "switches")
        .at_least(5, "by the timer, again and again");
    lab.mechanism("voluntary switches of the first", one.usage.voluntary_switches, "switches")
        .equals(0, "it gave nothing up by itself");
    Ok(())
}
