//! Arguments and environment.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Processes,
    claim: "Arguments and environment lie on the new program's stack, above everything that it pushes itself.",
    experiment: "The addresses of the program's path, of its environment's first string and of the kernel's random bytes for it are looked up in /proc/self/maps, and \
        compared with a local variable's. The control looks up a constant and a piece of the heap.",
    expected: "exec copies the strings of the old program to the top of the new stack, with the vectors and the auxiliary vector below, before the program's first \
        instruction; there is no other place yet.",
    observable: Observable::OneProcessor,
    linux: Linux::By("/proc/self/maps and getauxval"),
    run,
};

/// The name of the area that holds the address, `[stack]` for one.
fn area(address: usize) -> Result<String, Trouble> {
    let text = std::fs::read_to_string("/proc/self/maps")?;
    let holds = |line: &&str| {
        let bounds = line.split_whitespace().next().and_then(|bounds| bounds.split_once('-'));
        bounds.is_some_and(|(from, to)| {
            let number = |text| usize::from_str_radix(text, 16).unwrap_or(0);
            (number(from)..number(to)).contains(&address)
        })
    };
    let line = text.lines().find(holds).unwrap_or_default();
    Ok(line
        .split_whitespace()
        .nth(5)
        .map_or("an area without a name", |name| if name.starts_with('[') { name } else { "a file" })
        .to_owned())
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    unsafe extern "C" {
        static environ: *const *const libc::c_char;
    }
    let local = 0_u8;
    let below = &raw const local as usize;
    let first = unsafe { if environ.is_null() { std::ptr::null() } else { *environ } } as usize;
    let strings = [
        ("the program's path", unsafe { libc::getauxval(libc::AT_EXECFN) } as usize),
        ("the environment's first string", first),
        ("the random bytes for it", unsafe { libc::getauxval(libc::AT_RANDOM) } as usize),
    ];
    let piece = Box::new(1_u64);
    for (name, address) in strings {
        let (found, _) = lab.pair(|| area(address), || area(&raw const *piece as usize))?;
        lab.mechanism(format!("{name} is in"), found, "").equals("[stack]", "exec put it there");
        let (above, _) = lab.pair(|| Ok(address > below), || Ok(&raw const *piece as usize > below))?;
        lab.mechanism(format!("{name} is above the program's frames"), i32::from(above), "")
            .equals(1, "it was there first");
    }
    let (_, heap) = lab.pair(|| Ok(String::new()), || area(&raw const *piece as usize))?;
    lab.control("a piece of the program's own is in", heap, "").equals("[heap]", "the program asked for it");
    let (_, constant) = lab.pair(|| Ok(String::new()), || area(EXPERIMENT.claim.as_ptr() as usize))?;
    lab.control("a constant is in", constant, "").equals("a file", "it is part of the program");
    Ok(())
}
