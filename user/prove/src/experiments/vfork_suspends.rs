//! vfork.

use crate::experiment::Linux;
use crate::observe::Usage;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{check, map};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Processes,
    claim: "vfork suspends the parent until its child has ended or executes another program.",
    experiment: "A child that shares its parent's memory is made as vfork does (CLONE_VM and CLONE_VFORK); it sleeps 20 milliseconds, writes a \
        word and ends. The parent reads the word as soon as it goes on. The control leaves CLONE_VFORK out.",
    expected: "Parent and child would use the same memory at one time, so the kernel makes the parent wait for a completion that the child's end \
        gives. Without the flag the parent goes on at once, and the word is not written yet.",
    observable: Observable::OneProcessor,
    linux: Linux::By("what the parent reads, and getrusage: ru_nvcsw"),
    run,
};

static WORD: AtomicU64 = AtomicU64::new(0);

extern "C" fn child(_: *mut libc::c_void) -> i32 {
    let time = libc::timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    unsafe { libc::nanosleep(&time, null_mut()) };
    WORD.store(1, Ordering::SeqCst);
    unsafe { libc::_exit(0) }
}

/// The word when the parent went on, and how often it had slept by then.
fn made(flags: i32) -> Result<(u64, u64), Trouble> {
    const STACK: usize = 64 << 10;
    let stack = map(STACK)?;
    WORD.store(0, Ordering::SeqCst);
    let before = Usage::of_process();
    let process = unsafe { check(libc::clone(child, stack.add(STACK).cast(), flags | libc::SIGCHLD, null_mut()))? };
    let word = WORD.load(Ordering::SeqCst);
    let slept = Usage::of_process().since(before).voluntary_switches;
    measure::system::wait(process)?;
    Ok((word, slept))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (vfork, plain) = lab.pair(|| made(libc::CLONE_VM | libc::CLONE_VFORK), || made(libc::CLONE_VM))?;
    lab.mechanism("the word when the parent goes on", vfork.0, "").equals(1, "the child came first");
    lab.mechanism("times the parent slept in clone", vfork.1, "times")
        .at_least(1, "it was suspended, and did not poll");
    lab.control("the word without CLONE_VFORK", plain.0, "").equals(0, "the parent went on at once");
    lab.control("times the parent slept without it", plain.1, "times").equals(0, "there was nothing to wait for");
    Ok(())
}
