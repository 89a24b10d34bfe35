//! What the kernel tells of a process.

use crate::experiment::Linux;
use crate::observe::{fork, sleep_until};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{check, now, pipe, wait};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Processes,
    claim: "What a process is set up with can be read in /proc by others: priority, limits, folder, descriptors, signals, name.",
    experiment: "A child sets its nice level, a limit, its working folder, a descriptor, an ignored signal and its name, and sleeps. Its parent looks for each in /proc/PID. The control \
        looks at a child that has set nothing.",
    expected: "The files of /proc hold nothing; they are composed when they are read, from the very structures that the kernel works with.",
    observable: Observable::OneProcessor,
    linux: Linux::By("/proc/PID/{stat,limits,cwd,fd,status,comm}"),
    run,
};

const DESCRIPTOR: i32 = 77;

fn set_up() {
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 7);
        let limit = libc::rlimit { rlim_cur: 333, rlim_max: 333 };
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        libc::chdir(c"/proc".as_ptr());
        libc::dup2(0, DESCRIPTOR);
        libc::signal(libc::SIGUSR2, libc::SIG_IGN);
        libc::prctl(libc::PR_SET_NAME, c"set-up".as_ptr());
    }
}

/// What is found of each, in the order of [`NAMES`].
fn found(set: bool) -> Result<[bool; 6], Trouble> {
    let (source, sink) = pipe()?;
    let child = fork(|| {
        if set {
            set_up();
        }
        let mut byte = 0_u8;
        unsafe { libc::read(source, (&raw mut byte).cast(), 1) };
        0
    })?;
    sleep_until(now() + 20_000_000);
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{child}/{name}")).unwrap_or_default();
    let stat = read("stat");
    // Behind the name, which may hold blanks, nice is the seventeenth word (proc(5): 19).
    let nice = stat.rsplit(") ").next().and_then(|rest| rest.split_whitespace().nth(16));
    let limits = read("limits");
    let limit = limits.lines().find(|line| line.starts_with("Max open files"));
    let status = read("status");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let found = [
        nice == Some("7"),
        limit.is_some_and(|line| line.split_whitespace().nth(3) == Some("333")),
        std::fs::read_link(format!("/proc/{child}/cwd")).is_ok_and(|path| path.as_os_str() == "/proc"),
        std::fs::symlink_metadata(format!("/proc/{child}/fd/{DESCRIPTOR}")).is_ok(),
        ignored & (1 << (libc::SIGUSR2 - 1)) != 0,
        read("comm").trim() == "set-up",
    ];
    check(unsafe { libc::write(sink, c"x".as_ptr().cast(), 1) } as i64)?;
    wait(child)?;
    unsafe { (libc::close(source), libc::close(sink)) };
    Ok(found)
}

const NAMES: [&str; 6] =
    ["its nice level", "its limit of open files", "its folder", "its descriptor", "its ignored signal", "its name"];

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (set, plain) = lab.pair(|| found(true), || found(false))?;
    for (name, found) in NAMES.into_iter().zip(set) {
        lab.mechanism(name, if found { "found" } else { "not found" }, "").equals("found", "it was set");
    }
    let count = plain.iter().filter(|found| **found).count();
    lab.control("found of a child that set nothing", count, "of 6").equals(0, "nothing was set");
    Ok(())
}
