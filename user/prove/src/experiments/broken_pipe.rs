//! SIGPIPE.

use crate::experiment::Linux;
use crate::observe::{ended, fork};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{last_error, pipe};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Communication,
    claim: "Writing to a pipe that nobody reads raises SIGPIPE.",
    experiment: "A process closes the reading end of a pipe and writes a byte to the other. Another keeps the reading end open, and \
        writes the same. A third one ignores the signal and looks at what write answers.",
    expected: "The signal ends a program whose output nobody wants, such as `yes | head`, without the program having to ask. While a \
        reader is there the byte goes into the buffer; and a program that ignores the signal learns the same by the error EPIPE.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the process's wait status"),
    run,
};

/// How a writer ends: `exit` with write's error number, or a signal.
fn writer(reader_stays: bool, ignores: bool) -> Result<String, Trouble> {
    let child = fork(|| {
        let Ok((source, sink)) = pipe() else { return 255 };
        unsafe {
            if !reader_stays {
                libc::close(source);
            }
            libc::signal(libc::SIGPIPE, if ignores { libc::SIG_IGN } else { libc::SIG_DFL });
            if libc::write(sink, c"x".as_ptr().cast(), 1) == 1 { 0 } else { last_error().0 }
        }
    })?;
    ended(child)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (alone, read) = lab.pair(|| writer(false, false), || writer(true, false))?;
    let (ignoring, read_ignoring) = lab.pair(|| writer(false, true), || writer(true, true))?;
    lab.mechanism("the writer's end without a reader", alone, "").equals("SIGPIPE", "nobody will ever read it");
    let refused = format!("exit {}", libc::EPIPE);
    lab.mechanism("with the signal ignored", ignoring, "").equals(refused, "write answers EPIPE instead");
    lab.control("the writer's end with a reader", read, "").equals("exit 0", "the byte is in the buffer");
    lab.control("with a reader, and the signal ignored", read_ignoring, "")
        .equals("exit 0", "the byte is in the buffer");
    Ok(())
}
