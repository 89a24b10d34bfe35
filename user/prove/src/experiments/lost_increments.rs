//! A race of one instruction.

use crate::experiment::Linux;
use crate::observe::pin;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::arch::asm;
use std::sync::atomic::{AtomicU64, Ordering};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Synchronisation,
    claim: "A single instruction can be a race: without `lock`, increments by two processors are lost.",
    experiment: "Two threads, each on a processor of its own, add one to the same word by a single `inc`, up to four million times each. What the sum lacks was \
        lost; where nothing was, one tries again. The same is done with `lock inc`, and with both threads on one processor.",
    expected: "The processor reads, adds and writes; between its reading and its writing another may do the same, and one of the two is overwritten. `lock` \
        keeps the other out meanwhile. On one processor interrupts come between instructions only, so nothing is lost there.",
    observable: Observable::TwoProcessors,
    linux: Linux::By("the program's own sum"),
    run,
};

static SUM: AtomicU64 = AtomicU64::new(0);
static READY: AtomicU64 = AtomicU64::new(0);

fn increments(times: u64, locked: bool) {
    let word = SUM.as_ptr();
    unsafe {
        if locked {
            asm!("2:", "lock inc qword ptr [{0}]", "dec {1}", "jnz 2b", in(reg) word, inout(reg) times => _);
        } else {
            asm!("2:", "inc qword ptr [{0}]", "dec {1}", "jnz 2b", in(reg) word, inout(reg) times => _);
        }
    }
}

/// As many times again as a machine may take to run both at once.
const TRIES: usize = 20;

/// How many increments without `lock` are lost, at the first time that some are.
fn lost_in_the_end(times: u64) -> Result<u64, Trouble> {
    for _ in 1..TRIES {
        match lost(times, false, [0, 1])? {
            0 => {}
            lost => return Ok(lost),
        }
    }
    lost(times, false, [0, 1])
}

/// How many of so many increments by each of two threads are lost.
fn lost(times: u64, locked: bool, processors: [usize; 2]) -> Result<u64, Trouble> {
    SUM.store(0, Ordering::SeqCst);
    READY.store(0, Ordering::SeqCst);
    let pinned = std::thread::scope(|scope| {
        let threads = processors.map(|processor| {
            scope.spawn(move || {
                let pinned = pin(processor);
                READY.fetch_add(1, Ordering::SeqCst);
                // Both begin together. Where there is one processor, the other has to get it for that.
                while READY.load(Ordering::SeqCst) < 2 {
                    std::thread::yield_now();
                }
                increments(times, locked);
                pinned
            })
        });
        threads.into_iter().all(|thread| thread.join().unwrap_or(false))
    });
    if !pinned {
        return Err(Trouble::not_observable("there is only one processor"));
    }
    Ok(2 * times - SUM.load(Ordering::SeqCst))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let counts = [250_000, 500_000, 1_000_000, 2_000_000, 4_000_000];
    let measured = lab.pairs(&counts, lost_in_the_end, |times| lost(times, true, [0, 1]))?;
    let sum = |which: fn(&(u64, u64, u64)) -> u64| measured.iter().map(which).sum::<u64>();
    let (plain, locked) = (sum(|row| row.1), sum(|row| row.2));
    lab.mechanism("increments", 2 * counts.iter().sum::<u64>(), "");
    lab.mechanism("lost without lock", plain, "").at_least(1, "two read the same value and write the same sum");
    lab.control("lost with lock", locked, "").equals(0, "nobody comes between");
    let alone = lost(4_000_000, false, [0, 0])?;
    lab.control("lost without lock on one processor", alone, "")
        .equals(0, "an instruction is executed whole or not at all");
    let line =
        |which: fn(&(u64, u64, u64)) -> u64| measured.iter().map(|row| (row.0 as f64, which(row) as f64)).collect();
    lab.chart(
        "Increments that were lost",
        ("increments by each of two threads", "lost"),
        ("inc", line(|row| row.1)),
        ("lock inc", line(|row| row.2)),
    );
    Ok(())
}
