//! From an address to its bytes, table by table.

use crate::experiment::Linux;
use crate::observe::inside::{Walk, walk};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::map_small;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "A 48-bit address is walked in four steps of nine bits each, and the last twelve bits are the place in the page.",
    experiment: "A program writes a word and has the kernel walk its address: from CR3, through each table, to a physical address and what is there. Each \
        index is compared with nine bits of the address, each table with what the level above says, the bytes with what the program wrote. The \
        control walks the next page and makes the same comparisons.",
    expected: "CR3 names the first table, bits 39 to 47 an entry in it, and so on down to bits 12 to 20; the entry at the end names the frame. The page \
        beside it goes another way in the last step at least, and ends at other bytes.",
    observable: Observable::OneProcessor,
    linux: Linux::No("Linux has no interface to the entries themselves"),
    run,
};

const WORD: u64 = 0x5741_4c4b_2d01_ff80;

/// How a walk compares with what an address should give.
struct Compared {
    walk: Walk,
    indices: usize,
    links: usize,
}

fn compared(address: u64, walked: u64) -> Result<Compared, Trouble> {
    let walk = walk(walked)?;
    let levels = walk.steps.len() as u32;
    let shifts = (0..levels).rev().map(|level| 12 + 9 * level);
    let indices = walk.steps.iter().zip(shifts).filter(|(step, shift)| step.index == address >> shift & 0x1ff).count();
    let above = std::iter::once(walk.root).chain(walk.steps.iter().map(|step| step.target()));
    let links = walk.steps.iter().zip(above).filter(|(step, above)| step.table == *above).count();
    Ok(Compared { walk, indices, links })
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let place = map_small(2 * 4096)? as u64 + 0x128;
    unsafe {
        (place as *mut u64).write_volatile(WORD);
        ((place + 4096) as *mut u64).write_volatile(1);
    }
    let (own, beside) = lab.pair(|| compared(place, place), || compared(place, place + 4096))?;
    lab.mechanism("address", format!("{place:#x}"), "");
    for (step, level) in own.walk.steps.iter().zip((1..=own.walk.steps.len()).rev()) {
        let (table, index, entry, flags) = (step.table, step.index, step.entry, &step.flags);
        lab.mechanism(format!("level {level}"), format!("{table:#x}[{index}] = {entry:#x}: {flags}"), "");
    }
    let levels = own.walk.steps.len();
    lab.mechanism("steps", levels, "").at_least(4, "48 bits").at_most(5, "57, where the processor has them");
    lab.mechanism("indices that are nine bits of the address", own.indices, "").equals(levels, "each");
    lab.mechanism("tables that are where the level above says", own.links, "").equals(levels, "from CR3 on");
    let end = own.walk.steps.last().map_or(0, |step| step.target()) | place & 0xfff;
    let hexadecimal = |number: Option<u64>| number.map_or_else(|| "none".to_owned(), |number| format!("{number:#x}"));
    lab.mechanism("physical address", hexadecimal(own.walk.physical), "")
        .equals(format!("{end:#x}"), "the frame in the last entry, and twelve bits of the address");
    lab.mechanism("the word there", hexadecimal(own.walk.word), "")
        .equals(format!("{WORD:#x}"), "the program wrote it through the same tables");
    lab.control("indices of the page beside it that are this address's", beside.indices, "")
        .below(levels, "it is another page");
    lab.control("the word there, beside it", hexadecimal(beside.walk.word), "")
        .differs(format!("{WORD:#x}"), "another frame");
    Ok(())
}
