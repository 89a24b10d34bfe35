//! Mapped and resident.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{map_small, touch, unmap};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "Memory is allocated by touching it, not by mapping it: the resident size follows the pages that were touched.",
    experiment: "64 MiB are mapped, and a part of them is touched: none, an eighth, and so on up to all. The process's sizes in /proc/self/statm are read before and \
        after. The control's line is what was mapped.",
    expected: "A mapping is a promise. Frames are taken when the processor misses them, so that a program may ask for much and use little.",
    observable: Observable::OneProcessor,
    linux: Linux::By("/proc/self/statm"),
    run,
};

const PAGE: usize = 4096;
const PAGES: usize = 16_384;

/// Pages of the address space, and of them in memory.
fn sizes() -> Result<(i64, i64), Trouble> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let mut numbers = text.split_whitespace().map_while(|word| word.parse().ok());
    numbers.next().zip(numbers.next()).ok_or_else(|| Trouble::failed("statm holds no numbers"))
}

/// How much mapping and touching added to the two sizes.
fn added(pages: usize) -> Result<(i64, i64), Trouble> {
    let before = sizes()?;
    let memory = map_small(PAGES * PAGE)?;
    touch(memory, pages * PAGE);
    let after = sizes()?;
    unmap(memory, PAGES * PAGE)?;
    Ok((after.0 - before.0, after.1 - before.1))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    sizes()?;
    let parts: Vec<usize> = (0..=8).map(|eighth| eighth * PAGES / 8).collect();
    // The control of each is what the same mapping adds to the other size.
    let measured = lab.pairs(&parts, |pages| Ok(added(pages)?.1), |pages| Ok(added(pages)?.0))?;
    for &(pages, resident, mapped) in measured.iter().filter(|row| [0, PAGES / 2, PAGES].contains(&row.0)) {
        // A kernel may count in batches, and supply a few neighbours.
        lab.mechanism(format!("pages in memory with {pages} touched"), resident, "pages")
            .at_least(pages as f64 - 128.0, "those are there")
            .at_most(pages + 128, "and no others");
        lab.control(format!("pages mapped with {pages} touched"), mapped, "pages")
            .at_least(PAGES, "all, touched or not")
            .at_most(PAGES + 128, "all, touched or not");
    }
    let line =
        |which: fn(&(usize, i64, i64)) -> i64| measured.iter().map(|row| (row.0 as f64, which(row) as f64)).collect();
    lab.chart(
        "Sizes of a process",
        ("pages touched", "pages"),
        ("resident", line(|row| row.1)),
        ("mapped", line(|row| row.2)),
    );
    Ok(())
}
