//! Pipes and FIFOs.
use crate::call::{errno, must};
use crate::child::{End, PAGE, close, fork, handle, pipe, run, sleep, until_asleep, wait};
use crate::sys;

crate::tests!(
    bytes_come_in_order,
    end_of_file,
    read_gives_what_is_there,
    empty_read_and_write,
    broken_pipe_signal,
    broken_pipe_error,
    non_blocking_read,
    non_blocking_write,
    non_blocking_write_is_whole_or_nothing,
    small_writes_are_atomic,
    a_megabyte,
    capacity,
    capacity_limits,
    bytes_waiting,
    wrong_ends,
    no_seeking,
    packets,
    vectors,
    flags_of_pipe2,
    readers_share,
    ends_keep_each_other_by_dup,
    reader_leaves_a_waiting_writer,
    fifo_opening_meets,
    fifo_without_waiting,
    fifo_for_both,
    fifo_loses_its_bytes,
    named_in_proc,
    opened_again,
    status_of_a_pipe,
    two_processes_play,
);

fn write(descriptor: i32, bytes: &[u8]) -> isize {
    unsafe { libc::write(descriptor, bytes.as_ptr().cast(), bytes.len()) }
}

fn read(descriptor: i32, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let count = must(unsafe { libc::read(descriptor, bytes.as_mut_ptr().cast(), length) } as i64);
    bytes.truncate(count as usize);
    bytes
}

fn non_blocking() -> (i32, i32) {
    let mut ends = [0; 2];
    must(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK) });
    (ends[0], ends[1])
}

fn bytes_come_in_order() {
    let (source, sink) = pipe();
    for number in 0..1000u32 {
        assert_eq!(write(sink, &number.to_le_bytes()), 4);
    }
    let bytes = read(source, 4000);
    assert!(bytes.chunks(4).enumerate().all(|(number, bytes)| bytes == (number as u32).to_le_bytes()));
}

fn end_of_file() {
    let (source, sink) = pipe();
    write(sink, b"last");
    close(sink);
    assert_eq!(read(source, 100), b"last");
    assert_eq!(read(source, 100), b"");
    assert_eq!(read(source, 100), b"");
}

fn read_gives_what_is_there() {
    let (source, sink) = pipe();
    write(sink, b"abc");
    assert_eq!(read(source, 100), b"abc");
    write(sink, b"defghi");
    assert_eq!(read(source, 4), b"defg");
    assert_eq!(read(source, 4), b"hi");
}

fn empty_read_and_write() {
    let (source, sink) = pipe();
    assert_eq!(unsafe { libc::read(source, std::ptr::null_mut(), 0) }, 0, "does not wait");
    assert_eq!(write(sink, b""), 0);
}

fn broken_pipe_signal() {
    let end = run(|| {
        let (source, sink) = pipe();
        close(source);
        write(sink, b"x") as i32
    });
    assert_eq!(end, End::Signal(libc::SIGPIPE));
}

fn broken_pipe_error() {
    handle(libc::SIGPIPE, libc::SIG_IGN, 0);
    let (source, sink) = pipe();
    close(source);
    assert_eq!(errno(write(sink, b"x") as i64), libc::EPIPE);
}

fn non_blocking_read() {
    let (source, sink) = non_blocking();
    let mut byte = 0u8;
    assert_eq!(errno(unsafe { libc::read(source, (&raw mut byte).cast(), 1) } as i64), libc::EAGAIN);
    close(sink);
    assert_eq!(unsafe { libc::read(source, (&raw mut byte).cast(), 1) }, 0);
}

fn non_blocking_write() {
    let (source, sink) = non_blocking();
    assert_eq!(write(sink, &[1; 100_000]), 65536);
    assert_eq!(errno(write(sink, b"x") as i64), libc::EAGAIN);
    assert_eq!(read(source, 4096).len(), 4096);
    assert_eq!(write(sink, &[2; 100_000]), 4096);
}

fn non_blocking_write_is_whole_or_nothing() {
    let (source, sink) = non_blocking();
    write(sink, &[1; 65536]);
    read(source, 2000);
    assert_eq!(errno(write(sink, &[2; 4096]) as i64), libc::EAGAIN, "no part of an atomic write");
    assert_eq!(unsafe { bytes(source) }, 63536);
}

unsafe fn bytes(descriptor: i32) -> i32 {
    let mut count = 0;
    must(unsafe { libc::ioctl(descriptor, libc::FIONREAD, &mut count) });
    count
}

fn small_writes_are_atomic() {
    let (source, sink) = pipe();
    let writers: Vec<i32> = (1..5u8)
        .map(|letter| {
            fork(|| {
                let message = [letter; 1000];
                i32::from(!(0..300).all(|_| write(sink, &message) == 1000))
            })
        })
        .collect();
    close(sink);
    let mut all = Vec::new();
    loop {
        let part = read(source, 70_000);
        if part.is_empty() {
            break;
        }
        all.extend(part);
    }
    assert_eq!(all.len(), 4 * 300 * 1000);
    assert!(all.chunks(1000).all(|message| message.iter().all(|byte| *byte == message[0])));
    writers.into_iter().for_each(|writer| assert_eq!(wait(writer), End::Exit(0)));
}

fn a_megabyte() {
    let (source, sink) = pipe();
    let bytes: Vec<u8> = (0..1u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let writer = fork(|| i32::from(write(sink, &bytes) != 1 << 20));
    close(sink);
    let mut received = Vec::new();
    loop {
        let part = read(source, 10_007);
        if part.is_empty() {
            break;
        }
        received.extend(part);
    }
    assert!(received == bytes);
    assert_eq!(wait(writer), End::Exit(0));
}

fn capacity() {
    let (source, sink) = pipe();
    assert_eq!(unsafe { libc::fcntl(source, libc::F_GETPIPE_SZ) }, 65536);
    assert_eq!(unsafe { libc::fcntl(sink, libc::F_SETPIPE_SZ, 5000) }, 8192);
    assert_eq!(unsafe { libc::fcntl(source, libc::F_GETPIPE_SZ) }, 8192);
    must(unsafe { libc::fcntl(sink, libc::F_SETFL, libc::O_NONBLOCK) });
    assert_eq!(write(sink, &[0; 10_000]), 8192);
    assert_eq!(errno(unsafe { libc::fcntl(sink, libc::F_SETPIPE_SZ, 4096) }), libc::EBUSY);
    assert_eq!(unsafe { libc::fcntl(sink, libc::F_SETPIPE_SZ, 1 << 20) }, 1 << 20);
    assert_eq!(write(sink, &vec![0; 2 << 20]), (1 << 20) - 8192);
}

fn capacity_limits() {
    let (_source, sink) = pipe();
    assert_eq!(unsafe { libc::fcntl(sink, libc::F_SETPIPE_SZ, 0) }, 4096);
    assert_eq!(sys!(libc::SYS_fcntl, sink, libc::F_SETPIPE_SZ, 0x8000_0001u32), Err(libc::EINVAL));
    let end = run(|| unsafe {
        libc::setuid(1000);
        errno(libc::fcntl(sink, libc::F_SETPIPE_SZ, 2 << 20))
    });
    assert_eq!(end, End::Exit(libc::EPERM));
}

fn bytes_waiting() {
    let (source, sink) = pipe();
    assert_eq!(unsafe { bytes(source) }, 0);
    write(sink, &[0; 5000]);
    write(sink, b"more");
    assert_eq!(unsafe { (bytes(source), bytes(sink)) }, (5004, 5004));
}

fn wrong_ends() {
    let (source, sink) = pipe();
    let mut byte = 0u8;
    assert_eq!(errno(write(source, b"x") as i64), libc::EBADF);
    assert_eq!(errno(unsafe { libc::read(sink, (&raw mut byte).cast(), 1) } as i64), libc::EBADF);
}

fn no_seeking() {
    let (source, sink) = pipe();
    assert_eq!(errno(unsafe { libc::lseek(source, 0, libc::SEEK_CUR) }), libc::ESPIPE);
    let mut byte = 0u8;
    assert_eq!(errno(unsafe { libc::pread(source, (&raw mut byte).cast(), 1, 0) } as i64), libc::ESPIPE);
    assert_eq!(errno(unsafe { libc::ftruncate(sink, 0) }), libc::EINVAL);
    assert_eq!(errno(unsafe { libc::fsync(sink) }), libc::EINVAL);
    let map = sys!(libc::SYS_mmap, 0, PAGE, libc::PROT_READ, libc::MAP_PRIVATE, source, 0);
    assert_eq!(map, Err(libc::ENODEV));
}

fn packets() {
    let mut ends = [0; 2];
    must(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_DIRECT) });
    write(ends[1], b"first");
    write(ends[1], b"second");
    assert_eq!(read(ends[0], 3), b"fir");
    assert_eq!(read(ends[0], 100), b"second");
}

fn vectors() {
    let (source, sink) = pipe();
    let (first, second) = (b"hello ", b"world");
    let parts = [
        libc::iovec { iov_base: first.as_ptr().cast_mut().cast(), iov_len: 6 },
        libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 },
        libc::iovec { iov_base: second.as_ptr().cast_mut().cast(), iov_len: 5 },
    ];
    assert_eq!(unsafe { libc::writev(sink, parts.as_ptr(), 3) }, 11);
    let (mut left, mut right) = ([0u8; 4], [0u8; 100]);
    let parts = [
        libc::iovec { iov_base: left.as_mut_ptr().cast(), iov_len: 4 },
        libc::iovec { iov_base: right.as_mut_ptr().cast(), iov_len: 100 },
    ];
    assert_eq!(unsafe { libc::readv(source, parts.as_ptr(), 2) }, 11);
    assert_eq!((&left, &right[..7]), (b"hell", &b"o world"[..]));
    assert_eq!(sys!(libc::SYS_readv, source, parts.as_ptr(), 1025), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_readv, source, parts.as_ptr(), -1i32), Err(libc::EINVAL));
}

fn flags_of_pipe2() {
    let mut ends = [0; 2];
    must(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) });
    for (end, access) in [(ends[0], libc::O_RDONLY), (ends[1], libc::O_WRONLY)] {
        assert_eq!(unsafe { libc::fcntl(end, libc::F_GETFD) }, libc::FD_CLOEXEC);
        assert_eq!(unsafe { libc::fcntl(end, libc::F_GETFL) }, libc::O_NONBLOCK | access);
    }
    assert_eq!(sys!(libc::SYS_pipe2, ends.as_mut_ptr(), libc::O_APPEND), Err(libc::EINVAL));
}

fn readers_share() {
    let (source, sink) = pipe();
    let readers: Vec<i32> = (0..4)
        .map(|_| {
            fork(|| {
                close(sink);
                let mut sum = 0;
                loop {
                    let part = read(source, 1);
                    if part.is_empty() {
                        return sum;
                    }
                    sum += 1;
                }
            })
        })
        .collect();
    (0..100).for_each(|_| {
        write(sink, b"x");
    });
    close(sink);
    let sum: i32 = readers
        .into_iter()
        .map(|reader| match wait(reader) {
            End::Exit(sum) => sum,
            End::Signal(_) => 1000,
        })
        .sum();
    assert_eq!(sum, 100);
}

fn ends_keep_each_other_by_dup() {
    let (source, sink) = pipe();
    let second = must(unsafe { libc::dup(sink) });
    close(sink);
    write(second, b"x");
    assert_eq!(read(source, 10), b"x");
    close(second);
    assert_eq!(read(source, 10), b"");
}

fn reader_leaves_a_waiting_writer() {
    let (source, sink) = pipe();
    let writer = fork(|| {
        close(source);
        write(sink, &[0; 100_000]) as i32
    });
    until_asleep(writer);
    close(source);
    assert_eq!(wait(writer), End::Signal(libc::SIGPIPE));
}

fn fifo() {
    must(unsafe { libc::mkfifo(c"fifo".as_ptr(), 0o600) });
}

fn open(flags: i32) -> i32 {
    unsafe { libc::open(c"fifo".as_ptr(), flags) }
}

fn fifo_opening_meets() {
    fifo();
    let writer = fork(|| {
        let sink = open(libc::O_WRONLY);
        i32::from(write(sink, b"through a name") != 14)
    });
    until_asleep(writer);
    let source = must(open(libc::O_RDONLY));
    assert_eq!(wait(writer), End::Exit(0));
    assert_eq!(read(source, 100), b"through a name");
    assert_eq!(read(source, 100), b"");
}

fn fifo_without_waiting() {
    fifo();
    assert_eq!(errno(open(libc::O_WRONLY | libc::O_NONBLOCK)), libc::ENXIO);
    let source = must(open(libc::O_RDONLY | libc::O_NONBLOCK));
    assert_eq!(read(source, 1), b"", "nobody has it open for writing");
    let mut entry = libc::pollfd { fd: source, events: libc::POLLIN, revents: 0 };
    assert_eq!(unsafe { libc::poll(&mut entry, 1, 0) }, 0, "no hang-up before the first writer");
    let sink = must(open(libc::O_WRONLY | libc::O_NONBLOCK));
    close(sink);
    assert_eq!(unsafe { libc::poll(&mut entry, 1, 0) }, 1);
    assert_eq!(entry.revents, libc::POLLHUP);
}

fn fifo_for_both() {
    fifo();
    let both = must(open(libc::O_RDWR));
    write(both, b"self");
    assert_eq!(read(both, 10), b"self");
}

fn fifo_loses_its_bytes() {
    fifo();
    let both = must(open(libc::O_RDWR));
    write(both, b"lost");
    close(both);
    let source = must(open(libc::O_RDONLY | libc::O_NONBLOCK));
    assert_eq!(read(source, 10), b"");
}

fn named_in_proc() {
    let (source, sink) = pipe();
    let name = |end: i32| std::fs::read_link(format!("/proc/self/fd/{end}")).unwrap().to_str().unwrap().to_owned();
    assert!(name(source).starts_with("pipe:["));
    assert_eq!(name(source), name(sink));
}

fn opened_again() {
    let (reading, writing) = pipe();
    assert_eq!(unsafe { libc::write(writing, c"left".as_ptr().cast(), 4) }, 4);
    close(writing);
    // Without a writer: a FIFO would wait for one here.
    assert_eq!(std::fs::read(format!("/proc/self/fd/{reading}")).unwrap(), b"left");
}

fn status_of_a_pipe() {
    let (source, _sink) = pipe();
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    must(unsafe { libc::fstat(source, &mut status) });
    assert_eq!(
        (status.st_mode, status.st_blksize, status.st_size, status.st_nlink),
        (libc::S_IFIFO | 0o600, 4096, 0, 1)
    );
}

fn two_processes_play() {
    let ((there, ping), (back, pong)) = (pipe(), pipe());
    let child = fork(|| {
        close(ping);
        for _ in 0..5000 {
            let byte = read(there, 1);
            write(pong, &byte);
        }
        0
    });
    for number in 0..5000u32 {
        write(ping, &[number as u8]);
        assert_eq!(read(back, 1), [number as u8]);
    }
    assert_eq!(wait(child), End::Exit(0));
    sleep(0);
}
