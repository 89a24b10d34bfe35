//! fork's return.

use crate::experiment::Linux;
use crate::observe::shared_words;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::wait;
use std::sync::atomic::Ordering;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Processes,
    claim: "fork is called once and returns twice: 0 to the child, the child's number to its parent, with the same memory in both.",
    experiment: "A word of shared memory is incremented behind the call, and each return notes its value, its process's number and a local variable that was set \
        before. The control does the same with getpid in fork's place.",
    expected: "The child is a copy of the task as it stands inside the call: both leave the kernel at the same instruction, with the same registers but for the \
        one that holds the answer.",
    observable: Observable::OneProcessor,
    linux: Linux::By("shared memory"),
    run,
};

struct Returns {
    count: u64,
    /// The child's answer; a number that no process has if there was none.
    childs: u64,
    /// Whether its parent was told the child's number.
    told: bool,
    /// Both found the local variable as it was.
    same: bool,
}

fn returns(call: unsafe extern "C" fn() -> i32) -> Result<Returns, Trouble> {
    const NONE: u64 = 1 << 40;
    let words = shared_words()?;
    words[1].store(NONE, Ordering::SeqCst);
    let parent = unsafe { libc::getpid() };
    let local = std::hint::black_box(4711_u64);
    let answer = unsafe { call() };
    words[0].fetch_add(1, Ordering::SeqCst);
    let own = unsafe { libc::getpid() };
    if own != parent {
        words[1].store(answer as u64, Ordering::SeqCst);
        words[2].store(own as u64, Ordering::SeqCst);
        words[3].store(std::hint::black_box(local), Ordering::SeqCst);
        unsafe { libc::_exit(0) };
    }
    if answer != parent {
        wait(answer)?;
    }
    let word = |index: usize| words[index].load(Ordering::SeqCst);
    let same = word(3) == std::hint::black_box(local);
    Ok(Returns { count: word(0), childs: word(1), told: word(2) == answer as u64, same })
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let fork: unsafe extern "C" fn() -> i32 = libc::fork;
    let (forked, asked) = lab.pair(|| returns(fork), || returns(libc::getpid))?;
    lab.mechanism("returns of fork", forked.count, "returns").equals(2, "there are two tasks then");
    lab.mechanism("its answer to the child", forked.childs, "").equals(0, "so that the child knows what it is");
    lab.mechanism("parents that were told the child's number", i32::from(forked.told), "")
        .equals(1, "else it could not wait for it");
    lab.mechanism("children that found a local variable as it was", i32::from(forked.same), "")
        .equals(1, "memory was copied");
    lab.control("returns of getpid", asked.count, "returns").equals(1, "as any function");
    Ok(())
}
