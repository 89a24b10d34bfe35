//! Areas of an address space.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{check, map, unmap};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "An area of memory splits where its rights are changed in the middle, and neighbours with equal rights merge.",
    experiment: "Nine pages are mapped, and the three in the middle made read-only; then they are made writable again. The lines of /proc/self/maps \
        that lie in these pages are counted each time. The control sets the rights that the pages have already.",
    expected: "The kernel keeps one record for each range of equal rights, and not one for each page: three where the middle differs, and one again when \
        it does not.",
    observable: Observable::OneProcessor,
    linux: Linux::By("/proc/self/maps"),
    run,
};

const PAGE: usize = 4096;

/// The areas between two addresses.
fn areas(start: usize, end: usize) -> Result<usize, Trouble> {
    let text = std::fs::read_to_string("/proc/self/maps")?;
    let bounds = |line: &str| {
        let (from, to) = line.split_whitespace().next()?.split_once('-')?;
        Some((usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?))
    };
    Ok(text.lines().filter_map(bounds).filter(|(from, to)| *from < end && *to > start).count())
}

/// The areas after the middle was given these rights, and after it was given the first ones again.
fn changed(rights: i32) -> Result<(usize, usize), Trouble> {
    // With a page at either end that keeps the neighbours away.
    let memory = map(11 * PAGE)?;
    let (start, end) = (memory as usize + PAGE, memory as usize + 10 * PAGE);
    let protect =
        |from: usize, pages: usize, rights| check(unsafe { libc::mprotect(from as *mut _, pages * PAGE, rights) });
    protect(memory as usize, 1, libc::PROT_NONE)?;
    protect(end, 1, libc::PROT_NONE)?;
    protect(start + 3 * PAGE, 3, rights)?;
    let during = areas(start, end)?;
    protect(start + 3 * PAGE, 3, libc::PROT_READ | libc::PROT_WRITE)?;
    let after = areas(start, end)?;
    unmap(memory, 11 * PAGE)?;
    Ok((during, after))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (split, whole) = lab.pair(|| changed(libc::PROT_READ), || changed(libc::PROT_READ | libc::PROT_WRITE))?;
    lab.mechanism("areas with the middle read-only", split.0, "areas").equals(3, "before, middle, behind");
    lab.mechanism("areas when it is writable again", split.1, "areas").equals(1, "neighbours are alike");
    lab.control("areas with the rights that were there", whole.0, "areas").equals(1, "nothing differs");
    Ok(())
}
