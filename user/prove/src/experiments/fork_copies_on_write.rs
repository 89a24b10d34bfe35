//! What fork copies.

use crate::experiment::Linux;
use crate::observe::run_in_child;
use crate::observe::usage::faults_of;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{check, map_small, touch, unmap};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Processes,
    claim: "fork copies a page only when one of the two writes to it.",
    experiment: "A process with 1,024 touched pages forks, and the child writes to some of them: none, an eighth, and so on up to all. Its page \
        faults are counted. A second child reads as many pages instead, and where the kernel can say which frame is behind a page, the frames are compared.",
    expected: "fork shares the frames and takes the right to write away from both. Each first write faults, and the kernel copies that one page: a \
        fault for each page written, in a straight line. Reading needs no copy, so it does not fault.",
    observable: Observable::OneProcessor,
    linux: Linux::By("getrusage: ru_minflt, and /proc/self/pagemap"),
    run,
};

const PAGE: usize = 4096;
const PAGES: usize = 1024;

fn read(memory: *mut u8, length: usize) {
    for offset in (0..length).step_by(PAGE) {
        unsafe { memory.add(offset).read_volatile() };
    }
}

/// The faults of a child that does this to so many of the pages that it got.
fn faults(pages: usize, deed: fn(*mut u8, usize)) -> Result<u64, Trouble> {
    let memory = map_small(PAGES * PAGE)?;
    touch(memory, PAGES * PAGE);
    let counted = run_in_child(|| {
        // The child's own stack and the counters' code are touched first.
        faults_of(|| deed(memory, 0));
        faults_of(|| deed(memory, pages * PAGE))
    })?;
    unmap(memory, PAGES * PAGE)?;
    counted.ok_or_else(|| Trouble::failed("a child was lost"))
}

/// The frames behind the pages, as the kernel tells a privileged reader.
fn frames(memory: *mut u8) -> Result<[u64; PAGES], Trouble> {
    let mut entries = [0_u64; PAGES];
    let file = check(unsafe { libc::open(c"/proc/self/pagemap".as_ptr(), libc::O_RDONLY) })?;
    let (length, place) = (size_of_val(&entries), memory as usize / PAGE * 8);
    let read = unsafe { libc::pread(file, entries.as_mut_ptr().cast(), length, place as i64) };
    unsafe { libc::close(file) };
    check(read as i64)?;
    // Bits 0 to 54.
    Ok(entries.map(|entry| entry & ((1 << 55) - 1)))
}

/// How many of the frames are the child's own after this deed to half of them.
fn own_frames(deed: fn(*mut u8, usize)) -> Result<u64, Trouble> {
    let memory = map_small(PAGES * PAGE)?;
    touch(memory, PAGES * PAGE);
    let before = frames(memory)?;
    let counted = run_in_child(|| {
        deed(memory, PAGES / 2 * PAGE);
        let after = frames(memory).unwrap_or([0; PAGES]);
        before.iter().zip(&after).filter(|(before, after)| before != after).count() as u64
    })?;
    unmap(memory, PAGES * PAGE)?;
    counted.ok_or_else(|| Trouble::failed("a child was lost"))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let written: Vec<usize> = (0..=8).map(|eighth| eighth * PAGES / 8).collect();
    let measured = lab.pairs(&written, |pages| faults(pages, touch), |pages| faults(pages, read))?;
    for &(pages, writing, _) in measured.iter().filter(|(pages, ..)| [0, PAGES / 2, PAGES].contains(pages)) {
        lab.mechanism(format!("faults of {pages} pages written"), writing, "faults")
            .at_least(pages, "each is copied when it is first written")
            .at_most(pages + 4, "and no other is");
    }
    let most = measured.iter().map(|row| row.2).max().unwrap_or_default();
    lab.control("most faults of a child that reads", most, "faults").at_most(4, "reading needs no copy");
    let line =
        |which: fn(&(usize, u64, u64)) -> u64| measured.iter().map(|row| (row.0 as f64, which(row) as f64)).collect();
    lab.chart(
        "Faults of the child",
        ("pages written, or read", "faults"),
        ("writing", line(|row| row.1)),
        ("reading", line(|row| row.2)),
    );
    match lab.pair(|| own_frames(touch), || own_frames(read)) {
        Ok((writing, reading)) => {
            lab.mechanism("frames of its own after half are written", writing, "frames")
                .equals(PAGES / 2, "those were copied");
            lab.control("frames of its own after half are read", reading, "frames").equals(0, "all are shared");
        }
        Err(_) => lab.unobserved("the frames behind the pages: there is no /proc/self/pagemap"),
    }
    Ok(())
}
