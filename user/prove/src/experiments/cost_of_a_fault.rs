//! What a page fault costs.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble, times};
use evidence::Observable;
use measure::system::{map_small, now, touch, unmap};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "A minor page fault costs hundreds to thousands of instructions; an access to a page that is there costs one.",
    experiment: "512 pages are touched in an order that supplies no neighbours, and the clock is read before and after; then again in the same order, when all are there.",
    expected: "The processor enters the kernel, which looks the area up, takes a frame, clears its 4,096 bytes, writes the entry and returns. What is in the tables already the \
        processor finds by itself.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the clock"),
    run,
};

const PAGE: usize = 4096;
const PAGES: usize = 512;

/// The cost of each touch of a pass over pages that were passed over so often before.
fn cost(earlier: usize) -> Result<f64, Trouble> {
    let memory = map_small(PAGES * PAGE)?;
    let pass = || {
        for index in 0..PAGES {
            // Far apart: 197 and 512 have no common divisor.
            touch(unsafe { memory.add(index * 197 % PAGES * PAGE) }, 1);
        }
    };
    for _ in 0..earlier {
        pass();
    }
    let start = now();
    pass();
    let spent = now() - start;
    unmap(memory, PAGES * PAGE)?;
    Ok(spent as f64 / PAGES as f64)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (first, second) = lab.pair(|| cost(0), || cost(1))?;
    lab.control("a touch of a page that is there", second, "instructions")
        .at_most(40, "the access, and the loop around it");
    lab.mechanism("a first touch", first, "instructions")
        .at_least(times(10.0, "a touch of a page that is there"), "the kernel is at work")
        .at_least(200, "at least that much is to be done")
        .at_most(20_000, "and no more");
    Ok(())
}
