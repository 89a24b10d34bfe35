//! One address, two contents.

use crate::experiment::Linux;
use crate::observe::run_in_child;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::last_error;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "Each process has its own address space: one address holds two contents.",
    experiment: "A process writes 1 at an address and forks. The child writes 2 at the same address, and its parent reads there when the child \
        has ended. The same is done in memory mapped as shared.",
    expected: "The address is translated by the tables of the process that uses it: parent and child see each their own frame there. Shared memory \
        is one frame in both tables, and the parent sees what the child wrote.",
    observable: Observable::OneProcessor,
    linux: Linux::By("what the program reads"),
    run,
};

/// What the child read back, and what the parent reads then, at the same address.
fn contents(sharing: i32) -> Result<(u64, u64), Trouble> {
    let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, sharing | libc::MAP_ANONYMOUS);
    let place = unsafe { libc::mmap(std::ptr::null_mut(), 4096, rights, flags, -1, 0) };
    if place == libc::MAP_FAILED {
        return Err(last_error().into());
    }
    let place: *mut u64 = place.cast();
    unsafe { place.write_volatile(1) };
    let childs = run_in_child(|| unsafe {
        place.write_volatile(2);
        place.read_volatile()
    })?;
    Ok((childs.unwrap_or_default(), unsafe { place.read_volatile() }))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (own, shared) = lab.pair(|| contents(libc::MAP_PRIVATE), || contents(libc::MAP_SHARED))?;
    lab.mechanism("the child wrote and read", own.0, "").equals(2, "it wrote that");
    lab.mechanism("the parent reads at the same address", own.1, "").equals(1, "its frame is another");
    lab.control("in shared memory the child wrote and read", shared.0, "").equals(2, "it wrote that");
    lab.control("in shared memory the parent reads", shared.1, "").equals(2, "the frame is the same");
    Ok(())
}
