//! How many can be inside the kernel at once.

use crate::experiment::Linux;
use crate::observe::{fork, inside};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{pipe, wait};
use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::time::Duration;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Contexts,
    claim: "Each task has a kernel stack of its own, so any number can be inside the kernel at once.",
    experiment: "Fifty processes each sleep in the middle of a read from an empty pipe. The memory for kernel stacks is compared before and then; where the kernel shows them, \
        the stacks are counted, with how much of each is in use. The control makes fifty processes that have ended, and nobody has waited for.",
    expected: "A call that sleeps leaves its frames, as any function does, on the stack on which it runs; it must stay until the call goes on, so it cannot be anybody \
        else's meanwhile. Who has ended needs none.",
    observable: Observable::OneProcessor,
    linux: Linux::By("/proc/meminfo: KernelStack"),
    run,
};

const PROCESSES: usize = 50;

/// KiB for stacks.
fn memory() -> Result<u64, Trouble> {
    let text = read_to_string("/proc/meminfo")?;
    let row = text.lines().find_map(|line| line.strip_prefix("KernelStack:"));
    let number = row.and_then(|row| row.split_whitespace().next()).and_then(|number| number.parse().ok());
    number.ok_or_else(|| Trouble::not_observable("/proc/meminfo has no KernelStack"))
}

#[derive(Default)]
struct Seen {
    /// Of these processes, as the kernel shows them.
    stacks: Option<usize>,
    /// The least that is in use on any of them, in bytes.
    least_used: u64,
    kib: u64,
}

fn seen(asleep: bool) -> Result<Seen, Trouble> {
    let (source, sink) = pipe()?;
    let before = memory()?;
    let child = || {
        fork(|| {
            let mut byte = 0_u8;
            if asleep {
                unsafe { libc::read(source, (&raw mut byte).cast(), 1) };
            }
            0
        })
    };
    let processes = (0..PROCESSES).map(|_| child()).collect::<Result<Vec<i32>, Trouble>>()?;
    std::thread::sleep(Duration::from_millis(50));
    let kib = memory()?.saturating_sub(before);
    let shown = match inside::text("stacks") {
        Ok(text) => Some(text),
        Err(Trouble::NotObservable(_)) => None,
        Err(trouble) => return Err(trouble),
    };
    unsafe { libc::write(sink, [0_u8; PROCESSES].as_ptr().cast(), PROCESSES) };
    for process in &processes {
        wait(*process)?;
    }
    unsafe { (libc::close(source), libc::close(sink)) };
    let mut seen = Seen { stacks: None, least_used: u64::MAX, kib };
    if let Some(text) = shown {
        let mut ranges = BTreeSet::new();
        for process in &processes {
            let Some(row) = text.lines().find(|line| line.starts_with(&format!("task {process} "))) else { continue };
            ranges.extend(row.split(" stack ").nth(1).and_then(|rest| rest.split(' ').next()).map(str::to_owned));
            let used = row.split(" used ").nth(1).and_then(|used| used.parse().ok()).unwrap_or(0);
            seen.least_used = seen.least_used.min(used);
        }
        seen.stacks = Some(ranges.len());
    }
    Ok(seen)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (asleep, ended) = lab.pair(|| seen(true), || seen(false))?;
    lab.mechanism("processes asleep in a call", PROCESSES, "");
    // A kernel keeps a few stacks of those that went, for those to come.
    lab.mechanism("memory for their stacks", asleep.kib, "KiB")
        .at_least(PROCESSES as u64 * 8 / 2, "8 KiB each at least, but for those that were at hand");
    lab.control("the same for as many that have ended", ended.kib, "KiB")
        .below(PROCESSES as u64 * 8 / 2, "their stacks were used again, or given back");
    match (asleep.stacks, ended.stacks) {
        (Some(stacks), Some(of_ended)) => {
            lab.mechanism("different stacks", stacks, "").equals(PROCESSES, "one each");
            lab.mechanism("in use on each, at least", asleep.least_used, "bytes").above(200, "the frames of the call");
            lab.control("stacks of those that have ended", of_ended, "")
                .equals(0, "they are not in the kernel any more");
        }
        _ => lab.unobserved("the stacks themselves: this kernel does not show them"),
    }
    Ok(())
}
