//! Children whose parent has ended.

use crate::experiment::Linux;
use crate::observe::{fork, shared_words, sleep_until};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{check, now, wait};
use std::sync::atomic::Ordering;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Processes,
    claim: "An orphan is adopted by the nearest ancestor that offers itself as a subreaper, else by the first process.",
    experiment: "A child makes a grandchild and ends. The grandchild asks for its parent's number before and after. This is done with the grandparent as a subreaper, \
        and in the control without.",
    expected: "Every process has a parent, which can wait for it: if none is left, the kernel hands it upwards. Init waits for whatever comes to it; a service \
        manager may want to do so for its own.",
    observable: Observable::OneProcessor,
    linux: Linux::By("getppid"),
    run,
};

/// Whom the grandchild had as a parent at first and in the end.
fn adopted(subreaper: bool) -> Result<(&'static str, &'static str), Trouble> {
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, i32::from(subreaper), 0, 0, 0) })?;
    let words = shared_words()?;
    let word = |index: usize| words[index].load(Ordering::SeqCst) as i32;
    let child = fork(|| {
        let grandchild = fork(|| {
            let parent = || unsafe { libc::getppid() } as u64;
            let first = parent();
            words[0].store(first, Ordering::SeqCst);
            let deadline = now() + 1_000_000_000;
            while parent() == first && now() < deadline {
                sleep_until(now() + 1_000_000);
            }
            words[1].store(parent(), Ordering::SeqCst);
            0
        });
        while words[0].load(Ordering::SeqCst) == 0 {
            sleep_until(now() + 1_000_000);
        }
        i32::from(grandchild.is_err())
    })?;
    wait(child)?;
    while word(1) == 0 {
        sleep_until(now() + 1_000_000);
    }
    let own = unsafe { libc::getpid() };
    let name = |process: i32| match process {
        1 => "the first process",
        process if process == own => "its grandparent",
        process if process == child => "its parent",
        _ => "another",
    };
    let names = (name(word(0)), name(word(1)));
    if subreaper {
        // It is ours now.
        check(unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) })?;
    }
    Ok(names)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (near, far) = lab.pair(|| adopted(true), || adopted(false))?;
    lab.mechanism("a grandchild's parent at first", near.0, "").equals("its parent", "who forked it");
    lab.mechanism("and when that has ended", near.1, "").equals("its grandparent", "it offered itself");
    lab.control("without a subreaper", far.1, "").differs("its grandparent", "nobody near offered itself");
    Ok(())
}
