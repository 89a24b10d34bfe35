//! Calls with arguments drawn by chance, for hours if one likes: whatever a program passes, the machine must go on.
//!
//! `guest-tests fuzz SEED SECONDS` runs rounds. In each, workers, half of them without privileges, live in a small file system of
//! their own and share its files, pipes and terminals; a worker makes some thousand calls that its seed determines. A timer
//! interrupts what sleeps; who has not moved for a while all the same is killed, and another takes its place. The machine fails by
//! ending, by its own log (`./birgus run -v`), or when a killed worker does not go: then the call that it is in is printed.
mod arguments;
mod calls;

use crate::call::{c, must, raw};
use crate::child::{PAGE, close, fork, handle, map_as, shared};
use arguments::{Pool, Random};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bytes that a worker's calls may read, write and map.
const MEMORY: usize = 64 * PAGE;
const WORKERS: usize = 4;
const CALLS_EACH: u64 = 4000;
/// How long a round's file system lasts, and how long a worker may make no progress.
const ROUND: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_millis(300);

/// What a worker is doing, for him who looks on.
#[repr(C)]
struct Progress {
    made: AtomicU64,
    number: AtomicU64,
    arguments: [AtomicU64; 6],
}

pub fn run(seed: &str, seconds: &str) -> i32 {
    let (Ok(seed), Ok(seconds)) = (seed.parse::<u64>(), seconds.parse::<u64>()) else {
        eprintln!("guest-tests: fuzz takes a seed and a number of seconds");
        return 2;
    };
    let Some((next, made)) = rounds(seed, seconds) else { return 1 };
    println!("fuzz: seeds {seed} to {}, {made} calls", next - 1);
    0
}

/// The same from a seed that is always the same, for looks at what is left.
pub fn load(seconds: usize) {
    // All files without a place of their own share an inode, and what its first lock is kept in stays.
    let counter = must(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) });
    must(unsafe { libc::flock(counter, libc::LOCK_EX) });
    close(counter);
    assert!(rounds(1, seconds as u64).is_some(), "all could be killed");
}

/// The next seed, and how many calls were made; nothing when a worker is stuck.
fn rounds(seed: u64, seconds: u64) -> Option<(u64, u64)> {
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
        // A worker with privileges may send signals here.
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut signals);
        libc::sigprocmask(libc::SIG_SETMASK, &signals, std::ptr::null_mut());
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut next, mut made) = (seed, 0);
    while Instant::now() < end {
        made += one_round(&mut next)?;
    }
    Some((next, made))
}

/// How many calls its workers made; nothing when one of them is stuck.
fn one_round(next: &mut u64) -> Option<u64> {
    let arena = Arena::new();
    let end = Instant::now() + ROUND;
    let mut workers: Vec<Worker> = (0..WORKERS).map(|_| Worker::start(next, arena.nowhere)).collect();
    let mut made = 0;
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
        for worker in &mut workers {
            if !worker.goes_on() {
                made += std::mem::replace(worker, Worker::start(next, arena.nowhere)).end()?;
            }
        }
    }
    for worker in workers {
        made += worker.end()?;
    }
    // What workers left behind has come to this process, which is a subreaper.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
    arena.end();
    Some(made)
}

struct Worker {
    seed: u64,
    process: i32,
    said: &'static Progress,
    /// How many calls it had made when it was last seen to make one, and when.
    seen: (u64, Instant),
}

impl Worker {
    fn start(next: &mut u64, nowhere: i32) -> Worker {
        let seed = *next;
        *next += 1;
        let said: &Progress = unsafe { &*(shared(PAGE) as *const Progress) };
        Worker { seed, process: fork(|| worker(seed, nowhere, said)), said, seen: (0, Instant::now()) }
    }

    fn is_over(&self) -> bool {
        let mut about: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        unsafe {
            libc::waitid(libc::P_PID, self.process as u32, &mut about, how) == 0 && about.si_pid() == self.process
        }
    }

    fn goes_on(&mut self) -> bool {
        let made = self.said.made.load(Ordering::Relaxed);
        if made != self.seen.0 {
            self.seen = (made, Instant::now());
        }
        !self.is_over() && self.seen.1.elapsed() < PATIENCE
    }

    /// Kills it; how many calls it made, or nothing when it does not go.
    fn end(self) -> Option<u64> {
        unsafe { libc::kill(self.process, libc::SIGKILL) };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.is_over() {
            if Instant::now() > deadline {
                let arguments: Vec<_> =
                    self.said.arguments.iter().map(|word| format!("{:#x}", word.load(Ordering::Relaxed))).collect();
                let number = self.said.number.load(Ordering::Relaxed);
                println!("fuzz: seed {}: cannot be killed; call {number} ({})", self.seed, arguments.join(", "));
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let made = self.said.made.load(Ordering::Relaxed);
        unsafe {
            libc::waitpid(self.process, std::ptr::null_mut(), 0);
            must(libc::munmap(std::ptr::from_ref(self.said) as *mut libc::c_void, PAGE));
        }
        Some(made)
    }
}

/// A small file system with what calls can be made on.
struct Arena {
    path: String,
    /// What workers have for standard input and output. What calls make of it goes with the arena.
    nowhere: i32,
}

impl Arena {
    fn new() -> Arena {
        let path = format!("/tmp/fuzz.{}", std::process::id());
        let _ = std::fs::create_dir_all(&path);
        let mount = |kind: &str, place: &str, options: &str| {
            let _ = std::fs::create_dir_all(place);
            let (kind, place, options) = (c(kind), c(place), c(options));
            must(unsafe { libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) });
        };
        mount("tmpfs", &path, "size=16m,nr_inodes=2000,mode=777");
        mount("proc", &format!("{path}/proc"), "");
        mount("sysfs", &format!("{path}/sys"), "");
        mount("devpts", &format!("{path}/pts"), "newinstance,ptmxmode=0666,mode=620");
        for (name, minor) in [("null", 3), ("zero", 5), ("full", 7), ("random", 8)] {
            let place = c(&format!("{path}/{name}"));
            must(unsafe { libc::mknod(place.as_ptr(), libc::S_IFCHR | 0o666, libc::makedev(1, minor)) });
            must(unsafe { libc::chmod(place.as_ptr(), 0o666) });
        }
        std::fs::copy("/proc/self/exe", format!("{path}/program")).expect("room for the program");
        std::fs::write(format!("{path}/script"), "#!/program child exit 3\n").expect("room for a script");
        std::fs::create_dir(format!("{path}/folder")).expect("room for a folder");
        for name in ["script", "folder"] {
            must(unsafe { libc::chmod(c(&format!("{path}/{name}")).as_ptr(), 0o777) });
        }
        let nowhere = must(unsafe { libc::open(c(&format!("{path}/null")).as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) });
        Arena { path, nowhere }
    }

    /// Mounts may lie over one another by now, so as often as it takes.
    fn end(self) {
        let path = c(&self.path);
        close(self.nowhere);
        while unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) } == 0 {}
        let _ = std::fs::remove_dir(&self.path);
    }
}

fn names() -> Vec<std::ffi::CString> {
    let plain = "a b c folder folder/d folder/e folder/../a . .. / script program program/x null zero full random pts/ptmx pts/0 pts/1 \
        proc/self/maps proc/self/status proc/self/fd proc/self/fd/3 proc/self/exe proc/self/mem proc/self/oom_score_adj proc/self/comm proc/self/task \
        proc/1/maps proc/meminfo proc/sys/kernel/hostname proc/mounts proc proc/self/ns sys sys/kernel sys/devices user.x user.y trusted.x \
        security.capability system.posix_acl_access tmpfs proc sysfs devpts ramfs size=1m";
    let mut names: Vec<_> = plain.split_whitespace().map(c).collect();
    names.push(c(""));
    names.push(c(&"n".repeat(255)));
    names.push(c(&"n".repeat(256)));
    names.push(c(&"folder/../".repeat(409)));
    names.push(c(&"/".repeat(5000)));
    names
}

extern "C" fn nothing(_: i32) {}

/// Makes its calls and exits.
fn worker(seed: u64, nowhere: i32, said: &Progress) -> i32 {
    let mut random = Random(seed);
    let path = c(&format!("/tmp/fuzz.{}", unsafe { libc::getppid() }));
    unsafe {
        libc::setsid();
        must(libc::chroot(path.as_ptr()));
        must(libc::chdir(c"/".as_ptr()));
        (0..3).for_each(|standard| assert!(libc::dup2(nowhere, standard) >= 0));
        never_again_chroot();
        limit(libc::RLIMIT_AS, 1 << 28);
        limit(libc::RLIMIT_FSIZE, 1 << 24);
        limit(libc::RLIMIT_NPROC, 200);
        limit(libc::RLIMIT_CORE, 0);
        if random.one_in(2) {
            must(libc::setgroups(0, std::ptr::null()));
            must(libc::setresgid(1000, 1000, 1000));
            must(libc::setresuid(1000, 1000, 1000));
        }
    }
    let own = unsafe { libc::getpid() } as usize;
    // With nothing beside it, so that lengths beyond it end nowhere rather than in what the worker lives from.
    let around =
        map_as(64 * MEMORY, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as usize;
    let memory = around + 32 * MEMORY;
    must(unsafe { libc::mprotect(memory as *mut libc::c_void, MEMORY, libc::PROT_READ | libc::PROT_WRITE) });
    let pool = Pool { memory, paths: names(), tasks: vec![own, own, 0, own.wrapping_neg(), 0x3fff_ffff] };
    for number in 0..CALLS_EACH {
        if number % 50 == 0 {
            survive_signals();
        }
        interrupt_soon();
        fill(&pool, &mut random);
        if random.one_in(40) {
            new_task(&mut random, &pool);
        } else {
            one_call(&pool, &mut random, said);
        }
        said.made.fetch_add(1, Ordering::Relaxed);
    }
    0
}

/// Gives `CAP_SYS_CHROOT` up: who calls chroot with a working directory outside of the new root is out, and leaves things where nobody
/// looks for them.
fn never_again_chroot() {
    const CAPABILITY: u32 = 18;
    // Version 3, this process.
    let header = [0x2008_0522u32, 0];
    // Effective, permitted, inheritable, twice.
    let mut sets = [0u32; 6];
    unsafe {
        must(libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()));
        sets[..3].iter_mut().for_each(|set| *set &= !(1 << CAPABILITY));
        must(libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()));
        must(libc::prctl(libc::PR_CAPBSET_DROP, CAPABILITY));
    }
}

/// Handlers for all that can be handled, but those that tell of a fault.
fn survive_signals() {
    let faults = [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];
    // 32 and 33 belong to libc.
    for signal in (1..65).filter(|signal| !faults.contains(signal) && ![32, 33].contains(signal)) {
        handle(signal, nothing as *const () as usize, 0);
    }
}

fn limit(which: libc::__rlimit_resource_t, bound: u64) {
    let both = libc::rlimit { rlim_cur: bound, rlim_max: bound };
    must(unsafe { libc::setrlimit(which, &both) });
}

/// Whatever the last call did to the timer and the mask: in ten milliseconds a signal comes.
fn interrupt_soon() {
    unsafe {
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&mut signals, libc::SIGALRM);
        libc::sigprocmask(libc::SIG_UNBLOCK, &signals, std::ptr::null_mut());
        let tenth = libc::timeval { tv_sec: 0, tv_usec: 10_000 };
        let timer = libc::itimerval { it_interval: tenth, it_value: tenth };
        libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut());
    }
}

/// Puts words where calls may find structures; by `process_vm_writev` on itself, which leaves out what is not mapped.
fn fill(pool: &Pool, random: &mut Random) {
    let words: Vec<u64> = (0..64).map(|_| pool.word(random)).collect();
    let place = pool.argument(b'b', random);
    let from = libc::iovec { iov_base: words.as_ptr() as *mut libc::c_void, iov_len: 512 };
    let to = libc::iovec { iov_base: place as *mut libc::c_void, iov_len: 512 };
    unsafe { libc::process_vm_writev(libc::getpid(), &from, 1, &to, 1, 0) };
}

fn one_call(pool: &Pool, random: &mut Random, said: &Progress) {
    let (number, letters) = random.pick(calls::CALLS);
    let mut arguments = [0; 6];
    for (argument, letter) in arguments.iter_mut().zip(letters.bytes()) {
        *argument = pool.argument(letter, random);
    }
    said.number.store(number as u64, Ordering::Relaxed);
    for (word, argument) in said.arguments.iter().zip(arguments) {
        word.store(argument as u64, Ordering::Relaxed);
    }
    let _ = raw(number as usize, arguments);
}

/// A task by `clone` with flags drawn by chance, which exits at once without touching any memory.
fn new_task(random: &mut Random, pool: &Pool) {
    let flags =
        pool.argument(b'g', random) | pool.argument(b'g', random) | random.pick(&[0, libc::SIGCHLD as usize, 0x4111]);
    let stack = if random.one_in(2) { 0 } else { pool.argument(b'b', random) };
    let (parent, child, local) = (
        pool.argument(b'b', random),
        pool.argument(b'b', random),
        if random.one_in(2) { 0 } else { pool.argument(b'b', random) },
    );
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov edi, 7",
            "mov eax, 60",
            "syscall",
            "2:",
            inlateout("rax") libc::SYS_clone as usize => _,
            in("rdi") flags,
            in("rsi") stack,
            in("rdx") parent,
            in("r10") child,
            in("r8") local,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
}
