//! Tests that run inside the machine: an ordinary static Linux program, one process for each test.
//!
//! `guest-tests list` prints the names; `guest-tests run [--quiet] [NAME…]` runs those whose names start with one of the given (all
//! without any), prints `ok NAME` or `not ok NAME: why`, and exits with the number of failures (at most 100);
//! `guest-tests stress KIND COUNT` does one thing very often, and `guest-tests exact KIND COUNT` says what that left behind;
//! `guest-tests shortage` uses memory up; `guest-tests fuzz SEED SECONDS` makes calls by chance. A test says what Linux does: one that
//! fails on Linux is wrong.
//!
//! A test is a function that panics when it fails. It runs in a forked child that is the leader of a process group, in a
//! fresh folder, as root, with a time-out; the group is killed afterwards.
#![expect(clippy::undocumented_unsafe_blocks, reason = "calls of libc, most of them wrong on purpose")]

mod call;
mod child;
mod credentials;
mod descriptors;
mod exact;
mod exceptions;
mod files;
mod flood;
mod futexes;
mod fuzz;
mod inside;
mod job_control;
mod kernel_threads;
mod mappings;
mod masters;
mod mounts;
mod numbers;
mod pipes;
mod pointers;
mod polling;
mod privilege;
mod processes;
mod registers;
mod runner;
mod scheduling;
mod shortage;
mod signals;
mod sigreturn;
mod stress;
mod system;
mod terminals;
mod threads;
mod timers;
mod waiting;

/// One test.
pub struct Test {
    pub family: &'static str,
    pub name: &'static str,
    pub run: fn(),
}

/// A family's list: `tests!(function, …)`.
#[macro_export]
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub const TESTS: &[$crate::Test] = &[$($crate::Test {
            family: module_path!(),
            name: stringify!($name),
            run: $name,
        }),*];
    };
}

/// Every family, in the order in which a young kernel learns them.
const FAMILIES: &[&[Test]] = &[
    privilege::TESTS,
    exceptions::TESTS,
    registers::TESTS,
    sigreturn::TESTS,
    processes::TESTS,
    waiting::TESTS,
    signals::TESTS,
    timers::TESTS,
    pipes::TESTS,
    polling::TESTS,
    descriptors::TESTS,
    futexes::TESTS,
    threads::TESTS,
    mappings::TESTS,
    files::TESTS,
    mounts::TESTS,
    terminals::TESTS,
    job_control::TESTS,
    masters::TESTS,
    shortage::TESTS,
    system::TESTS,
    kernel_threads::TESTS,
    scheduling::TESTS,
    credentials::TESTS,
    pointers::TESTS,
    numbers::TESTS,
    inside::TESTS,
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let status = match words.as_slice() {
        ["list"] => {
            runner::selected(FAMILIES, &[]).for_each(|test| println!("{}", runner::full_name(test)));
            0
        }
        ["run", names @ ..] => runner::run(FAMILIES, names),
        ["stress", kind, count] => stress::run(kind, count),
        ["exact", kind, count] => exact::run(kind, count),
        ["shortage"] => shortage::run(),
        ["fuzz", seed, seconds] => fuzz::run(seed, seconds),
        ["child", what @ ..] => processes::re_executed(what),
        _ => {
            eprintln!(
                "usage: guest-tests list | run [--quiet] [NAME…] | stress|exact fork|kill-WHAT|thread|pipe|file|map|shell COUNT, or fuzz|flood-KIND SECONDS | shortage | fuzz SEED SECONDS"
            );
            2
        }
    };
    std::process::exit(status);
}
