//! Experiments on the kernel that this runs on: an ordinary static Linux program, one process for each experiment.
//!
//! `guest-prove list` prints a line of JSON for each claim; `guest-prove run [--falsify] [--patience SECONDS] NAME…` tries them and
//! prints a line of JSON for each result; `guest-prove check [--falsify] [--quiet] NAME…` prints verdicts, and exits
//! with 1 unless all hold (`--quiet` prints only the others). Without any name, either takes all. The words of the results, and the
//! verdict, are those of the crate `evidence`.
//!
//! An experiment is a file in `experiments/`, which holds all of it; `docs/prove.md` says how one is written. What several share (catching
//! faults, counting them, stepping through code) is in `observe/`. `--falsify` puts the control in the mechanism's place: then no claim
//! may hold, or its experiment could not have told.
#![allow(clippy::undocumented_unsafe_blocks, reason = "calls of libc, many of them wrong on purpose")]

mod experiment;
mod lab;
mod observe;
mod runner;

/// The files of `experiments/`, collected by the build script.
mod experiments {
    include!(concat!(env!("OUT_DIR"), "/experiments.rs"));
}

pub use experiment::{Experiment, Subject};
pub use lab::{Lab, Trouble, times};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let status = match words.as_slice() {
        ["list"] => runner::list(),
        ["run", words @ ..] => runner::run(words, runner::print_report),
        ["check", words @ ..] => runner::run(words, runner::print_verdict),
        _ => {
            eprintln!("usage: guest-prove list | run|check [--falsify] [--quiet] [--patience SECONDS] [NAME…]");
            2
        }
    };
    std::process::exit(status);
}
