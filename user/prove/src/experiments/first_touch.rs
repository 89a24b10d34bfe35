//! Memory is allocated when it is touched, not when it is asked for.

use crate::experiment::Linux;
use crate::observe::usage::faults_of;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{map_small, touch, unmap};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "The first touch of a page faults, and the second does not.",
    experiment: "A fresh mapping is touched once in each page, and then once more; the faults of each pass are counted. The same is \
        done for mappings of 64 to 1,024 pages.",
    expected: "mmap only notes the area, so the first access to it finds no page and the kernel must supply one (or a few \
        neighbours with it). By the second pass every page is there, and the processor finds them by itself.",
    observable: Observable::OneProcessor,
    linux: Linux::By("getrusage: ru_minflt"),
    run,
};

const PAGE: usize = 4096;

/// The faults of a pass over a mapping of so many pages, which was passed over `earlier` times before.
fn pass(pages: usize, earlier: usize) -> Result<u64, Trouble> {
    let memory = map_small(pages * PAGE)?;
    for _ in 0..earlier {
        touch(memory, pages * PAGE);
    }
    let faults = faults_of(|| touch(memory, pages * PAGE));
    unmap(memory, pages * PAGE)?;
    Ok(faults)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let sizes = [64, 128, 256, 512, 1024];
    // The mechanism is the page that is there.
    let measured = lab.pairs(&sizes, |pages| pass(pages, 1), |pages| pass(pages, 0))?;
    let sum = |which: fn(&(usize, u64, u64)) -> u64| measured.iter().map(which).sum::<u64>();
    let (second, first) = (sum(|row| row.1), sum(|row| row.2));
    let pages: usize = sizes.iter().sum();
    lab.mechanism("faults of the second pass", second, "faults").equals(0, "the pages are there");
    lab.control("pages touched", pages, "pages");
    // A kernel may supply up to sixteen pages at a time.
    lab.control("faults of the first pass", first, "faults")
        .at_least(pages as f64 / 16.0, "none of the pages was there, and a fault supplies a few at most")
        .at_most(pages + 8, "no page faults twice");
    let line =
        |which: fn(&(usize, u64, u64)) -> u64| measured.iter().map(|row| (row.0 as f64, which(row) as f64)).collect();
    lab.chart(
        "Faults of one pass",
        ("pages in the mapping", "faults"),
        ("second pass", line(|row| row.1)),
        ("first pass", line(|row| row.2)),
    );
    Ok(())
}
