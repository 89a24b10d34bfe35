//! printf and the kernel.

use crate::experiment::Linux;
use crate::observe::{fork, steps};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{check, pipe, wait};
use std::ffi::CStr;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::SystemCalls,
    claim: "printf enters the kernel only when its buffer is flushed: “Hello world” without a newline, and then an endless loop, shows nothing.",
    experiment: "A child prints “Hello world” to a line-buffered stream, without or with a newline, counting the kernel calls among the instructions of \
        printing; then it loops for ever. What has arrived at the other end of the stream is counted, and the child is killed.",
    expected: "The C library gathers what is printed in the program's own memory, since a call costs more than copying. A newline (or a full \
        buffer, or the program's orderly end) makes it call write; a loop never comes there, and a killed program's buffer is lost.",
    observable: Observable::OneProcessor,
    linux: Linux::By("FIONREAD, and single steps"),
    run,
};

/// Kernel calls of printing, and bytes that arrived.
fn printed(text: &'static CStr) -> Result<(u64, i32), Trouble> {
    let (source, sink) = pipe()?;
    let (told, tell) = pipe()?;
    let child = fork(|| unsafe {
        let stream = libc::fdopen(sink, c"w".as_ptr());
        let mut buffer = [0_u8; 1024];
        libc::setvbuf(stream, buffer.as_mut_ptr().cast(), libc::_IOLBF, buffer.len());
        let calls = steps(|| {
            libc::fputs(text.as_ptr(), stream);
        })
        .calls;
        libc::write(tell, (&raw const calls).cast(), 8);
        loop {
            std::hint::spin_loop();
        }
    })?;
    let (mut calls, mut bytes) = (0_u64, 0);
    unsafe {
        check(libc::read(told, (&raw mut calls).cast(), 8) as i64)?;
        check(libc::ioctl(source, libc::FIONREAD, &mut bytes))?;
        libc::kill(child, libc::SIGKILL);
    }
    wait(child)?;
    for end in [source, sink, told, tell] {
        unsafe { libc::close(end) };
    }
    Ok((calls, bytes))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (without, with) = lab.pair(|| printed(c"Hello world"), || printed(c"Hello world\n"))?;
    lab.mechanism("kernel calls of printing without a newline", without.0, "calls").equals(0, "it is only copied");
    lab.mechanism("bytes that arrived", without.1, "bytes").equals(0, "they are in the program's buffer");
    lab.control("kernel calls of printing with a newline", with.0, "calls").at_least(1, "the line is flushed");
    lab.control("bytes that arrived with it", with.1, "bytes").equals(12, "the whole line");
    Ok(())
}
