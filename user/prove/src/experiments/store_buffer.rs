//! Reordering.

use crate::experiment::Linux;
use crate::observe::pin;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::now;
use std::arch::asm;
use std::sync::atomic::{AtomicU64, Ordering};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Synchronisation,
    claim: "Processors reorder: each of two may read what was there before the other's store, although both stored first.",
    experiment: "Two threads on two processors do this at the same time, over and over: store 1 into a word of one's own, then read the other's. Rounds in which both read 0 \
        are counted. The control puts mfence between storing and reading.",
    expected: "In any order of the four steps at least one thread reads 1. But a store waits in the processor's buffer while the read goes ahead, so both may read 0; the \
        barrier empties the buffer first. An emulator may keep the order, or never run the two closely enough.",
    observable: Observable::TwoProcessors,
    linux: Linux::By("what the threads read"),
    run,
};

/// Rounds, and the nanoseconds that they may take.
const ROUNDS: u64 = 100_000;
const PATIENCE: u64 = 1_000_000_000;
/// As many times again as a machine may take to run both closely.
const TRIES: usize = 10;

/// On a line of the cache of its own.
#[repr(align(128))]
struct Word(AtomicU64);

static WORDS: [Word; 2] = [const { Word(AtomicU64::new(0)) }; 2];
static READ: [Word; 2] = [const { Word(AtomicU64::new(0)) }; 2];
/// How far each has come.
static PHASE: [Word; 2] = [const { Word(AtomicU64::new(0)) }; 2];
/// The round that is the last.
static LAST: Word = Word(AtomicU64::new(0));

/// Goes on when both have come so far.
fn meet(own: usize, phase: u64) {
    PHASE[own].0.store(phase, Ordering::SeqCst);
    let mut turns = 0_u32;
    while PHASE[1 - own].0.load(Ordering::Acquire) < phase {
        turns += 1;
        // The other may have lost its processor.
        if turns.is_multiple_of(100_000) {
            std::thread::yield_now();
        }
    }
}

/// Rounds of one thread; those in which both read nought.
fn rounds(own: usize, fenced: bool) -> u64 {
    let (mut both, mut round, end) = (0, 0, now() + PATIENCE);
    while round <= LAST.0.load(Ordering::SeqCst) {
        WORDS[own].0.store(0, Ordering::SeqCst);
        meet(own, 3 * round + 1);
        let (mine, other) = (WORDS[own].0.as_ptr(), WORDS[1 - own].0.as_ptr());
        let seen: u64;
        unsafe {
            if fenced {
                asm!("mov qword ptr [{0}], 1", "mfence", "mov {2}, [{1}]", in(reg) mine, in(reg) other, out(reg) seen);
            } else {
                asm!("mov qword ptr [{0}], 1", "mov {2}, [{1}]", in(reg) mine, in(reg) other, out(reg) seen);
            }
        }
        READ[own].0.store(seen, Ordering::SeqCst);
        meet(own, 3 * round + 2);
        both += u64::from(READ.iter().all(|word| word.0.load(Ordering::SeqCst) == 0));
        if own == 0 && now() > end {
            LAST.0.store(round, Ordering::SeqCst);
        }
        meet(own, 3 * round + 3);
        round += 1;
    }
    both
}

fn reordered(fenced: bool) -> Result<u64, Trouble> {
    PHASE.iter().for_each(|word| word.0.store(0, Ordering::SeqCst));
    LAST.0.store(ROUNDS - 1, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let threads = [0, 1].map(|own| {
            scope.spawn(move || {
                let pinned = pin(own);
                // Neither waits for one that cannot come.
                PHASE[own].0.store(if pinned { 0 } else { u64::MAX }, Ordering::SeqCst);
                pinned.then(|| rounds(own, fenced))
            })
        });
        let counts = threads.map(|thread| thread.join().ok().flatten());
        counts[1].and(counts[0]).ok_or_else(|| Trouble::not_observable("there is only one processor"))
    })
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    // Whether this machine shows it at all.
    let mut seen = 0;
    for _ in 0..TRIES {
        seen += reordered(false)?;
        if seen > 0 {
            break;
        }
    }
    if seen == 0 {
        let reason = "both never read 0: the machine keeps the order, or does not run two at once closely enough";
        return Err(Trouble::not_observable(reason));
    }
    let (plain, fenced) = lab.pair(|| Ok(seen), || reordered(true))?;
    lab.mechanism("rounds in which both read 0", plain, "rounds").at_least(1, "the reads overtook the stores");
    lab.control("with a barrier between", fenced, "rounds").equals(0, "the stores are seen first");
    Ok(())
}
