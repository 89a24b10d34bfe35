//! Channels.

use crate::experiment::Linux;
use crate::observe::{cost, fork};
use crate::{Experiment, Lab, Subject, Trouble, times};
use evidence::Observable;
use measure::system::{check, map, pipe, touch};
use std::cell::Cell;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Communication,
    claim: "A pipe copies each byte twice, process_vm_readv once.",
    experiment: "1 to 32 KiB are taken from one place to another: into a pipe and out of it again, and from another process's memory by process_vm_readv. The cost of each is \
        measured over the size.",
    expected: "A pipe needs room of the kernel's, into which the writer's bytes are copied, and from there to the reader. With both address spaces at hand the kernel copies \
        straight across. The difference grows with the size; the fixed part is each call's own.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the clock"),
    run,
};

const MOST: usize = 32 << 10;

/// A process that sleeps, whose memory is as this one's.
fn other() -> Result<i32, Trouble> {
    fork(|| {
        loop {
            unsafe { libc::pause() };
        }
    })
}

fn by_pipe(length: usize) -> Result<f64, Trouble> {
    let (from, to, (source, sink)) = (map(MOST)?, map(MOST)?, pipe()?);
    touch(from, MOST);
    touch(to, MOST);
    let cost = cost(move || unsafe {
        libc::write(sink, from.cast(), length);
        libc::read(source, to.cast(), length);
    });
    unsafe { (libc::close(source), libc::close(sink)) };
    cost
}

fn directly(length: usize) -> Result<f64, Trouble> {
    let (from, to) = (map(MOST)?, map(MOST)?);
    touch(from, MOST);
    touch(to, MOST);
    let process = other()?;
    let local = libc::iovec { iov_base: to.cast(), iov_len: length };
    let remote = libc::iovec { iov_base: from.cast(), iov_len: length };
    check(unsafe { libc::process_vm_readv(process, &local, 1, &remote, 1, 0) } as i64)?;
    let failed = std::rc::Rc::new(Cell::new(false));
    let seen = std::rc::Rc::clone(&failed);
    let cost = cost(move || {
        let read = unsafe { libc::process_vm_readv(process, &local, 1, &remote, 1, 0) };
        seen.set(seen.get() || read != length as isize);
    });
    unsafe { libc::kill(process, libc::SIGKILL) };
    measure::system::wait(process)?;
    if failed.get() { Err(Trouble::failed("bytes were missing")) } else { cost }
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let sizes = [1, 4, 8, 16, 32].map(|kibibytes| kibibytes << 10);
    let measured = lab.pairs(&sizes, directly, by_pipe)?;
    // What a byte costs, without what a call costs.
    let slope = |which: fn(&(usize, f64, f64)) -> f64| {
        let (first, last) = (&measured[0], &measured[4]);
        (which(last) - which(first)) / ((last.0 - first.0) as f64 / 1024.0)
    };
    let (once, twice) = (slope(|row| row.1), slope(|row| row.2));
    lab.control("each further KiB by pipe", twice, "instructions").above(0, "bytes are copied");
    lab.mechanism("each further KiB by process_vm_readv", once, "instructions")
        .at_most(times(0.75, "each further KiB by pipe"), "one copy instead of two");
    lab.control("32 KiB by pipe", measured[4].2, "instructions");
    lab.mechanism("32 KiB by process_vm_readv", measured[4].1, "instructions")
        .below(times(0.9, "32 KiB by pipe"), "one copy instead of two");
    let line =
        |which: fn(&(usize, f64, f64)) -> f64| measured.iter().map(|row| (row.0 as f64 / 1024.0, which(row))).collect();
    lab.chart(
        "Cost by size",
        ("KiB", "instructions"),
        ("process_vm_readv", line(|row| row.1)),
        ("pipe", line(|row| row.2)),
    );
    Ok(())
}
