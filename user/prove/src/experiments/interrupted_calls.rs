//! Signals and calls that wait.

use crate::experiment::Linux;
use crate::observe::fork;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{last_error, pipe, wait};
use std::mem::zeroed;
use std::ptr::null_mut;
use std::time::Duration;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Communication,
    claim: "A signal interrupts a call that waits, and whether the call is restarted is the handler's choice.",
    experiment: "A process reads from an empty pipe. Twenty milliseconds later another sends it a signal, and twenty later a byte. The handler is \
        installed without SA_RESTART, and in the control with it.",
    expected: "The sleeper is woken to run its handler. Then the kernel either answers EINTR, or sets the program back to the instruction that made the call, \
        which is made again and gets the byte.",
    observable: Observable::OneProcessor,
    linux: Linux::By("what read answers"),
    run,
};

extern "C" fn handler(_: i32) {}

fn reading(flags: i32) -> Result<String, Trouble> {
    let (source, sink) = pipe()?;
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = flags;
        libc::sigaction(libc::SIGUSR1, &action, null_mut());
    }
    let reader = unsafe { libc::getpid() };
    let other = fork(|| {
        std::thread::sleep(Duration::from_millis(20));
        unsafe { libc::kill(reader, libc::SIGUSR1) };
        std::thread::sleep(Duration::from_millis(20));
        unsafe { libc::write(sink, c"x".as_ptr().cast(), 1) };
        0
    })?;
    let mut byte = 0_u8;
    let length = unsafe { libc::read(source, (&raw mut byte).cast(), 1) };
    let errno = last_error().0;
    wait(other)?;
    unsafe { (libc::close(source), libc::close(sink)) };
    Ok(match length {
        -1 if errno == libc::EINTR => "EINTR".to_owned(),
        -1 => format!("error {errno}"),
        length => format!("{length} byte"),
    })
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (interrupted, restarted) = lab.pair(|| reading(0), || reading(libc::SA_RESTART))?;
    lab.mechanism("read without SA_RESTART", interrupted, "").equals("EINTR", "the signal came first");
    lab.control("read with SA_RESTART", restarted, "").equals("1 byte", "it was made again");
    Ok(())
}
