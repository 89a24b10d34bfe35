//! Where the kernel has every frame.

use crate::experiment::Linux;
use crate::observe::inside::walk;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::map_small;
use std::collections::BTreeSet;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "The direct map gives each frame a kernel address: the physical one plus a constant.",
    experiment: "A program writes its own word to each of 64 pages and has the kernel walk to them. The kernel's address for each frame is walked too, and what is \
        there is compared with what the program wrote. The distance between address and frame is taken for both: by the kernel's addresses, and, \
        as the control, by the program's.",
    expected: "The kernel maps all memory once, in one stretch, so it finds the bytes of any frame without changing a table: one distance for all. Pages of a \
        program lie in whatever frames were free.",
    observable: Observable::OneProcessor,
    linux: Linux::No("Linux shows frames (/proc/PID/pagemap), not the kernel's addresses for them"),
    run,
};

const PAGES: u64 = 64;

/// What the pages' addresses have in common.
struct Seen {
    distances: usize,
    /// Words that are the program's, at those addresses.
    words: usize,
}

fn seen(memory: u64, by_kernel: bool) -> Result<Seen, Trouble> {
    let (mut distances, mut words) = (BTreeSet::new(), 0);
    for page in 0..PAGES {
        let place = memory + page * 4096;
        let own = walk(place)?;
        let physical = own.physical.ok_or_else(|| Trouble::failed("a page that was written to is not there"))?;
        let address = if by_kernel { own.direct } else { place };
        let there = walk(address)?;
        words += usize::from(there.word == Some(word(page)) && there.physical == Some(physical));
        distances.insert(address.wrapping_sub(physical));
    }
    Ok(Seen { distances: distances.len(), words })
}

fn word(page: u64) -> u64 {
    page.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let memory = map_small(PAGES as usize * 4096)? as u64;
    // Downwards, so that the kernel supplies them one by one, and some in between go elsewhere.
    for page in (0..PAGES).rev() {
        unsafe { ((memory + page * 4096) as *mut u64).write_volatile(word(page)) };
        if page % 7 == 0 {
            unsafe { map_small(4096)?.write_volatile(1) };
        }
    }
    let (kernel, program) = lab.pair(|| seen(memory, true), || seen(memory, false))?;
    lab.mechanism("words found at the kernel's addresses", kernel.words, "of 64")
        .equals(PAGES, "they are the same frames");
    lab.mechanism("distances between the kernel's address and the frame", kernel.distances, "").equals(1, "a constant");
    lab.control("words found at the program's addresses", program.words, "of 64").equals(PAGES, "it wrote them");
    lab.control("distances between the program's address and the frame", program.distances, "")
        .above(1, "any frame will do for any page");
    Ok(())
}
