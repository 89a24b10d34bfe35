//! Entering the kernel is not changing the task.

use crate::experiment::Linux;
use crate::observe::{Usage, fork};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::pipe;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::SystemCalls,
    claim: "A mode switch is no context switch: a program may enter the kernel a hundred thousand times and stay on the processor.",
    experiment: "A process calls getppid 100,000 times; its two switch counters are read before and after. Another exchanges a byte with a \
        second process through two pipes, 1,000 times there and back.",
    expected: "getppid never waits, so nothing makes the scheduler choose anew but the clock's tick, and with nobody else to run not \
        even that. Each read of an empty pipe gives the processor up: a thousand voluntary switches.",
    observable: Observable::OneProcessor,
    linux: Linux::By("getrusage: ru_nvcsw and ru_nivcsw"),
    run,
};

const CALLS: u64 = 100_000;
const EXCHANGES: u64 = 1000;

fn calls() -> Result<Usage, Trouble> {
    let before = Usage::of_process();
    for _ in 0..CALLS {
        unsafe { libc::syscall(libc::SYS_getppid) };
    }
    Ok(Usage::of_process().since(before))
}

fn exchanges() -> Result<Usage, Trouble> {
    let (there, back) = (pipe()?, pipe()?);
    let pass = |from: i32, to: i32, first: bool| {
        let mut byte = 0_u8;
        for _ in 0..EXCHANGES {
            unsafe {
                if first {
                    libc::write(to, (&raw const byte).cast(), 1);
                }
                libc::read(from, (&raw mut byte).cast(), 1);
                if !first {
                    libc::write(to, (&raw const byte).cast(), 1);
                }
            }
        }
    };
    let other = fork(|| {
        pass(there.0, back.1, false);
        0
    })?;
    let before = Usage::of_process();
    pass(back.0, there.1, true);
    let usage = Usage::of_process().since(before);
    measure::system::wait(other)?;
    for end in [there.0, there.1, back.0, back.1] {
        unsafe { libc::close(end) };
    }
    Ok(usage)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (calling, exchanging) = lab.pair(calls, exchanges)?;
    lab.mechanism("system calls", CALLS, "calls");
    lab.mechanism("voluntary switches", calling.voluntary_switches, "switches").equals(0, "it never waits");
    // What else the machine has to do may want the processor now and then.
    lab.mechanism("involuntary switches", calling.involuntary_switches, "switches")
        .at_most(CALLS / 1000, "hardly anybody else wants to run");
    lab.control("exchanges by pipe", EXCHANGES, "exchanges");
    lab.control("voluntary switches of an exchanger", exchanging.voluntary_switches, "switches")
        .at_least(EXCHANGES * 9 / 10, "each read waits for the other");
    Ok(())
}
