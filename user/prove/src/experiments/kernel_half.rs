//! The upper half of every address space.

use crate::experiment::Linux;
use crate::observe::fork;
use crate::observe::inside::{Walk, text, walk, walk_of};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{map_small, pipe, wait};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "The kernel lives in the upper half of every address space, and that half is one for all processes: what is mapped there later all see at once.",
    experiment: "Two processes are made, and the entries of their first tables compared: for the kernel's text, its direct map, and a stack that the kernel \
        mapped after the first of them was made. The control compares the entries for the program's text, its data and its stack.",
    expected: "The entries of the upper half name the same tables in both, so a page entered below them is in every address space by itself, and an entry into the \
        kernel changes no CR3. Those of the lower half name tables of the process's own.",
    observable: Observable::OneProcessor,
    linux: Linux::No("Linux has no interface to the entries themselves"),
    run,
};

/// Of the two ways to an address: whether the root is one, and whether the first entry is.
fn shared(first: i32, second: i32, addresses: [u64; 3]) -> Result<Vec<(Walk, Walk)>, Trouble> {
    addresses.into_iter().map(|address| Ok((walk_of(first, address)?, walk_of(second, address)?))).collect()
}

fn stack_of(process: i32) -> Result<u64, Trouble> {
    let stacks = text("stacks")?;
    let row = stacks.lines().find(|line| line.starts_with(&format!("task {process} ")));
    let range = row.and_then(|row| row.split(" stack 0x").nth(1)).and_then(|rest| rest.split('-').next());
    let bottom = range.and_then(|bottom| u64::from_str_radix(bottom, 16).ok());
    bottom.ok_or_else(|| Trouble::failed("a process without a kernel stack"))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let data = map_small(4096)?;
    unsafe { data.write_volatile(1) };
    let (source, sink) = pipe()?;
    let child = || {
        fork(|| {
            let mut byte = 0_u8;
            unsafe { data.write_volatile(2) };
            unsafe { libc::read(source, (&raw mut byte).cast(), 1) };
            0
        })
    };
    let (first, second) = (child()?, child()?);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let here = 0_u8;
    let kernel = [0xffff_ffff_8020_0000, 0xffff_8880_0010_0000, stack_of(second)?];
    let program = [run as *const () as u64, data as u64, (&raw const here) as u64];
    let tried = lab.pair(|| shared(first, second, kernel), || shared(first, second, program));
    let seen_by_the_first = walk_of(first, kernel[2])?.physical == walk(kernel[2])?.physical;
    unsafe { libc::write(sink, b"xx".as_ptr().cast(), 2) };
    wait(first)?;
    wait(second)?;
    let (upper, lower) = tried?;
    let roots = |walks: &[(Walk, Walk)]| walks.iter().filter(|(one, other)| one.root != other.root).count();
    let same = |walks: &[(Walk, Walk)]| {
        let first_entry = |walk: &Walk| walk.steps.first().map(|step| step.target());
        walks.iter().filter(|(one, other)| first_entry(one).is_some() && first_entry(one) == first_entry(other)).count()
    };
    lab.mechanism("address spaces that differ", roots(&upper), "of 3").equals(3, "each process has a root of its own");
    lab.mechanism("of the kernel's entries in it, the same in both", same(&upper), "of 3")
        .equals(3, "one table serves all");
    lab.mechanism("a stack mapped later is there in the process made before", u64::from(seen_by_the_first), "")
        .equals(1, "it was entered in a table that both have");
    lab.control("of the program's entries, the same in both", same(&lower), "of 3").equals(0, "tables of its own");
    Ok(())
}
