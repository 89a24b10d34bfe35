//! Pointers that programs hand to the kernel.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{last_error, map};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::SystemCalls,
    claim: "Every call checks its pointers: an address that is not the caller's to use is EFAULT, not a leak and not a crash.",
    experiment: "A dozen calls are made with a kernel address, with an address where nothing is, with one that is none, and (where the kernel writes) with read-only memory. The \
        control makes the same calls with memory of the program's own.",
    expected: "The kernel may write anywhere, so it must not follow a pointer blindly: it compares with the end of the user's half first, and then accesses as the program \
        would, ready to fault and to answer EFAULT.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the calls' answers"),
    run,
};

type Call = (&'static str, bool, fn(usize) -> i64);

fn call(number: i64, first: usize, second: usize, third: usize, fourth: usize) -> i64 {
    unsafe { libc::syscall(number, first, second, third, fourth) }
}

fn zero() -> usize {
    unsafe { libc::open(c"/dev/zero".as_ptr(), libc::O_RDWR) as usize }
}

/// The calls, whether the kernel writes there, and the call with the pointer.
const CALLS: [Call; 12] = [
    ("read", true, |place| call(libc::SYS_read, zero(), place, 8, 0)),
    ("write", false, |place| {
        let mut ends = [0_i32; 2];
        unsafe { libc::pipe(ends.as_mut_ptr()) };
        call(libc::SYS_write, ends[1] as usize, place, 8, 0)
    }),
    ("open", false, |place| call(libc::SYS_openat, libc::AT_FDCWD as usize, place, 0, 0)),
    ("stat", true, |place| call(libc::SYS_stat, c"/".as_ptr() as usize, place, 0, 0)),
    ("pipe", true, |place| call(libc::SYS_pipe, place, 0, 0, 0)),
    ("uname", true, |place| call(libc::SYS_uname, place, 0, 0, 0)),
    ("getcwd", true, |place| call(libc::SYS_getcwd, place, 64, 0, 0)),
    ("clock_gettime", true, |place| call(libc::SYS_clock_gettime, 1, place, 0, 0)),
    ("nanosleep", false, |place| call(libc::SYS_nanosleep, place, 0, 0, 0)),
    ("getrlimit", true, |place| call(libc::SYS_getrlimit, 0, place, 0, 0)),
    ("rt_sigprocmask", false, |place| call(libc::SYS_rt_sigprocmask, 0, place, 0, 8)),
    ("execve", false, |place| call(libc::SYS_execve, place, 0, 0, 0)),
];

/// Which of the calls answer EFAULT, for a pointer; of those that write, or all. `prepare` is done before each.
fn refusing(place: usize, only_writing: bool, prepare: fn(usize)) -> Result<Vec<&'static str>, Trouble> {
    let refuses = |(name, _, call): &Call| {
        prepare(place);
        (call(place) == -1 && last_error().0 == libc::EFAULT).then_some(*name)
    };
    Ok(CALLS.iter().filter(|(_, writes, _)| *writes || !only_writing).filter_map(refuses).collect())
}

/// The program's own memory holds zeros: no time to sleep, no signal to block.
fn own_memory(only_writing: bool) -> Result<Vec<&'static str>, Trouble> {
    let own = map(4096)?;
    refusing(own as usize, only_writing, |place| unsafe { std::ptr::write_bytes(place as *mut u8, 0, 4096) })
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let constant = EXPERIMENT.claim.as_ptr() as usize;
    let bad = [
        ("a kernel address", 0xffff_ffff_8100_0000, false),
        ("an address where nothing is", 0x9000, false),
        ("an address that is none", 0x0800_0000_0000_0000, false),
        ("read-only memory", constant, true),
    ];
    for (name, place, only_writing) in bad {
        let (refused, _) = lab.pair(|| refusing(place, only_writing, |_| ()), || own_memory(only_writing))?;
        let all = CALLS.iter().filter(|call| call.1 || !only_writing).count();
        let names = if only_writing { "each that writes" } else { "each of them" };
        lab.mechanism(format!("calls that refuse {name}"), refused.len(), &format!("of {all}")).equals(all, names);
    }
    let (_, taken) = lab.pair(|| Ok(Vec::new()), || own_memory(false))?;
    lab.control("calls that refuse memory of its own", taken.len(), "of 12").equals(0, "it is the program's");
    Ok(())
}
