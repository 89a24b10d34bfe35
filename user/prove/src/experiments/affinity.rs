//! Which processor.

use crate::experiment::Linux;
use crate::observe::pin;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::mem::zeroed;
use std::sync::Barrier;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Scheduling,
    claim: "Affinity binds a thread, not its process.",
    experiment: "One of two threads binds itself to the second processor and looks a thousand times where it runs. Then the processors that each of the \
        two may use are counted. The control binds nothing.",
    expected: "The set of processors is the task's own, and a thread is a task: the scheduler heeds it for this one alone.",
    observable: Observable::TwoProcessors,
    linux: Linux::By("sched_getaffinity and getcpu"),
    run,
};

fn allowed() -> i32 {
    unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set);
        libc::CPU_COUNT(&set)
    }
}

struct Seen {
    /// Processors that the first thread may use, and the second.
    first: i32,
    second: i32,
    /// Looks that found the first on another processor than the second one.
    elsewhere: u64,
}

fn bound(binds: bool) -> Result<Seen, Trouble> {
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| -> Result<(i32, u64), Trouble> {
            let bound = !binds || pin(1);
            barrier.wait();
            if !bound {
                return Err(Trouble::failed("the thread could not bind itself"));
            }
            let look = |_: &u64| {
                std::thread::yield_now();
                unsafe { libc::sched_getcpu() != 1 }
            };
            Ok((allowed(), (0..1000).filter(look).count() as u64))
        });
        barrier.wait();
        let second = allowed();
        let (first, elsewhere) = first.join().map_err(|_| Trouble::failed("a thread was lost"))??;
        Ok(Seen { first, second, elsewhere })
    })
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let all = allowed();
    if all < 2 {
        return Err(Trouble::not_observable("there is only one processor"));
    }
    let (one, none) = lab.pair(|| bound(true), || bound(false))?;
    lab.mechanism("processors of the thread that bound itself", one.first, "processors").equals(1, "it asked for that");
    lab.mechanism("looks that found it elsewhere", one.elsewhere, "of 1000").equals(0, "the scheduler heeds it");
    lab.mechanism("processors of the other thread", one.second, "processors").equals(all, "nobody asked for that");
    lab.control("processors of a thread that did not", none.first, "processors").equals(all, "nothing was bound");
    Ok(())
}
