//! Threads of the kernel's own, as programs see them.
use crate::call::{errno, must};
use crate::child::{End, run};
use crate::sys;
use std::fs;

crate::tests!(
    init_and_its_sister_are_the_kernels_children,
    all_others_descend_from_kthreadd,
    init_has_all_programs_below_it,
    they_have_neither_memory_nor_files,
    their_figures_are_those_of_the_kernel,
    signals_come_to_nothing,
    strangers_may_not_signal_them,
    nobody_waits_for_them,
    they_are_in_no_session_and_not_to_be_moved_to_one,
    their_nice_value_can_be_set,
    their_memory_cannot_be_read,
    they_are_counted,
    each_processor_has_its_own_for_softirqs,
    each_processor_has_workers,
);

const KTHREADD: i32 = 2;
const PF_WQ_WORKER: u64 = 0x20;
const PF_KTHREAD: u64 = 0x20_0000;
const PF_NO_SETAFFINITY: u64 = 0x400_0000;

/// The words of /proc/PID/stat by their numbers in proc(5), and the name.
pub struct Stat {
    pub name: String,
    words: Vec<String>,
}

impl Stat {
    /// `None` where the process has gone.
    pub fn of(pid: i32) -> Option<Self> {
        let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (before, after) = line.rsplit_once(") ")?;
        let name = before.split_once('(')?.1.to_owned();
        Some(Self { name, words: after.split_whitespace().map(str::to_owned).collect() })
    }

    pub fn word(&self, number: usize) -> &str {
        &self.words[number - 3]
    }

    pub fn number(&self, number: usize) -> u64 {
        self.word(number).parse().unwrap()
    }

    pub fn parent(&self) -> i32 {
        self.word(4).parse().unwrap()
    }

    pub fn is_kernel_thread(&self) -> bool {
        self.number(9) & PF_KTHREAD != 0
    }
}

/// All processes that there are.
pub fn everybody() -> Vec<(i32, Stat)> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(|pid| Some((pid, Stat::of(pid)?))).collect()
}

fn status(pid: i32, key: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t"));
    line.unwrap_or_else(|| panic!("no {key}")).to_owned()
}

fn init_and_its_sister_are_the_kernels_children() {
    let (init, kthreadd) = (Stat::of(1).unwrap(), Stat::of(KTHREADD).unwrap());
    assert_eq!((init.parent(), kthreadd.parent()), (0, 0));
    assert!(!init.is_kernel_thread() && kthreadd.is_kernel_thread());
    assert_eq!(kthreadd.name, "kthreadd");
    assert_eq!(fs::read_to_string("/proc/2/comm").unwrap(), "kthreadd\n");
}

fn all_others_descend_from_kthreadd() {
    let mut seen = 0;
    for (pid, stat) in everybody() {
        if pid != KTHREADD {
            assert_eq!(stat.is_kernel_thread(), stat.parent() == KTHREADD, "{pid} ({})", stat.name);
            seen += u32::from(stat.is_kernel_thread());
        }
    }
    assert!(seen > 0);
    let children = fs::read_to_string("/proc/2/task/2/children").unwrap();
    assert!(children.split_whitespace().count() > 0);
    for pid in children.split_whitespace() {
        // One may have ended meanwhile.
        if let Some(stat) = Stat::of(pid.parse().unwrap()) {
            assert!(stat.is_kernel_thread() && stat.parent() == KTHREADD, "{pid}");
        }
    }
}

fn init_has_all_programs_below_it() {
    for (pid, stat) in everybody() {
        let mut above = pid;
        let mut is_program = !stat.is_kernel_thread();
        while above > 1 && is_program {
            match Stat::of(above) {
                Some(stat) => above = stat.parent(),
                None => is_program = false,
            }
        }
        assert!(!is_program || above == 1, "{pid} ({})", stat.name);
    }
}

fn they_have_neither_memory_nor_files() {
    for (pid, stat) in everybody().into_iter().filter(|(_, stat)| stat.is_kernel_thread()) {
        let folder = format!("/proc/{pid}");
        let read = |name: &str| fs::read(format!("{folder}/{name}")).ok();
        let empty = ["cmdline", "maps", "environ", "auxv", "smaps"];
        let filled = empty.iter().find(|name| read(name).is_some_and(|bytes| !bytes.is_empty()));
        assert_eq!(filled, None, "{pid} ({})", stat.name);
        // Some of Linux's come and go.
        let program = fs::read_link(format!("{folder}/exe"));
        assert_eq!(program.unwrap_err().raw_os_error(), Some(libc::ENOENT), "{pid} ({})", stat.name);
        let descriptors = fs::read_dir(format!("{folder}/fd")).map(Iterator::count);
        assert_eq!(descriptors.unwrap_or(0), 0);
    }
    assert_eq!(fs::read_to_string("/proc/2/statm").unwrap(), "0 0 0 0 0 0 0\n");
    assert_eq!(fs::read_link("/proc/2/cwd").unwrap().to_str(), Some("/"));
    let text = fs::read_to_string("/proc/2/status").unwrap();
    assert!(!text.contains("Vm"), "{text}");
}

fn their_figures_are_those_of_the_kernel() {
    for (pid, stat) in everybody().into_iter().filter(|(_, stat)| stat.is_kernel_thread()) {
        let name = &stat.name;
        // One thread; no memory; nothing but ignored signals. (Linux gives some of its time to user mode: it divides what it has not sampled.)
        assert_eq!((stat.number(20), stat.number(23), stat.word(24)), (1, 0, "0"), "{pid} ({name})");
        assert_eq!((stat.word(31), stat.word(32), stat.word(33), stat.word(34)), ("0", "0", "2147483647", "0"));
        assert!(["S", "R", "I", "D"].contains(&stat.word(3)), "{pid} ({name}) {}", stat.word(3));
        assert_eq!(stat.word(38), if pid == KTHREADD { "0" } else { "17" }, "{pid} ({name})");
    }
    assert_eq!(status(KTHREADD, "SigIgn"), "ffffffffffffffff");
    let switches: u64 = status(KTHREADD, "voluntary_ctxt_switches").parse().unwrap();
    assert!(switches > 0, "it made the others");
}

fn signals_come_to_nothing() {
    for signal in [libc::SIGKILL, libc::SIGTERM, libc::SIGSTOP, libc::SIGCONT, libc::SIGUSR1, 40] {
        must(unsafe { libc::kill(KTHREADD, signal) });
        assert_eq!(sys!(libc::SYS_tgkill, KTHREADD, KTHREADD, signal), Ok(0));
    }
    must(unsafe { libc::kill(KTHREADD, 0) });
    crate::child::sleep(20);
    assert_eq!((status(KTHREADD, "SigPnd"), status(KTHREADD, "ShdPnd")), ("0".repeat(16), "0".repeat(16)));
    assert_eq!(Stat::of(KTHREADD).unwrap().word(3), "S");
}

fn strangers_may_not_signal_them() {
    let end = run(|| unsafe {
        must(libc::setuid(1000));
        let refused = libc::kill(KTHREADD, libc::SIGKILL);
        assert_eq!(errno(refused), libc::EPERM);
        let program = fs::read_link("/proc/2/exe").unwrap_err();
        assert_eq!(program.raw_os_error(), Some(libc::EACCES));
        0
    });
    assert_eq!(end, End::Exit(0));
}

fn nobody_waits_for_them() {
    let waited = unsafe { libc::waitpid(KTHREADD, std::ptr::null_mut(), libc::WNOHANG | libc::__WALL) };
    assert_eq!(errno(waited), libc::ECHILD);
}

fn they_are_in_no_session_and_not_to_be_moved_to_one() {
    assert_eq!((sys!(libc::SYS_getpgid, KTHREADD), sys!(libc::SYS_getsid, KTHREADD)), (Ok(0), Ok(0)));
    assert_eq!(sys!(libc::SYS_setpgid, KTHREADD, KTHREADD), Err(libc::ESRCH));
    let file = sys!(libc::SYS_pidfd_open, KTHREADD, 0).unwrap();
    assert_eq!(sys!(libc::SYS_pidfd_getfd, file, 0, 0), Err(libc::EBADF));
    assert_eq!(sys!(libc::SYS_pidfd_send_signal, file, libc::SIGKILL, 0, 0), Ok(0));
}

fn their_nice_value_can_be_set() {
    // The raw call answers 20 less the value.
    assert_eq!(sys!(libc::SYS_getpriority, libc::PRIO_PROCESS, KTHREADD), Ok(20));
    assert_eq!(sys!(libc::SYS_setpriority, libc::PRIO_PROCESS, KTHREADD, 5), Ok(0));
    let stat = Stat::of(KTHREADD).unwrap();
    assert_eq!((stat.word(18), stat.word(19)), ("25", "5"));
    assert_eq!(sys!(libc::SYS_setpriority, libc::PRIO_PROCESS, KTHREADD, 0), Ok(0));
}

fn their_memory_cannot_be_read() {
    let mut byte = 0u8;
    let own = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let read = sys!(libc::SYS_process_vm_readv, KTHREADD, &raw const own, 1, &raw const own, 1, 0);
    assert_eq!(read, Err(libc::ESRCH));
}

/// Tasks as sysinfo(2) and loadavg have them are at least as many as there are kernel threads, and a few programs.
fn they_are_counted() {
    let threads = everybody().iter().filter(|(_, stat)| stat.is_kernel_thread()).count();
    let mut info: libc::sysinfo = unsafe { std::mem::zeroed() };
    must(unsafe { libc::sysinfo(&mut info) });
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let counts = load.split_whitespace().nth(3).unwrap();
    let tasks: usize = counts.split_once('/').unwrap().1.parse().unwrap();
    // Linux's workers may come and go meanwhile.
    assert!(tasks + 2 > threads && usize::from(info.procs) + 2 > threads, "{threads} {counts} {}", info.procs);
}

/// One ksoftirqd for each CPU, which nobody can move.
fn each_processor_has_its_own_for_softirqs() {
    let processors = must(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) as i32 });
    let everybody = everybody();
    for cpu in 0..processors {
        let name = format!("ksoftirqd/{cpu}");
        let mut found = everybody.iter().filter(|(_, stat)| stat.name == name && stat.is_kernel_thread());
        let (pid, stat) = found.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(found.next().is_none());
        assert_eq!(status(*pid, "Cpus_allowed_list"), cpu.to_string());
        assert_eq!(stat.number(39), cpu as u64, "where it runs");
        assert_ne!(stat.number(9) & PF_NO_SETAFFINITY, 0);
        let all: u64 = !0;
        assert_eq!(sys!(libc::SYS_sched_setaffinity, *pid, 8, &raw const all), Err(libc::EINVAL));
        assert_eq!(status(*pid, "Cpus_allowed_list"), cpu.to_string());
    }
}

/// Idle ones are no load, whatever they sleep like.
fn each_processor_has_workers() {
    let processors = must(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) as i32 });
    let everybody = everybody();
    for cpu in 0..processors {
        let start = format!("kworker/{cpu}:");
        let mut seen = 0;
        for (pid, stat) in everybody.iter().filter(|(_, stat)| stat.name.starts_with(&start)) {
            seen += 1;
            assert_eq!(stat.number(9) & (PF_WQ_WORKER | PF_NO_SETAFFINITY), PF_WQ_WORKER | PF_NO_SETAFFINITY);
            assert!(["I", "R", "D"].contains(&stat.word(3)), "{}", stat.word(3));
            // It may have ended meanwhile.
            if Stat::of(*pid).is_some() {
                assert_eq!(status(*pid, "Cpus_allowed_list"), cpu.to_string());
            }
        }
        assert!(seen > 0, "no {start}");
    }
    assert!(everybody.iter().any(|(_, stat)| stat.name.starts_with("kworker/u")));
    assert!(everybody.iter().any(|(pid, stat)| stat.word(3) == "I" && status(*pid, "State") == "I (idle)"));
}
