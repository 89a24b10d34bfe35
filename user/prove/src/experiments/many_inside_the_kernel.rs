//! Kernel stacks.

use crate::experiment::Linux;
use crate::observe::{fork, shared_words, sleep_until};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{now, pipe, wait};
use std::sync::atomic::Ordering;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Contexts,
    claim: "Many tasks can be inside the kernel at once, each in the middle of a call of its own.",
    experiment: "Forty processes call read on pipes of their own, which are empty. When all wait, each is given a number, the last that began first; what each read is compared with \
        what it was given. In the control they loop in user mode instead.",
    expected: "A task that sleeps in a call keeps that call's state on a kernel stack of its own, so that calls can end in any order. With one stack for all, only the last that \
        went to sleep could go on.",
    observable: Observable::OneProcessor,
    linux: Linux::By("/proc/PID/stat, and what read answers"),
    run,
};

const TASKS: usize = 40;
/// The word that says that the sleepers have been counted.
const COUNTED: usize = 500;

/// How many were asleep in their calls at one time, and how many then read what they were given.
fn inside(calling: bool) -> Result<(usize, usize), Trouble> {
    let words = shared_words()?;
    let mut tasks = Vec::new();
    for index in 0..TASKS {
        let (source, sink) = pipe()?;
        let process = fork(|| {
            while !calling && words[COUNTED].load(Ordering::Relaxed) == 0 {
                std::hint::spin_loop();
            }
            let mut byte = 0_u8;
            unsafe { libc::read(source, (&raw mut byte).cast(), 1) };
            words[index].store(u64::from(byte), Ordering::SeqCst);
            0
        })?;
        tasks.push((process, source, sink));
    }
    sleep_until(now() + 50_000_000);
    let asleep = tasks.iter().filter(|(process, ..)| state(*process) == Some('S')).count();
    words[COUNTED].store(1, Ordering::SeqCst);
    for (index, (_, _, sink)) in tasks.iter().enumerate().rev() {
        let byte = index as u8 + 100;
        unsafe { libc::write(*sink, (&raw const byte).cast(), 1) };
    }
    for (process, source, sink) in tasks {
        wait(process)?;
        unsafe { (libc::close(source), libc::close(sink)) };
    }
    let right = (0..TASKS).filter(|index| words[*index].load(Ordering::SeqCst) == *index as u64 + 100).count();
    Ok((asleep, right))
}

fn state(process: i32) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit(") ").next()?.chars().next()
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (calling, looping) = lab.pair(|| inside(true), || inside(false))?;
    lab.mechanism("processes asleep in their calls at one time", calling.0, &format!("of {TASKS}"))
        .equals(TASKS, "each has a stack of its own");
    lab.mechanism("of them, read what they were given", calling.1, &format!("of {TASKS}"))
        .equals(TASKS, "no call lost its state");
    lab.control("processes asleep that loop in user mode", looping.0, &format!("of {TASKS}"))
        .equals(0, "they are not in the kernel");
    Ok(())
}
