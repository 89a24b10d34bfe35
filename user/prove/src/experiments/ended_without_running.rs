//! A life without an instruction.

use crate::experiment::Linux;
use crate::observe::{fork, shared_words};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::wait;
use std::sync::atomic::Ordering;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Processes,
    claim: "A process may end without ever having run.",
    experiment: "A hundred children are forked one after another; each would first add one to a shared word. Their parent kills each as soon as fork \
        returns. In the control it lets them run.",
    expected: "fork only makes a child runnable. Its parent has the processor and may use it to kill the child, which then finds the signal before its \
        first instruction in user mode.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the shared word"),
    run,
};

const CHILDREN: u64 = 100;

/// How many of the children came to add one.
fn ran(killed: bool) -> Result<u64, Trouble> {
    let word = &shared_words()?[0];
    for _ in 0..CHILDREN {
        let child = fork(|| {
            word.fetch_add(1, Ordering::SeqCst);
            0
        })?;
        if killed {
            unsafe { libc::kill(child, libc::SIGKILL) };
        }
        wait(child)?;
    }
    Ok(word.load(Ordering::SeqCst))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (killed, left) = lab.pair(|| ran(true), || ran(false))?;
    lab.mechanism("children", CHILDREN, "children");
    lab.mechanism("of them, ended without having run", CHILDREN - killed, "children")
        .at_least(CHILDREN / 2, "the parent has the processor when fork returns, but for a tick now and then");
    lab.control("without having run, when nobody kills them", CHILDREN - left, "children")
        .equals(0, "each comes to its turn");
    Ok(())
}
