//! Threads and processes.

use crate::experiment::Linux;
use crate::observe::cost;
use crate::{Experiment, Lab, Subject, Trouble, times};
use evidence::Observable;
use measure::system::{map_small, touch, unmap};
use std::ptr::{null, null_mut};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Processes,
    claim: "A thread is cheaper to make than a process, and costs the same however much memory there is.",
    experiment: "A thread that ends at once is made and joined, and a process that ends at once is forked and waited for; each from a process with 0 to 16 \
        MiB of touched memory.",
    expected: "Both are tasks for the kernel. A thread refers to the address space of its maker; fork makes another one, and has to write an entry for \
        each page that is there.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the clock"),
    run,
};

extern "C" fn nothing(_: *mut libc::c_void) -> *mut libc::c_void {
    null_mut()
}

fn thread() {
    let mut thread = 0;
    unsafe {
        if libc::pthread_create(&mut thread, null(), nothing, null_mut()) == 0 {
            libc::pthread_join(thread, null_mut());
        }
    }
}

fn process() {
    let child = unsafe { libc::fork() };
    if child == 0 {
        unsafe { libc::_exit(0) };
    }
    let _ = measure::system::wait(child);
}

/// The cost with so much memory, in instructions.
fn with(mebibytes: usize, operation: fn()) -> Result<f64, Trouble> {
    let length = mebibytes << 20;
    if length == 0 {
        return cost(operation);
    }
    let memory = map_small(length)?;
    touch(memory, length);
    let cost = cost(operation);
    unmap(memory, length)?;
    cost
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let measured = lab.pairs(&[0, 1, 4, 16], |size| with(size, thread), |size| with(size, process))?;
    let (small, large) = (measured[0], measured[3]);
    lab.control("a process, little memory", small.2, "instructions").above(0, "it was made");
    lab.mechanism("a thread, little memory", small.1, "instructions")
        .below(times(0.7, "a process, little memory"), "it makes no address space");
    lab.mechanism("a thread beside 16 MiB", large.1, "instructions")
        .below(times(1.25, "a thread, little memory"), "it does not look at memory");
    lab.control("a process with 16 MiB", large.2, "instructions")
        .above(times(1.5, "a process, little memory"), "each page has an entry to be copied");
    let line = |which: fn(&(usize, f64, f64)) -> f64| measured.iter().map(|row| (row.0 as f64, which(row))).collect();
    lab.chart(
        "Cost of making one",
        ("MiB of touched memory", "instructions"),
        ("a thread", line(|row| row.1)),
        ("a process", line(|row| row.2)),
    );
    Ok(())
}
