//! Everything used up by as many processes as there can be, all of them root's, whom no limit binds: they end one after the other, the kernel does not.
//!
//! What processes make differs: pages, kernel objects that are made where the kernel can wait for memory, and such as are made under its locks.
use crate::call::must;
use crate::child::{PAGE, close, fork, map, pipe, sleep};
use crate::stress::Load;
use std::fs;
use std::mem::zeroed;

/// One thing more of a kind, again and again. Where there is none for now, the process waits a moment.
type Kind = fn() -> bool;

/// The floods, each for a number of seconds.
pub const FLOODS: [(&str, Load); 9] = [
    ("flood-process", |seconds| flood(process, seconds)),
    ("flood-page", |seconds| flood(page, seconds)),
    ("flood-pipe", |seconds| flood(full_pipe, seconds)),
    ("flood-signal", |seconds| flood(queued_signal, seconds)),
    ("flood-file", |seconds| flood(file, seconds)),
    ("flood-epoll", |seconds| flood(epoll, seconds)),
    ("flood-timer", |seconds| flood(timer, seconds)),
    ("flood-area", |seconds| flood(area, seconds)),
    ("flood-table", |seconds| flood(table, seconds)),
];

/// What a number names that goes up by one each time.
fn next() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

fn process() -> bool {
    (unsafe { libc::fork() }) >= 0
}

fn page() -> bool {
    unsafe { map(PAGE).write_volatile(1) };
    true
}

fn full_pipe() -> bool {
    let mut ends = [0; 2];
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK) } < 0 {
        return false;
    }
    let bytes = [0u8; 16 * PAGE];
    (unsafe { libc::write(ends[1], bytes.as_ptr().cast(), bytes.len()) }) > 0
}

fn queued_signal() -> bool {
    let signal = libc::SIGRTMIN() + (next() % 30) as i32;
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigfillset(&mut set);
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        libc::sigqueue(libc::getpid(), signal, libc::sigval { sival_ptr: std::ptr::null_mut() }) == 0
    }
}

fn file() -> bool {
    fs::File::create(format!("flood.{}.{}", std::process::id(), next())).is_ok()
}

fn epoll() -> bool {
    unsafe {
        let (epoll, event) = (libc::epoll_create1(0), libc::eventfd(0, 0));
        let mut interest = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, event, &mut interest) == 0
    }
}

fn timer() -> bool {
    unsafe {
        let mut event: libc::sigevent = zeroed();
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = libc::SIGURG;
        let mut timer = zeroed();
        if libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer) < 0 {
            return false;
        }
        let often = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        let setting = libc::itimerspec { it_interval: often, it_value: often };
        libc::timer_settime(timer, 0, &setting, std::ptr::null_mut()) == 0
    }
}

/// A page at an address of its own, which no other joins.
fn apart(distance: usize) -> *mut u8 {
    let address = (0x1000_0000 + next() * distance) as *mut libc::c_void;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    let found = unsafe { libc::mmap(address, PAGE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if found == libc::MAP_FAILED { std::ptr::null_mut() } else { found.cast() }
}

fn area() -> bool {
    !apart(2 * PAGE).is_null()
}

fn table() -> bool {
    let place = apart(512 * PAGE);
    if !place.is_null() {
        unsafe { place.write_volatile(1) };
    }
    !place.is_null()
}

fn again_and_again(kind: Kind) -> ! {
    loop {
        if !kind() {
            sleep(1);
        }
    }
}

/// How much of the kernel's reserve there was left at the worst; `None` where the kernel does not say.
fn lowest_reserve() -> Option<u64> {
    let account = fs::read_to_string("/sys/kernel/debug/birgus/memory").ok()?;
    let row = account.lines().find_map(|line| line.strip_prefix("lowest_reserve: "))?;
    row.split(' ').next()?.parse().ok()
}

/// As much of `kind` as there can be, for `seconds`; then none of it.
fn flood(kind: Kind, seconds: usize) {
    fs::write("/proc/self/oom_score_adj", "-1000").unwrap();
    let folder = format!("/tmp/flood.{}", std::process::id());
    fs::create_dir(&folder).unwrap();
    let (end, held) = pipe();
    let flood = fork(|| {
        must(unsafe { libc::setpgid(0, 0) } as i64);
        fs::write("/proc/self/oom_score_adj", "0").unwrap();
        std::env::set_current_dir(&folder).unwrap();
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        close(end);
        loop {
            if unsafe { libc::fork() } == 0 {
                again_and_again(kind);
            }
            sleep(1);
        }
    });
    close(held);
    sleep(1000 * seconds as u64);
    // The first of them was perhaps the first to end, and some are just being made.
    while unsafe { libc::kill(-flood, libc::SIGKILL) } == 0 {
        sleep(10);
        unsafe { libc::waitpid(flood, std::ptr::null_mut(), libc::WNOHANG) };
    }
    // Whoever held the other end has gone.
    assert_eq!(unsafe { libc::read(end, [0u8].as_mut_ptr().cast(), 1) }, 0);
    close(end);
    fs::remove_dir_all(&folder).unwrap();
    if let Some(lowest) = lowest_reserve() {
        eprintln!("of the kernel's reserve {lowest} pages were left at the worst");
    }
}
