//! Processes that a test starts, and what becomes of them.
use crate::call::must;
use std::mem::zeroed;
use std::time::{Duration, Instant};

pub const PAGE: usize = 4096;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Exit(i32),
    Signal(i32),
}

/// A process that runs `body` and exits with its answer.
pub fn fork(body: impl FnOnce() -> i32) -> i32 {
    let process = must(unsafe { libc::fork() });
    if process == 0 {
        let status = body();
        unsafe { libc::_exit(status) };
    }
    process
}

/// Waits for a process's end.
#[track_caller]
pub fn wait(process: i32) -> End {
    let mut status = 0;
    assert_eq!(unsafe { libc::waitpid(process, &mut status, 0) }, process, "{}", std::io::Error::last_os_error());
    end(status)
}

pub fn end(status: i32) -> End {
    if libc::WIFSIGNALED(status) { End::Signal(libc::WTERMSIG(status)) } else { End::Exit(libc::WEXITSTATUS(status)) }
}

/// Runs `body` in a process and waits for it.
#[track_caller]
pub fn run(body: impl FnOnce() -> i32) -> End {
    wait(fork(body))
}

/// What a fault's handler was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub signal: i32,
    pub code: i32,
    pub address: usize,
}

/// Runs `body` in a process with handlers for everything that an instruction can earn; the first such signal, or `None`.
pub fn fault(body: impl FnOnce()) -> Option<Fault> {
    static mut SINK: i32 = -1;
    extern "C" fn handler(signal: i32, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
        unsafe {
            let words = [i64::from(signal), i64::from((*info).si_code), (*info).si_addr() as i64];
            libc::write(SINK, words.as_ptr().cast(), 24);
            libc::_exit(0);
        }
    }
    let (source, sink) = pipe();
    let process = fork(|| {
        unsafe {
            SINK = sink;
            let stack = map(4 * PAGE);
            let stack = libc::stack_t { ss_sp: stack.cast(), ss_flags: 0, ss_size: 4 * PAGE };
            must(libc::sigaltstack(&stack, std::ptr::null_mut()));
        }
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP] {
            handle(signal, handler as *const () as usize, libc::SA_SIGINFO | libc::SA_ONSTACK);
        }
        body();
        0
    });
    close(sink);
    let mut words = [0i64; 3];
    let count = unsafe { libc::read(source, words.as_mut_ptr().cast(), 24) };
    close(source);
    wait(process);
    (count == 24).then_some(Fault { signal: words[0] as i32, code: words[1] as i32, address: words[2] as usize })
}

/// Installs a handler.
pub fn handle(signal: i32, handler: usize, flags: i32) {
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        must(libc::sigaction(signal, &action, std::ptr::null_mut()));
    }
}

/// A pipe's ends: for reading, for writing.
pub fn pipe() -> (i32, i32) {
    let mut ends = [0; 2];
    must(unsafe { libc::pipe(ends.as_mut_ptr()) });
    (ends[0], ends[1])
}

pub fn close(descriptor: i32) {
    must(unsafe { libc::close(descriptor) });
}

/// Fresh private memory.
pub fn map(length: usize) -> *mut u8 {
    map_as(length, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)
}

/// Fresh memory.
#[track_caller]
pub fn map_as(length: usize, protection: i32, flags: i32) -> *mut u8 {
    let address = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0) };
    assert_ne!(address, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
    address.cast()
}

/// Memory that forked processes share.
pub fn shared(length: usize) -> *mut u8 {
    map_as(length, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS)
}

/// Moves to a file system of its own, which knows devices and set-id programs, whatever the rest was mounted with.
pub fn own_file_system() {
    must(unsafe { libc::mkdir(c"mounted".as_ptr(), 0o755) });
    let (kind, none) = (c"tmpfs".as_ptr(), std::ptr::null());
    must(unsafe { libc::mount(kind, c"mounted".as_ptr(), kind, 0, none) });
    must(unsafe { libc::chdir(c"mounted".as_ptr()) });
}

pub fn sleep(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Waits until `condition` holds; fails after ten seconds.
#[track_caller]
pub fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "did not come true in ten seconds");
        sleep(1);
    }
}

/// The letter in /proc/PID/stat: R, S, D, T, Z.
pub fn state(process: i32) -> char {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    text.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap_or('-')
}

/// Waits until the process sleeps in a system call.
#[track_caller]
pub fn until_asleep(process: i32) {
    until(|| state(process) == 'S');
}
