//! The stack.

use crate::experiment::Linux;
use crate::observe::usage::faults_of;
use crate::observe::{ended, fork, run_in_child};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::check;
use std::hint::black_box;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "The stack grows by page faults, up to its limit.",
    experiment: "A function calls itself, with a page of local variables each time, to depths of up to 256; the faults of the way down are \
        counted, and those of the same way gone a second time. Processes with a limit of 1 MiB go down 0.5 and 2 MiB, and so does one without that limit.",
    expected: "The area of the stack ends far above its limit; an access below it makes the kernel extend it, fault by fault, and what is there \
        stays there. Beyond RLIMIT_STACK the kernel refuses, and the program gets SIGSEGV.",
    observable: Observable::OneProcessor,
    linux: Linux::By("getrusage: ru_minflt, and the wait status"),
    run,
};

const PAGE: usize = 4096;

/// Goes down so many frames of a page each.
#[inline(never)]
fn descend(depth: usize) -> u8 {
    let mut local = [0_u8; PAGE];
    black_box(&mut local)[0] = depth as u8;
    let below = if depth > 1 { descend(depth - 1) } else { 0 };
    below.wrapping_add(black_box(&local)[0])
}

/// The faults of going down, after having gone so deep before.
fn faults(depth: usize, before: usize) -> Result<u64, Trouble> {
    let counted = run_in_child(|| {
        // The function's code, and the counter's.
        faults_of(|| {
            black_box(descend(1));
        });
        black_box(descend(before.max(1)));
        faults_of(|| {
            black_box(descend(depth));
        })
    })?;
    counted.ok_or_else(|| Trouble::failed("a child was lost"))
}

/// How a process ends that goes down so many bytes with this limit.
fn descent(bytes: usize, limit: u64) -> Result<String, Trouble> {
    let child = fork(|| {
        let limit = libc::rlimit { rlim_cur: limit, rlim_max: libc::RLIM_INFINITY };
        unsafe {
            if check(libc::setrlimit(libc::RLIMIT_STACK, &limit)).is_err() {
                return 1;
            }
            libc::setrlimit(libc::RLIMIT_CORE, &libc::rlimit { rlim_cur: 0, rlim_max: 0 });
        }
        black_box(descend(bytes / PAGE));
        0
    })?;
    ended(child)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let depths = [16, 32, 64, 128, 192, 256];
    let measured = lab.pairs(&depths, |depth| faults(depth, 0), |depth| faults(depth, depth))?;
    for &(depth, down, again) in measured.iter().filter(|row| [64, 256].contains(&row.0)) {
        lab.mechanism(format!("faults, {depth} pages down"), down, "faults")
            .at_least(depth as f64 / 16.0, "none of the pages was there, and a fault supplies a few at most")
            .at_most(depth + depth / 16 + 8, "no page faults twice");
        lab.control(format!("faults, {depth} pages down again"), again, "faults")
            .at_most(2, "the stack has grown already");
    }
    let line =
        |which: fn(&(usize, u64, u64)) -> u64| measured.iter().map(|row| (row.0 as f64, which(row) as f64)).collect();
    lab.chart(
        "Faults on the way down",
        ("pages of stack", "faults"),
        ("first time", line(|row| row.1)),
        ("second time", line(|row| row.2)),
    );
    const MIB: usize = 1 << 20;
    let (beyond, within) = lab.pair(|| descent(2 * MIB, MIB as u64), || descent(MIB / 2, MIB as u64))?;
    let (_, unlimited) = lab.pair(|| Ok(String::new()), || descent(2 * MIB, 8 * MIB as u64))?;
    lab.mechanism("2 MiB down with a limit of 1 MiB", beyond, "").equals("SIGSEGV", "the limit is one");
    lab.control("0.5 MiB down with that limit", within, "").equals("exit 0", "it is within it");
    lab.control("2 MiB down with a limit of 8 MiB", unlimited, "").equals("exit 0", "the limit decides, not the depth");
    Ok(())
}
