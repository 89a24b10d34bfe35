//! Descriptors: numbers, duplicates, flags, limits.
use crate::call::{errno, must};
use crate::child::{End, close, fork, pipe, run, wait};
use crate::sys;

crate::tests!(
    lowest_number_first,
    dup_shares_the_offset,
    dup2_closes_and_keeps,
    dup3_flags,
    duplicate_from_a_number_on,
    close_on_exec_is_of_the_descriptor,
    status_flags_are_of_the_file,
    bad_descriptors,
    limit_of_descriptors,
    close_range_closes_and_marks,
    unknown_commands,
    path_descriptors,
    proc_lists_descriptors,
    reopening_through_proc,
    record_locks,
    whole_file_locks,
    locks_that_wait,
    non_blocking_by_ioctl,
);

fn file(flags: i32) -> i32 {
    must(unsafe { libc::open(c"file".as_ptr(), flags | libc::O_RDWR | libc::O_CREAT, 0o600) })
}

fn lowest_number_first() {
    let (first, second, third) = (file(0), file(0), file(0));
    assert!(first < second && second < third);
    close(first);
    close(second);
    assert_eq!((file(0), file(0)), (first, second));
}

fn dup_shares_the_offset() {
    let first = file(0);
    let second = must(unsafe { libc::dup(first) });
    unsafe { libc::write(first, c"hello".as_ptr().cast(), 5) };
    assert_eq!(unsafe { libc::lseek(second, 0, libc::SEEK_CUR) }, 5);
    assert_eq!(unsafe { libc::lseek(file(0), 0, libc::SEEK_CUR) }, 0, "another opening has its own");
}

fn dup2_closes_and_keeps() {
    let (source, sink) = pipe();
    let first = file(0);
    assert_eq!(unsafe { libc::dup2(first, sink) }, sink);
    let mut byte = 0u8;
    assert_eq!(unsafe { libc::read(source, (&raw mut byte).cast(), 1) }, 0, "the pipe's writing end is closed");
    assert_eq!(unsafe { libc::dup2(first, first) }, first);
    assert_eq!(errno(unsafe { libc::dup2(400, 400) }), libc::EBADF);
    assert_eq!(errno(unsafe { libc::dup2(400, first) }), libc::EBADF);
    assert_eq!(unsafe { libc::fcntl(first, libc::F_GETFD) }, 0, "and the target stays open");
    assert_eq!(errno(unsafe { libc::dup2(first, -1) }), libc::EBADF);
    assert_eq!(errno(unsafe { libc::dup2(first, 1 << 30) }), libc::EBADF);
}

fn dup3_flags() {
    let first = file(0);
    assert_eq!(unsafe { libc::dup3(first, 77, libc::O_CLOEXEC) }, 77);
    assert_eq!(unsafe { libc::fcntl(77, libc::F_GETFD) }, libc::FD_CLOEXEC);
    assert_eq!(errno(unsafe { libc::dup3(first, first, 0) }), libc::EINVAL);
    assert_eq!(errno(unsafe { libc::dup3(first, 78, libc::O_NONBLOCK) }), libc::EINVAL);
}

fn duplicate_from_a_number_on() {
    let first = file(0);
    assert_eq!(unsafe { libc::fcntl(first, libc::F_DUPFD, 100) }, 100);
    assert_eq!(unsafe { libc::fcntl(first, libc::F_DUPFD_CLOEXEC, 100) }, 101);
    assert_eq!(unsafe { libc::fcntl(101, libc::F_GETFD) }, libc::FD_CLOEXEC);
    assert_eq!(errno(unsafe { libc::fcntl(first, libc::F_DUPFD, 1 << 30) }), libc::EINVAL);
    assert_eq!(errno(unsafe { libc::fcntl(first, libc::F_DUPFD, -1) }), libc::EINVAL);
}

fn close_on_exec_is_of_the_descriptor() {
    let first = file(libc::O_CLOEXEC);
    assert_eq!(unsafe { libc::fcntl(first, libc::F_GETFD) }, libc::FD_CLOEXEC);
    let second = must(unsafe { libc::dup(first) });
    assert_eq!(unsafe { libc::fcntl(second, libc::F_GETFD) }, 0);
    must(unsafe { libc::fcntl(second, libc::F_SETFD, libc::FD_CLOEXEC) });
    must(unsafe { libc::fcntl(first, libc::F_SETFD, 0) });
    assert_eq!(unsafe { libc::fcntl(second, libc::F_GETFD) }, libc::FD_CLOEXEC);
}

fn status_flags_are_of_the_file() {
    let first = file(libc::O_APPEND);
    let second = must(unsafe { libc::dup(first) });
    let large = 0o100_000;
    assert_eq!(unsafe { libc::fcntl(first, libc::F_GETFL) }, libc::O_RDWR | libc::O_APPEND | large);
    must(unsafe { libc::fcntl(second, libc::F_SETFL, libc::O_NONBLOCK | libc::O_WRONLY | libc::O_CREAT) });
    assert_eq!(
        unsafe { libc::fcntl(first, libc::F_GETFL) },
        libc::O_RDWR | libc::O_NONBLOCK | large,
        "access and creation stay as they were"
    );
}

fn bad_descriptors() {
    let mut byte = [0u8; 512];
    let at = byte.as_mut_ptr();
    for descriptor in [-1, 400, i32::MAX, i32::MIN] {
        for number in [
            libc::SYS_read,
            libc::SYS_write,
            libc::SYS_pread64,
            libc::SYS_pwrite64,
            libc::SYS_fstat,
            libc::SYS_getdents64,
            libc::SYS_fstatfs,
        ] {
            assert_eq!(sys!(number, descriptor, at, 1, 0), Err(libc::EBADF), "call {number} on {descriptor}");
        }
        for number in [
            libc::SYS_close,
            libc::SYS_lseek,
            libc::SYS_ioctl,
            libc::SYS_fcntl,
            libc::SYS_dup,
            libc::SYS_fsync,
            libc::SYS_ftruncate,
            libc::SYS_fchdir,
            libc::SYS_fchmod,
            libc::SYS_fchown,
            libc::SYS_flock,
        ] {
            let third = if number == libc::SYS_flock { libc::LOCK_SH } else { 0 };
            assert_eq!(sys!(number, descriptor, third, 0), Err(libc::EBADF), "call {number} on {descriptor}");
        }
    }
}

fn limit_of_descriptors() {
    let limit = libc::rlimit { rlim_cur: 20, rlim_max: 1024 };
    must(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) });
    let opened: Vec<i32> =
        std::iter::repeat_with(|| unsafe { libc::dup(0) }).take_while(|&number| number >= 0).collect();
    assert_eq!(opened.last(), Some(&19));
    assert_eq!(errno(unsafe { libc::dup(0) }), libc::EMFILE);
    assert_eq!(errno(unsafe { libc::open(c".".as_ptr(), libc::O_RDONLY) }), libc::EMFILE);
    assert_eq!(errno(unsafe { libc::dup2(0, 20) }), libc::EBADF);
    close(7);
    assert_eq!(unsafe { libc::dup(0) }, 7);
}

fn close_range_closes_and_marks() {
    for number in 50..60 {
        must(unsafe { libc::dup2(0, number) });
    }
    assert_eq!(sys!(libc::SYS_close_range, 52, 54, 0), Ok(0));
    assert_eq!(sys!(libc::SYS_close_range, 56, 300, 4), Ok(0));
    let flags: Vec<i32> = (50..60).map(|number| unsafe { libc::fcntl(number, libc::F_GETFD) }).collect();
    assert_eq!(flags, [0, 0, -1, -1, -1, 0, 1, 1, 1, 1]);
    assert_eq!(sys!(libc::SYS_close_range, 60, 50, 0), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_close_range, 50, 60, 64), Err(libc::EINVAL));
}

fn unknown_commands() {
    let first = file(0);
    assert_eq!(sys!(libc::SYS_fcntl, first, 12345, 0), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_ioctl, first, 0x1234_5678, 0), Err(libc::ENOTTY));
    assert_eq!(errno(unsafe { libc::lseek(first, 0, 77) }), libc::EINVAL);
    assert_eq!(errno(unsafe { libc::lseek(first, -1, libc::SEEK_SET) }), libc::EINVAL);
}

fn path_descriptors() {
    close(file(0));
    let path = must(unsafe { libc::open(c"file".as_ptr(), libc::O_PATH) });
    let mut byte = 0u8;
    assert_eq!(errno(unsafe { libc::read(path, (&raw mut byte).cast(), 1) } as i64), libc::EBADF);
    assert_eq!(errno(unsafe { libc::fchmod(path, 0o644) }), libc::EBADF);
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    must(unsafe { libc::fstat(path, &mut status) });
    assert_eq!(status.st_mode, libc::S_IFREG | 0o600);
}

fn proc_lists_descriptors() {
    let numbers = || -> Vec<i32> {
        let entries = std::fs::read_dir("/proc/self/fd").unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect()
    };
    must(unsafe { libc::dup2(0, 77) });
    assert!(numbers().contains(&77));
    close(77);
    assert!(!numbers().contains(&77));
    let name = std::fs::read_link(format!("/proc/self/fd/{}", file(0))).unwrap();
    assert_eq!(name, std::env::current_dir().unwrap().join("file"));
}

fn reopening_through_proc() {
    std::fs::write("file", "contents").unwrap();
    let first = file(0);
    std::fs::remove_file("file").unwrap();
    assert_eq!(std::fs::read_to_string(format!("/proc/self/fd/{first}")).unwrap(), "contents");
    let name = std::fs::read_link(format!("/proc/self/fd/{first}")).unwrap();
    assert!(name.to_str().unwrap().ends_with("/file (deleted)"));
}

fn lock(descriptor: i32, command: i32, kind: i32, start: i64, length: i64) -> Result<libc::flock, i32> {
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_start, lock.l_len) = (kind as i16, start, length);
    sys!(libc::SYS_fcntl, descriptor, command, &raw mut lock).map(|_| lock)
}

fn record_locks() {
    let first = file(0);
    lock(first, libc::F_SETLK, libc::F_WRLCK, 10, 10).unwrap();
    lock(first, libc::F_SETLK, libc::F_RDLCK, 0, 5).unwrap();
    let own = unsafe { libc::getpid() };
    let end = run(|| {
        let taken = lock(first, libc::F_GETLK, libc::F_WRLCK, 15, 1).unwrap();
        assert_eq!((i32::from(taken.l_type), taken.l_start, taken.l_len, taken.l_pid), (libc::F_WRLCK, 10, 10, own));
        assert_eq!(lock(first, libc::F_SETLK, libc::F_RDLCK, 19, 1).err(), Some(libc::EAGAIN));
        assert_eq!(lock(first, libc::F_SETLK, libc::F_WRLCK, 4, 1).err(), Some(libc::EAGAIN));
        lock(first, libc::F_SETLK, libc::F_RDLCK, 0, 10).unwrap();
        lock(first, libc::F_SETLK, libc::F_WRLCK, 20, 0).unwrap();
        3
    });
    assert_eq!(end, End::Exit(3));
    lock(first, libc::F_SETLK, libc::F_WRLCK, 0, 0).unwrap();
    close(file(0));
    let end = run(|| i32::from(lock(first, libc::F_SETLK, libc::F_WRLCK, 0, 0).is_err()));
    assert_eq!(end, End::Exit(0), "closing any descriptor of the file gives up all locks");
}

fn whole_file_locks() {
    let (first, second) = (file(0), file(0));
    must(unsafe { libc::flock(first, libc::LOCK_EX) });
    assert_eq!(errno(unsafe { libc::flock(second, libc::LOCK_SH | libc::LOCK_NB) }), libc::EAGAIN);
    must(unsafe { libc::flock(first, libc::LOCK_SH) });
    must(unsafe { libc::flock(second, libc::LOCK_SH | libc::LOCK_NB) });
    assert_eq!(errno(unsafe { libc::flock(second, libc::LOCK_EX | libc::LOCK_NB) }), libc::EAGAIN);
    close(first);
    must(unsafe { libc::flock(second, libc::LOCK_EX | libc::LOCK_NB) });
    assert_eq!(errno(unsafe { libc::flock(second, 77) }), libc::EINVAL);
}

fn locks_that_wait() {
    let first = file(0);
    lock(first, libc::F_SETLK, libc::F_WRLCK, 0, 1).unwrap();
    let child = fork(|| i32::from(lock(first, libc::F_SETLKW, libc::F_WRLCK, 0, 1).is_err()));
    crate::child::until_asleep(child);
    lock(first, libc::F_SETLK, libc::F_UNLCK, 0, 1).unwrap();
    assert_eq!(wait(child), End::Exit(0));
}

fn non_blocking_by_ioctl() {
    let (source, _sink) = pipe();
    let on = 1;
    must(unsafe { libc::ioctl(source, libc::FIONBIO, &on) });
    assert_eq!(unsafe { libc::fcntl(source, libc::F_GETFL) }, libc::O_NONBLOCK);
    must(unsafe { libc::ioctl(source, libc::FIOCLEX) });
    assert_eq!(unsafe { libc::fcntl(source, libc::F_GETFD) }, libc::FD_CLOEXEC);
}
