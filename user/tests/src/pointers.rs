//! Pointers that lead nowhere, in every call that takes one: EFAULT, at once, and nothing else happens.
//!
//! A row of a table names a call and its arguments, one of them the bad pointer. Where a call is not there at all, ENOSYS will
//! do. Where a part of the buffer is good, some calls give what they could.
use crate::call::{c, must, raw};
use crate::child::{PAGE, fork, map, map_as, run, shared};
use std::sync::OnceLock;

crate::tests!(
    paths,
    buffers_that_are_read,
    buffers_that_are_written,
    structures_that_are_read,
    structures_that_are_written,
    structures_of_signals_and_time,
    structures_of_identity,
    status_of_children,
    vectors,
    lengths_beyond_everything,
);

/// Arguments that stand for something.
const BAD: usize = 0xdead_0001;
const GOOD: usize = 0xdead_0002;
const FILE: usize = 0xdead_0003;
const LINK: usize = 0xdead_0004;
const OTHER: usize = 0xdead_0005;
const HERE: usize = libc::AT_FDCWD as usize;
const MINUS: usize = usize::MAX;

/// Descriptors that are open in each row's process.
const PLAIN: usize = 20;
const SOURCE: usize = 21;
const SINK: usize = 22;
const FOLDER: usize = 23;
const TERMINAL: usize = 24;
const EPOLL: usize = 25;
const EVENT: usize = 26;
const TIMER: usize = 27;

/// What the kernel does with the bad pointer.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    Reads,
    Writes,
    /// Writes or reads, and a short count is an answer too.
    Some,
    /// Writes, after a child has ended.
    OfChild,
}
use Use::{OfChild, Reads, Some as Partly, Writes};

type Row = (i64, &'static [usize], Use);

fn place(number: i32, wanted: usize) {
    must(number);
    if number as usize != wanted {
        must(unsafe { libc::dup2(number, wanted as i32) });
        must(unsafe { libc::close(number) });
    }
}

fn prepare() {
    unsafe {
        std::fs::write("file", "contents of the file").unwrap();
        let _ = std::os::unix::fs::symlink("file", "link");
        place(libc::open(c"file".as_ptr(), libc::O_RDWR), PLAIN);
        let (source, sink) = crate::child::pipe();
        libc::write(sink, c"0123456789".as_ptr().cast(), 10);
        place(source, SOURCE);
        place(sink, SINK);
        place(libc::open(c".".as_ptr(), libc::O_RDONLY), FOLDER);
        let master = must(libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY));
        libc::unlockpt(master);
        let mut number = 0u32;
        libc::ioctl(master, libc::TIOCGPTN, &mut number);
        place(libc::open(c(&format!("/dev/pts/{number}")).as_ptr(), libc::O_RDWR | libc::O_NOCTTY), TERMINAL);
        place(libc::eventfd(1000, libc::EFD_SEMAPHORE), EVENT);
        // Where these are missing, their rows answer with EBADF, which is refused: so they stay closed only with ENOSYS.
        let epoll = libc::epoll_create1(0);
        if epoll >= 0 {
            place(epoll, EPOLL);
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
            must(libc::epoll_ctl(EPOLL as i32, libc::EPOLL_CTL_ADD, SOURCE as i32, &mut event));
        }
        let timer = libc::timerfd_create(libc::CLOCK_MONOTONIC, 0);
        if timer >= 0 {
            place(timer, TIMER);
        }
        libc::setgroups(2, [5u32, 6].as_ptr());
    }
}

/// Pointers that lead nowhere, whatever is done with them.
fn wild() -> Vec<usize> {
    let protected = map_as(PAGE, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
    let gone = map(PAGE) as usize;
    must(unsafe { libc::munmap(gone as *mut libc::c_void, PAGE) });
    vec![
        1,
        8,
        gone,
        protected,
        0x7fff_ffff_f000 - 1,
        0x7fff_ffff_f000,
        0x0800_0000_0000_0000,
        0xffff_8880_0000_0000,
        0xffff_ffff_8100_0000,
        0xffff_ffff_ff60_0000,
        usize::MAX - 7,
        usize::MAX,
    ]
}

/// The last byte before a page that cannot be used; what precedes is no zero, so that no string ends there.
fn edge() -> usize {
    let area = map(2 * PAGE);
    unsafe {
        std::ptr::write_bytes(area, b'a', PAGE);
        must(libc::mprotect(area.add(PAGE).cast(), PAGE, libc::PROT_NONE));
    }
    area as usize + PAGE - 1
}

/// Four pages for whatever else a call wants.
fn good() -> usize {
    static PAGES: OnceLock<usize> = OnceLock::new();
    *PAGES.get_or_init(|| map(4 * PAGE) as usize)
}

fn call(row: &Row, bad: usize) -> Result<usize, i32> {
    let good = good();
    unsafe { std::ptr::write_bytes(good as *mut u8, 0, 4 * PAGE) };
    let mut arguments = [0; 6];
    for (place, &argument) in arguments.iter_mut().zip(row.1) {
        *place = match argument {
            BAD => bad,
            GOOD => good,
            FILE => c"file".as_ptr() as usize,
            LINK => c"link".as_ptr() as usize,
            OTHER => c"other".as_ptr() as usize,
            value => value,
        };
    }
    if row.2 == OfChild {
        fork(|| 0);
    }
    raw(row.0 as usize, arguments)
}

/// Tries a row with every pointer, in a process of its own; what was wrong goes to `wrong`.
fn check(row: &Row, wrong: *mut u64) {
    run(|| {
        unsafe { libc::alarm(20) };
        prepare();
        let refused = |answer: Result<usize, i32>| matches!(answer, Err(libc::EFAULT | libc::ENOSYS));
        let note = |pointer: usize, answer: Result<usize, i32>| unsafe {
            wrong.write_volatile(pointer as u64);
            wrong.add(1).write_volatile(answer.map_or_else(|error| -i64::from(error) as u64, |value| value as u64));
            wrong.add(2).write_volatile(1);
        };
        // All that is mapped comes before what is unmapped, which would otherwise be mapped again.
        let (edge, read_only) =
            (edge(), map_as(PAGE, libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize);
        good();
        for pointer in wild() {
            let answer = call(row, pointer);
            if !refused(answer) {
                note(pointer, answer);
            }
        }
        let answer = call(row, edge);
        let short = row.2 == Partly && answer.is_ok_and(|count| count <= 1);
        if !refused(answer) && !short {
            note(edge, answer);
        }
        if row.2 != Reads && row.2 != Partly {
            let answer = call(row, read_only);
            if !refused(answer) {
                note(read_only, answer);
            }
        }
        unsafe { wrong.add(3).write_volatile(1) };
        0
    });
}

fn check_all(rows: &[Row]) {
    let notes = shared(PAGE).cast::<u64>();
    let mut complaints = String::new();
    for row in rows {
        unsafe { std::ptr::write_bytes(notes, 0, 4) };
        check(row, notes);
        let found = unsafe { [notes.read_volatile(), notes.add(1).read_volatile(), notes.add(2).read_volatile()] };
        if found[2] != 0 {
            complaints += &format!("call {} {:x?} with {:#x} answered {}; ", row.0, row.1, found[0], found[1] as i64);
        } else if unsafe { notes.add(3).read_volatile() } == 0 {
            complaints += &format!("call {} {:x?} did not come back; ", row.0, row.1);
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

fn paths() {
    check_all(&[
        (libc::SYS_open, &[BAD, 0], Reads),
        (libc::SYS_openat, &[HERE, BAD, 0], Reads),
        (libc::SYS_openat2, &[HERE, BAD, GOOD, 24], Reads),
        (libc::SYS_creat, &[BAD, 0o600], Reads),
        (libc::SYS_stat, &[BAD, GOOD], Reads),
        (libc::SYS_lstat, &[BAD, GOOD], Reads),
        (libc::SYS_newfstatat, &[HERE, BAD, GOOD, 0], Reads),
        (libc::SYS_statx, &[HERE, BAD, 0, 0x7ff, GOOD], Reads),
        (libc::SYS_access, &[BAD, 0], Reads),
        (libc::SYS_faccessat, &[HERE, BAD, 0], Reads),
        (libc::SYS_faccessat2, &[HERE, BAD, 0, 0], Reads),
        (libc::SYS_readlink, &[BAD, GOOD, 10], Reads),
        (libc::SYS_readlinkat, &[HERE, BAD, GOOD, 10], Reads),
        (libc::SYS_chdir, &[BAD], Reads),
        (libc::SYS_chroot, &[BAD], Reads),
        (libc::SYS_mkdir, &[BAD, 0o700], Reads),
        (libc::SYS_mkdirat, &[HERE, BAD, 0o700], Reads),
        (libc::SYS_rmdir, &[BAD], Reads),
        (libc::SYS_unlink, &[BAD], Reads),
        (libc::SYS_unlinkat, &[HERE, BAD, 0], Reads),
        (libc::SYS_rename, &[BAD, OTHER], Reads),
        (libc::SYS_rename, &[FILE, BAD], Reads),
        (libc::SYS_renameat, &[HERE, BAD, HERE, OTHER], Reads),
        (libc::SYS_renameat2, &[HERE, FILE, HERE, BAD, 0], Reads),
        (libc::SYS_link, &[BAD, OTHER], Reads),
        (libc::SYS_link, &[FILE, BAD], Reads),
        (libc::SYS_linkat, &[HERE, FILE, HERE, BAD, 0], Reads),
        (libc::SYS_symlink, &[BAD, OTHER], Reads),
        (libc::SYS_symlink, &[FILE, BAD], Reads),
        (libc::SYS_symlinkat, &[FILE, HERE, BAD], Reads),
        (libc::SYS_mknod, &[BAD, 0o100_600, 0], Reads),
        (libc::SYS_mknodat, &[HERE, BAD, 0o100_600, 0], Reads),
        (libc::SYS_chmod, &[BAD, 0o600], Reads),
        (libc::SYS_fchmodat, &[HERE, BAD, 0o600], Reads),
        (libc::SYS_chown, &[BAD, 0, 0], Reads),
        (libc::SYS_lchown, &[BAD, 0, 0], Reads),
        (libc::SYS_fchownat, &[HERE, BAD, 0, 0, 0], Reads),
        (libc::SYS_truncate, &[BAD, 0], Reads),
        (libc::SYS_utime, &[BAD, 0], Reads),
        (libc::SYS_utimes, &[BAD, 0], Reads),
        (libc::SYS_utimensat, &[HERE, BAD, 0, 0], Reads),
        (libc::SYS_statfs, &[BAD, GOOD], Reads),
        (libc::SYS_execve, &[BAD, 0, 0], Reads),
        (libc::SYS_execveat, &[HERE, BAD, 0, 0, 0], Reads),
        (libc::SYS_mount, &[FILE, BAD, FILE, 0, 0], Reads),
        (libc::SYS_mount, &[BAD, FILE, FILE, 0, 0], Reads),
        (libc::SYS_mount, &[FILE, FILE, BAD, 0, 0], Reads),
        (libc::SYS_umount2, &[BAD, 0], Reads),
        (libc::SYS_memfd_create, &[BAD, 0], Reads),
    ]);
}

fn buffers_that_are_read() {
    check_all(&[
        (libc::SYS_write, &[PLAIN, BAD, 10], Partly),
        (libc::SYS_write, &[SINK, BAD, 10], Reads),
        (libc::SYS_write, &[TERMINAL, BAD, 10], Partly),
        (libc::SYS_write, &[EVENT, BAD, 8], Reads),
        (libc::SYS_pwrite64, &[PLAIN, BAD, 10, 0], Partly),
        (libc::SYS_sethostname, &[BAD, 4], Reads),
        (libc::SYS_setdomainname, &[BAD, 4], Reads),
        (libc::SYS_setgroups, &[2, BAD], Reads),
        (libc::SYS_prctl, &[libc::PR_SET_NAME as usize, BAD], Reads),
    ]);
}

fn buffers_that_are_written() {
    check_all(&[
        (libc::SYS_read, &[PLAIN, BAD, 10], Partly),
        (libc::SYS_read, &[SOURCE, BAD, 10], Writes),
        (libc::SYS_read, &[EVENT, BAD, 8], Writes),
        (libc::SYS_pread64, &[PLAIN, BAD, 10, 0], Partly),
        (libc::SYS_readlink, &[LINK, BAD, 10], Writes),
        (libc::SYS_readlinkat, &[HERE, LINK, BAD, 10], Writes),
        (libc::SYS_getcwd, &[BAD, 4096], Writes),
        (libc::SYS_getdents64, &[FOLDER, BAD, 1000], Writes),
        (libc::SYS_getdents, &[FOLDER, BAD, 1000], Writes),
        (libc::SYS_getrandom, &[BAD, 64, 0], Partly),
        (libc::SYS_getgroups, &[10, BAD], Writes),
        (libc::SYS_mincore, &[GOOD, 4 * 4096, BAD], Writes),
        (libc::SYS_prctl, &[libc::PR_GET_NAME as usize, BAD], Writes),
        (libc::SYS_syslog, &[3, BAD, 500], Writes),
    ]);
}

fn structures_that_are_read() {
    let set = libc::TCSETS as usize;
    let size = libc::TIOCSWINSZ as usize;
    let rows: [Row; 14] = [
        (libc::SYS_openat2, &[HERE, FILE, BAD, 24], Reads),
        (libc::SYS_poll, &[BAD, 1, 0], Reads),
        (libc::SYS_ppoll, &[0, 0, BAD, 0, 8], Reads),
        (libc::SYS_ppoll, &[0, 0, GOOD, BAD, 8], Reads),
        (libc::SYS_select, &[1, BAD, 0, 0, GOOD], Reads),
        (libc::SYS_select, &[1, 0, BAD, 0, GOOD], Reads),
        (libc::SYS_select, &[0, 0, 0, 0, BAD], Reads),
        (libc::SYS_pselect6, &[0, 0, 0, 0, BAD, 0], Reads),
        (libc::SYS_pselect6, &[0, 0, 0, 0, GOOD, BAD], Reads),
        (libc::SYS_epoll_ctl, &[EPOLL, 1, EVENT, BAD], Reads),
        (libc::SYS_epoll_pwait, &[EPOLL, GOOD, 1, 0, BAD, 8], Reads),
        (libc::SYS_fcntl, &[PLAIN, libc::F_SETLK as usize, BAD], Reads),
        (libc::SYS_fcntl, &[PLAIN, libc::F_GETLK as usize, BAD], Reads),
        (libc::SYS_sendfile, &[PLAIN, PLAIN, BAD, 1], Reads),
    ];
    check_all(&rows);
    // Constants of a type that no table can hold.
    let leaked = |arguments: Vec<usize>| -> &'static [usize] { Vec::leak(arguments) };
    check_all(&[
        (libc::SYS_ioctl, leaked(vec![TERMINAL, set, BAD]), Reads),
        (libc::SYS_ioctl, leaked(vec![TERMINAL, size, BAD]), Reads),
    ]);
}

fn structures_that_are_written() {
    let leaked = |arguments: Vec<usize>| -> &'static [usize] { Vec::leak(arguments) };
    check_all(&[
        (libc::SYS_stat, &[FILE, BAD], Writes),
        (libc::SYS_lstat, &[FILE, BAD], Writes),
        (libc::SYS_fstat, &[PLAIN, BAD], Writes),
        (libc::SYS_newfstatat, &[HERE, FILE, BAD, 0], Writes),
        (libc::SYS_statx, &[HERE, FILE, 0, 0x7ff, BAD], Writes),
        (libc::SYS_statfs, &[FILE, BAD], Writes),
        (libc::SYS_fstatfs, &[PLAIN, BAD], Writes),
        (libc::SYS_pipe, &[BAD], Writes),
        (libc::SYS_pipe2, &[BAD, 0], Writes),
        (libc::SYS_epoll_wait, &[EPOLL, BAD, 1, 0], Writes),
        (libc::SYS_uname, &[BAD], Writes),
        (libc::SYS_sysinfo, &[BAD], Writes),
        (libc::SYS_ioctl, leaked(vec![TERMINAL, libc::TCGETS as usize, BAD]), Writes),
        (libc::SYS_ioctl, leaked(vec![TERMINAL, libc::TIOCGWINSZ as usize, BAD]), Writes),
        (libc::SYS_ioctl, leaked(vec![SOURCE, libc::FIONREAD as usize, BAD]), Writes),
        (libc::SYS_arch_prctl, &[0x1003, BAD], Writes),
        (libc::SYS_arch_prctl, &[0x1004, BAD], Writes),
        (libc::SYS_getcpu, &[BAD, 0, 0], Writes),
        (libc::SYS_get_robust_list, &[0, BAD, GOOD], Writes),
        (libc::SYS_get_robust_list, &[0, GOOD, BAD], Writes),
    ]);
}

fn structures_of_signals_and_time() {
    let own: &'static [usize] = Vec::leak(vec![unsafe { libc::getpid() } as usize, 10, BAD]);
    check_all(&[
        (libc::SYS_rt_sigaction, &[10, BAD, 0, 8], Reads),
        (libc::SYS_rt_sigaction, &[10, 0, BAD, 8], Writes),
        (libc::SYS_rt_sigprocmask, &[0, BAD, 0, 8], Reads),
        (libc::SYS_rt_sigprocmask, &[0, 0, BAD, 8], Writes),
        (libc::SYS_rt_sigpending, &[BAD, 8], Writes),
        (libc::SYS_rt_sigtimedwait, &[BAD, 0, GOOD, 8], Reads),
        (libc::SYS_rt_sigtimedwait, &[GOOD, 0, BAD, 8], Reads),
        (libc::SYS_rt_sigsuspend, &[BAD, 8], Reads),
        (libc::SYS_rt_sigqueueinfo, own, Reads),
        (libc::SYS_sigaltstack, &[BAD, 0], Reads),
        (libc::SYS_sigaltstack, &[0, BAD], Writes),
        (libc::SYS_nanosleep, &[BAD, 0], Reads),
        (libc::SYS_clock_nanosleep, &[1, 0, BAD, 0], Reads),
        (libc::SYS_clock_gettime, &[1, BAD], Writes),
        (libc::SYS_clock_getres, &[1, BAD], Writes),
        (libc::SYS_clock_settime, &[0, BAD], Reads),
        (libc::SYS_gettimeofday, &[BAD, 0], Writes),
        (libc::SYS_gettimeofday, &[0, BAD], Writes),
        (libc::SYS_settimeofday, &[BAD, 0], Reads),
        (libc::SYS_time, &[BAD], Writes),
        (libc::SYS_times, &[BAD], Writes),
        (libc::SYS_getitimer, &[0, BAD], Writes),
        (libc::SYS_setitimer, &[0, BAD, 0], Reads),
        (libc::SYS_setitimer, &[0, GOOD, BAD], Writes),
        (libc::SYS_timer_create, &[1, BAD, GOOD], Reads),
        (libc::SYS_timer_create, &[1, 0, BAD], Writes),
        (libc::SYS_timerfd_settime, &[TIMER, 0, BAD, 0], Reads),
        (libc::SYS_timerfd_settime, &[TIMER, 0, GOOD, BAD], Writes),
        (libc::SYS_timerfd_gettime, &[TIMER, BAD], Writes),
        (libc::SYS_utimensat, &[HERE, FILE, BAD, 0], Reads),
        (libc::SYS_utimes, &[FILE, BAD], Reads),
        (libc::SYS_utime, &[FILE, BAD], Reads),
    ]);
}

fn structures_of_identity() {
    check_all(&[
        (libc::SYS_getresuid, &[BAD, GOOD, GOOD], Writes),
        (libc::SYS_getresuid, &[GOOD, BAD, GOOD], Writes),
        (libc::SYS_getresuid, &[GOOD, GOOD, BAD], Writes),
        (libc::SYS_getresgid, &[GOOD, GOOD, BAD], Writes),
        (libc::SYS_capget, &[BAD, GOOD], Reads),
        (libc::SYS_capset, &[BAD, GOOD], Reads),
        (libc::SYS_getrlimit, &[0, BAD], Writes),
        (libc::SYS_setrlimit, &[0, BAD], Reads),
        (libc::SYS_prlimit64, &[0, 7, BAD, 0], Reads),
        (libc::SYS_prlimit64, &[0, 7, 0, BAD], Writes),
        (libc::SYS_getrusage, &[0, BAD], Writes),
        (libc::SYS_sched_setaffinity, &[0, 8, BAD], Reads),
        (libc::SYS_sched_getaffinity, &[0, 8, BAD], Writes),
        (libc::SYS_sched_getparam, &[0, BAD], Writes),
        (libc::SYS_sched_setscheduler, &[0, 0, BAD], Reads),
        (libc::SYS_sched_rr_get_interval, &[0, BAD], Writes),
        (libc::SYS_prctl, &[libc::PR_GET_PDEATHSIG as usize, BAD], Writes),
    ]);
}

fn status_of_children() {
    check_all(&[
        (libc::SYS_wait4, &[MINUS, BAD, 0, 0], OfChild),
        (libc::SYS_wait4, &[MINUS, 0, 0, BAD], OfChild),
        (libc::SYS_waitid, &[0, 0, BAD, 4, 0], OfChild),
        (libc::SYS_waitid, &[0, 0, 0, 4, BAD], OfChild),
    ]);
}

fn vectors() {
    check_all(&[
        (libc::SYS_readv, &[PLAIN, BAD, 1], Reads),
        (libc::SYS_writev, &[PLAIN, BAD, 1], Reads),
        (libc::SYS_preadv, &[PLAIN, BAD, 1, 0], Reads),
        (libc::SYS_pwritev, &[PLAIN, BAD, 1, 0], Reads),
        (libc::SYS_readv, &[SOURCE, BAD, 1], Reads),
        (libc::SYS_writev, &[SINK, BAD, 1], Reads),
    ]);
    // A good vector with a bad part: what precedes it counts.
    run_vector();
}

fn run_vector() {
    prepare();
    let good = good();
    for bad in wild() {
        let parts = [[good, 5], [bad, 5]];
        let answer = raw(libc::SYS_writev as usize, [PLAIN, parts.as_ptr() as usize, 2, 0, 0, 0]);
        assert!(matches!(answer, Ok(5) | Err(libc::EFAULT)), "{bad:#x}: {answer:?}");
        let parts = [[bad, 5], [good, 5]];
        let answer = raw(libc::SYS_writev as usize, [PLAIN, parts.as_ptr() as usize, 2, 0, 0, 0]);
        assert_eq!(answer, Err(libc::EFAULT), "{bad:#x}");
    }
}

/// Lengths that wrap, or that no memory has.
fn lengths_beyond_everything() {
    prepare();
    let page = map(PAGE) as usize;
    for length in [usize::MAX, isize::MAX as usize, 1 << 47, 1 << 62] {
        for (number, descriptor) in [(libc::SYS_read, PLAIN), (libc::SYS_write, PLAIN)] {
            let answer = raw(number as usize, [descriptor, page, length, 0, 0, 0]);
            assert!(answer.is_err() || answer.is_ok_and(|count| count <= PAGE), "{number} {length:#x}: {answer:?}");
        }
        let parts = [[page, length], [page, length]];
        for number in [libc::SYS_readv, libc::SYS_writev] {
            let answer = raw(number as usize, [PLAIN, parts.as_ptr() as usize, 2, 0, 0, 0]);
            assert!(answer.is_err() || answer.is_ok_and(|count| count <= PAGE), "{number} {length:#x}: {answer:?}");
        }
        let answer = raw(libc::SYS_getcwd as usize, [page, length, 0, 0, 0, 0]);
        assert!(answer.is_ok() || answer == Err(libc::EFAULT));
    }
}
