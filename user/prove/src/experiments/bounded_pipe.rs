//! A pipe's buffer.

use crate::experiment::Linux;
use crate::observe::{Usage, run_in_child};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{check, pipe, wait};
use std::time::Duration;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Communication,
    claim: "A pipe's buffer is bounded, and a writer sleeps when it is full.",
    experiment: "Pipes whose buffers are set to 4 to 256 KiB are filled by a writer that does not wait. Then a child writes one byte more than \
        the buffer holds; twenty milliseconds later one looks whether it has ended, and empties the pipe. The control writes what fits.",
    expected: "The bytes stand in memory of the kernel's, which one program must not fill for ever: so the size is a limit, and who exceeds it gives the \
        processor up until somebody reads.",
    observable: Observable::OneProcessor,
    linux: Linux::By("write, F_SETPIPE_SZ, and getrusage: ru_nvcsw"),
    run,
};

/// What a pipe of this size takes from a writer that does not wait.
fn taken(size: usize) -> Result<usize, Trouble> {
    let (source, sink) = pipe()?;
    let page = [0_u8; 4096];
    let mut sum = 0;
    unsafe {
        check(libc::fcntl(sink, libc::F_SETPIPE_SZ, size as i32))?;
        check(libc::fcntl(sink, libc::F_SETFL, libc::O_NONBLOCK))?;
        while let Ok(length) = usize::try_from(libc::write(sink, page.as_ptr().cast(), page.len())) {
            sum += length;
        }
        libc::close(source);
        libc::close(sink);
    }
    Ok(sum)
}

const SIZE: usize = 64 << 10;

/// Whether a writer of so many bytes has ended before anybody reads, and how often it slept.
fn writer(bytes: usize) -> Result<(bool, u64), Trouble> {
    let (source, sink) = pipe()?;
    check(unsafe { libc::fcntl(sink, libc::F_SETPIPE_SZ, SIZE as i32) })?;
    let child = check(unsafe { libc::fork() })?;
    if child == 0 {
        let content = vec![0_u8; bytes];
        let before = Usage::of_process();
        unsafe { libc::write(sink, content.as_ptr().cast(), bytes) };
        let slept = Usage::of_process().since(before).voluntary_switches;
        unsafe { libc::_exit(slept.min(255) as i32) };
    }
    std::thread::sleep(Duration::from_millis(20));
    let mut status = 0;
    let ended = unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } == child;
    let mut page = [0_u8; 4096];
    let mut left = bytes;
    while left > 0 {
        let length = unsafe { libc::read(source, page.as_mut_ptr().cast(), page.len()) };
        left = left.saturating_sub(usize::try_from(length).unwrap_or(left));
    }
    if !ended {
        status = wait(child)?;
    }
    unsafe { (libc::close(source), libc::close(sink)) };
    Ok((ended, libc::WEXITSTATUS(status) as u64))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let _ = run_in_child(|| ())?;
    let sizes = [4, 16, 64, 256].map(|kibibytes| kibibytes << 10);
    // The control of a size is another size.
    let measured = lab.pairs(&sizes, taken, |size| taken(size * 2))?;
    for &(size, took, other) in &measured {
        lab.mechanism(format!("bytes in a pipe of {size}"), took, "bytes").equals(size, "as many as were asked for");
        lab.control(format!("bytes in one of {}", 2 * size), other, "bytes")
            .equals(2 * size, "the limit is the size's");
    }
    let (more, fits) = lab.pair(|| writer(SIZE + 1), || writer(SIZE))?;
    lab.mechanism("writers of one byte too many that ended by themselves", i32::from(more.0), "")
        .equals(0, "it sleeps");
    lab.mechanism("times it slept", more.1, "times").at_least(1, "there was no room");
    lab.control("writers of what fits that ended", i32::from(fits.0), "").equals(1, "it need not wait");
    lab.control("times that one slept", fits.1, "times").equals(0, "there was room");
    Ok(())
}
