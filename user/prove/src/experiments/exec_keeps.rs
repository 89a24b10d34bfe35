//! What exec keeps.

use crate::experiment::Linux;
use crate::observe::fork;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{pipe, wait};
use std::ptr::null;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Processes,
    claim: "exec replaces the program and keeps the process: its number and its open files, but for those marked to be closed.",
    experiment: "A child marks one of two descriptors close-on-exec and executes a shell, which prints its process number and tries both \
        descriptors. The control marks none, and runs the shell in a further child.",
    expected: "exec gives the task new memory and leaves the rest: so a shell can set up a program's files and number before the program is there. A new \
        number comes from fork alone.",
    observable: Observable::OneProcessor,
    linux: Linux::By("what the executed program says"),
    run,
};

/// The shell's number is that of the child, as 1 or 0; what it can open.
const SCRIPT: &std::ffi::CStr =
    c"echo $$; (: <&7) 2>/dev/null && echo seven; (: <&8) 2>/dev/null && echo eight; echo end";

fn executed(marks: bool) -> Result<(bool, String), Trouble> {
    let (source, sink) = pipe()?;
    let child = fork(|| unsafe {
        libc::dup2(sink, 1);
        libc::dup2(source, 7);
        libc::dup2(source, 8);
        libc::close(source);
        libc::close(sink);
        if marks {
            libc::fcntl(8, libc::F_SETFD, libc::FD_CLOEXEC);
        } else {
            // In the control a process of its own is executed.
            let further = libc::fork();
            if further > 0 {
                libc::close(1);
                libc::waitpid(further, std::ptr::null_mut(), 0);
                return 0;
            }
        }
        let words = [c"sh".as_ptr(), c"-c".as_ptr(), SCRIPT.as_ptr(), null()];
        libc::execve(c"/bin/sh".as_ptr(), words.as_ptr(), [null()].as_ptr());
        127
    })?;
    unsafe { libc::close(sink) };
    let mut said = Vec::new();
    let mut byte = 0_u8;
    while unsafe { libc::read(source, (&raw mut byte).cast(), 1) } == 1 {
        said.push(byte);
    }
    unsafe { libc::close(source) };
    wait(child)?;
    let text = String::from_utf8_lossy(&said).into_owned();
    let mut words = text.split_whitespace();
    let same = words.next().and_then(|word| word.parse().ok()) == Some(child);
    let open: Vec<&str> = words.take_while(|word| *word != "end").collect();
    Ok((same, open.join(", ")))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (kept, control) = lab.pair(|| executed(true), || executed(false))?;
    let number = |same| if same { "the same" } else { "another" };
    lab.mechanism("the executed program's process number", number(kept.0), "")
        .equals("the same", "exec makes no process");
    lab.mechanism("descriptors that it has", kept.1, "").equals("seven", "the other was to be closed");
    lab.control("the number of one that was forked first", number(control.0), "").equals("another", "fork makes one");
    lab.control("descriptors without the mark", control.1, "").equals("seven, eight", "all stay open");
    Ok(())
}
