//! poll, select, epoll, eventfd, signalfd.
use crate::call::{errno, must};
use crate::child::{close, fork, pipe, sleep, until_asleep, wait};
use crate::sys;
use std::mem::zeroed;
use std::time::{Duration, Instant};

crate::tests!(
    poll_masks_of_a_pipe,
    poll_waits,
    poll_times_out,
    poll_ignores_negative_descriptors,
    poll_reports_closed_descriptors,
    poll_of_a_regular_file,
    poll_limits,
    poll_with_a_mask,
    select_reports_all_three,
    select_changes_its_sets,
    select_rejects_closed_descriptors,
    select_tells_the_time_left,
    many_descriptors,
    poll_of_many_kinds,
    select_beyond_words,
    epoll_one_shot_is_told_again,
    event_counter,
    event_semaphore,
    event_counter_overflows,
    event_counter_wakes,
    epoll_level,
    epoll_edge,
    epoll_one_shot,
    epoll_control,
    epoll_inside_epoll,
    epoll_forgets_closed_files,
    epoll_wakes,
    signal_descriptor,
);

fn poll(entries: &mut [libc::pollfd], milliseconds: i32) -> i32 {
    unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as u64, milliseconds) }
}

fn entry(fd: i32, events: i16) -> libc::pollfd {
    libc::pollfd { fd, events, revents: 0 }
}

fn put(descriptor: i32) {
    assert_eq!(unsafe { libc::write(descriptor, c"x".as_ptr().cast(), 1) }, 1);
}

fn take(descriptor: i32) {
    let mut byte = 0u8;
    assert_eq!(unsafe { libc::read(descriptor, (&raw mut byte).cast(), 1) }, 1);
}

const ALL: i16 = libc::POLLIN | libc::POLLOUT | libc::POLLRDNORM | libc::POLLWRNORM | libc::POLLPRI;

fn revents(descriptor: i32) -> i16 {
    let mut entries = [entry(descriptor, ALL)];
    let count = poll(&mut entries, 0);
    assert_eq!(count, i32::from(entries[0].revents != 0));
    entries[0].revents
}

fn poll_masks_of_a_pipe() {
    let (source, sink) = pipe();
    assert_eq!((revents(source), revents(sink)), (0, libc::POLLOUT | libc::POLLWRNORM));
    put(sink);
    assert_eq!(revents(source), libc::POLLIN | libc::POLLRDNORM);
    close(sink);
    assert_eq!(revents(source), libc::POLLIN | libc::POLLRDNORM | libc::POLLHUP);
    take(source);
    assert_eq!(revents(source), libc::POLLHUP);
    let (source, sink) = pipe();
    close(source);
    assert_eq!(revents(sink), libc::POLLOUT | libc::POLLWRNORM | libc::POLLERR);
}

fn poll_waits() {
    let (source, sink) = pipe();
    let own = unsafe { libc::getpid() };
    let child = fork(|| {
        until_asleep(own);
        put(sink);
        0
    });
    let mut entries = [entry(source, libc::POLLIN)];
    assert_eq!(poll(&mut entries, -1), 1);
    assert_eq!(entries[0].revents, libc::POLLIN);
    wait(child);
}

fn poll_times_out() {
    let (source, _sink) = pipe();
    let start = Instant::now();
    assert_eq!(poll(&mut [entry(source, libc::POLLIN)], 40), 0);
    assert!((40..10_000).contains(&start.elapsed().as_millis()));
    let start = Instant::now();
    assert_eq!(poll(&mut [], 20), 0, "a sleep");
    assert!(start.elapsed() >= Duration::from_millis(20));
}

fn poll_ignores_negative_descriptors() {
    let mut entries = [libc::pollfd { fd: -1, events: ALL, revents: 77 }];
    assert_eq!(poll(&mut entries, 0), 0);
    assert_eq!(entries[0].revents, 0);
}

fn poll_reports_closed_descriptors() {
    assert_eq!(revents(400), libc::POLLNVAL);
    assert_eq!(poll(&mut [entry(400, 0)], -1), 1, "even where nothing is asked for");
}

fn poll_of_a_regular_file() {
    let file = must(unsafe { libc::open(c"file".as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600) });
    assert_eq!(revents(file), libc::POLLIN | libc::POLLOUT | libc::POLLRDNORM | libc::POLLWRNORM);
}

fn poll_limits() {
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &libc::rlimit { rlim_cur: 600, rlim_max: 1024 }) };
    let mut entries = vec![entry(-1, 0); 601];
    assert_eq!(errno(poll(&mut entries, 0)), libc::EINVAL);
    entries.pop();
    assert_eq!(poll(&mut entries, 0), 0);
    let wrong = libc::timespec { tv_sec: 0, tv_nsec: -5 };
    assert_eq!(sys!(libc::SYS_ppoll, 0, 0, &raw const wrong, 0, 8), Err(libc::EINVAL));
}

fn poll_with_a_mask() {
    extern "C" fn handler(_: i32) {}
    crate::child::handle(libc::SIGUSR1, handler as *const () as usize, 0);
    unsafe {
        let mut set = zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGUSR1);
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        libc::raise(libc::SIGUSR1);
        libc::sigemptyset(&mut set);
        assert_eq!(errno(libc::ppoll(std::ptr::null_mut(), 0, std::ptr::null(), &set)), libc::EINTR);
        libc::sigprocmask(libc::SIG_BLOCK, std::ptr::null(), &mut set);
        assert_eq!(libc::sigismember(&set, libc::SIGUSR1), 1);
    }
}

fn set(descriptors: &[i32]) -> libc::fd_set {
    unsafe {
        let mut set = zeroed();
        libc::FD_ZERO(&mut set);
        descriptors.iter().for_each(|&descriptor| libc::FD_SET(descriptor, &mut set));
        set
    }
}

fn select_reports_all_three() {
    let (source, sink) = pipe();
    put(sink);
    let (mut read, mut write, mut except) = (set(&[source]), set(&[sink]), set(&[source, sink]));
    let mut time = libc::timeval { tv_sec: 0, tv_usec: 0 };
    assert_eq!(unsafe { libc::select(100, &mut read, &mut write, &mut except, &mut time) }, 2);
    unsafe {
        assert!(libc::FD_ISSET(source, &read) && libc::FD_ISSET(sink, &write));
        assert!(!libc::FD_ISSET(source, &except) && !libc::FD_ISSET(sink, &except));
    }
}

fn select_changes_its_sets() {
    let ((first, sink), (second, _sink)) = (pipe(), pipe());
    put(sink);
    let mut read = set(&[first, second]);
    let none = std::ptr::null_mut();
    assert_eq!(unsafe { libc::select(100, &mut read, none, none, std::ptr::null_mut()) }, 1);
    unsafe { assert!(libc::FD_ISSET(first, &read) && !libc::FD_ISSET(second, &read)) };
    let mut read = set(&[first, second]);
    assert_eq!(
        unsafe { libc::select(first, &mut read, none, none, &mut zeroed()) },
        0,
        "only those below the first argument"
    );
}

fn select_rejects_closed_descriptors() {
    let mut read = set(&[400]);
    let none = std::ptr::null_mut();
    assert_eq!(errno(unsafe { libc::select(401, &mut read, none, none, &mut zeroed()) }), libc::EBADF);
    assert_eq!(errno(unsafe { libc::select(-1, none, none, none, &mut zeroed()) }), libc::EINVAL);
    let mut wrong = libc::timeval { tv_sec: -1, tv_usec: 0 };
    assert_eq!(errno(unsafe { libc::select(0, none, none, none, &mut wrong) }), libc::EINVAL);
}

fn select_tells_the_time_left() {
    let (source, sink) = pipe();
    put(sink);
    let mut read = set(&[source]);
    let none = std::ptr::null_mut();
    let mut time = libc::timeval { tv_sec: 50, tv_usec: 0 };
    assert_eq!(unsafe { libc::select(source + 1, &mut read, none, none, &mut time) }, 1);
    assert!((45..=50).contains(&time.tv_sec));
    let mut time = libc::timeval { tv_sec: 0, tv_usec: 10_000 };
    assert_eq!(unsafe { libc::select(0, none, none, none, &mut time) }, 0);
    assert_eq!((time.tv_sec, time.tv_usec), (0, 0));
}

fn many_descriptors() {
    let pipes: Vec<_> = (0..200).map(|_| pipe()).collect();
    let mut entries: Vec<_> = pipes.iter().map(|&(source, _)| entry(source, libc::POLLIN)).collect();
    for index in [0, 57, 199] {
        put(pipes[index].1);
        assert_eq!(poll(&mut entries, -1), 1);
        assert_eq!(entries[index].revents, libc::POLLIN);
        take(pipes[index].0);
    }
}

/// So many that not all are looked at together: ready, idle, closed and none, each time the same answers, and each answer written.
fn poll_of_many_kinds() {
    let pipes: Vec<(i32, i32)> = (0..25).map(|_| pipe()).collect();
    let closed = pipes[24].0;
    close(closed);
    let mut entries: Vec<libc::pollfd> = pipes.iter().map(|&(source, _)| entry(source, libc::POLLIN)).collect();
    entries.insert(7, entry(-1, libc::POLLIN));
    entries.extend(pipes.iter().map(|&(_, sink)| entry(sink, libc::POLLIN)));
    for ready in [vec![], vec![0], vec![3, 16, 17, 23]] {
        ready.iter().for_each(|&index: &usize| put(pipes[index].1));
        // What was there before is replaced, whatever it is.
        entries.iter_mut().zip(0..).for_each(|(entry, number)| entry.revents = [0, 1, -1][number % 3]);
        let count = poll(&mut entries, 0);
        // The last pipe's reader is gone: its writer sees an error, though it asked for something else.
        assert_eq!(count as usize, ready.len() + 2);
        let expected = |fd: i32| match pipes.iter().position(|&(source, _)| source == fd) {
            Some(24) => libc::POLLNVAL,
            Some(index) if ready.contains(&index) => libc::POLLIN,
            None if fd == pipes[24].1 => libc::POLLERR,
            _ => 0,
        };
        entries.iter().for_each(|entry| assert_eq!(entry.revents, expected(entry.fd), "{}", entry.fd));
        ready.iter().for_each(|&index| take(pipes[index].0));
    }
    // Nothing is ready: one of the last comes to be.
    let mut entries: Vec<libc::pollfd> = pipes[..24].iter().map(|&(source, _)| entry(source, libc::POLLIN)).collect();
    let child = fork(|| {
        sleep(30);
        put(pipes[22].1);
        0
    });
    assert_eq!(poll(&mut entries, -1), 1);
    assert_eq!(entries.iter().position(|entry| entry.revents != 0), Some(22));
    wait(child);
}

/// More than four words of descriptors; bits beyond the count are neither asked nor answered.
fn select_beyond_words() {
    let (source, sink) = pipe();
    let places = [5, 63, 64, 130, 300, 511, 512, 700];
    let places: Vec<i32> = places.into_iter().filter(|&place| place > sink).collect();
    places.iter().for_each(|&place| assert_eq!(unsafe { libc::dup2(source, place) }, place));
    assert_eq!(unsafe { libc::dup2(sink, 600) }, 600);
    let mut none = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let mut select = |count, reading: &mut libc::fd_set, writing: &mut libc::fd_set| unsafe {
        libc::select(count, reading, writing, std::ptr::null_mut(), &mut none)
    };
    let members =
        |set: &libc::fd_set| -> Vec<i32> { (0..1024).filter(|&fd| unsafe { libc::FD_ISSET(fd, set) }).collect() };
    let (mut reading, mut writing) = (set(&places), set(&[600]));
    assert_eq!(select(701, &mut reading, &mut writing), 1);
    assert_eq!((members(&reading), members(&writing)), (vec![], vec![600]));
    put(sink);
    let (mut reading, mut writing) = (set(&places), set(&[600]));
    assert_eq!(select(701, &mut reading, &mut writing), places.len() as i32 + 1);
    assert_eq!((members(&reading), members(&writing)), (places.clone(), vec![600]));
    // Up to 511: its own word is only asked in part, the ones above are left as they are.
    let (mut reading, mut writing) = (set(&places), set(&[600]));
    let below: Vec<i32> = places.iter().copied().filter(|&place| place < 511).collect();
    assert_eq!(select(511, &mut reading, &mut writing), below.len() as i32);
    assert_eq!(members(&reading).into_iter().filter(|&fd| fd < 511).collect::<Vec<_>>(), below);
}

/// A change that comes before the interest does is found when the interest comes.
fn epoll_one_shot_is_told_again() {
    let set = epoll();
    let (source, sink) = pipe();
    control(set, libc::EPOLL_CTL_ADD, source, libc::EPOLLIN | libc::EPOLLONESHOT, 1).unwrap();
    for round in 2..200 {
        put(sink);
        assert_eq!(ready(set, -1), [(libc::EPOLLIN as u32, round - 1)]);
        put(sink);
        assert_eq!(ready(set, 0), []);
        control(set, libc::EPOLL_CTL_MOD, source, libc::EPOLLIN | libc::EPOLLONESHOT, round).unwrap();
        assert_eq!(ready(set, -1), [(libc::EPOLLIN as u32, round)]);
        take(source);
        take(source);
        control(set, libc::EPOLL_CTL_MOD, source, libc::EPOLLIN | libc::EPOLLONESHOT, round).unwrap();
    }
}

fn counter(initial: u32, flags: i32) -> i32 {
    must(unsafe { libc::eventfd(initial, flags) })
}

fn add(descriptor: i32, value: u64) -> Result<usize, i32> {
    sys!(libc::SYS_write, descriptor, &raw const value, 8)
}

fn read_counter(descriptor: i32) -> Result<u64, i32> {
    let mut value = 0u64;
    sys!(libc::SYS_read, descriptor, &raw mut value, 8).map(|_| value)
}

fn event_counter() {
    let event = counter(3, libc::EFD_NONBLOCK);
    assert_eq!(add(event, 4), Ok(8));
    assert_eq!(revents(event), libc::POLLIN | libc::POLLOUT);
    assert_eq!(read_counter(event), Ok(7));
    assert_eq!(read_counter(event), Err(libc::EAGAIN));
    assert_eq!(revents(event), libc::POLLOUT);
    let small = 0u32;
    assert_eq!(sys!(libc::SYS_write, event, &raw const small, 4), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_read, event, &raw const small, 4), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_eventfd2, 0, 0x10), Err(libc::EINVAL));
}

fn event_semaphore() {
    let event = counter(2, libc::EFD_NONBLOCK | libc::EFD_SEMAPHORE);
    assert_eq!([read_counter(event), read_counter(event), read_counter(event)], [Ok(1), Ok(1), Err(libc::EAGAIN)]);
}

fn event_counter_overflows() {
    let event = counter(1, libc::EFD_NONBLOCK);
    assert_eq!(add(event, u64::MAX), Err(libc::EINVAL));
    assert_eq!(add(event, u64::MAX - 1), Err(libc::EAGAIN));
    assert_eq!(add(event, u64::MAX - 2), Ok(8));
    assert_eq!(revents(event), libc::POLLIN);
}

fn event_counter_wakes() {
    let event = counter(0, 0);
    let child = fork(|| {
        sleep(20);
        i32::from(add(event, 5) != Ok(8))
    });
    assert_eq!(read_counter(event), Ok(5));
    wait(child);
}

fn epoll() -> i32 {
    must(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

fn control(epoll: i32, operation: i32, descriptor: i32, events: i32, data: u64) -> Result<usize, i32> {
    let event = libc::epoll_event { events: events as u32, u64: data };
    sys!(libc::SYS_epoll_ctl, epoll, operation, descriptor, &raw const event)
}

fn ready(epoll: i32, milliseconds: i32) -> Vec<(u32, u64)> {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 16];
    let count = must(unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), 16, milliseconds) });
    events[..count as usize].iter().map(|event| (event.events, event.u64)).collect()
}

const IN: u32 = libc::EPOLLIN as u32;

fn epoll_level() {
    let (epoll, (source, sink)) = (epoll(), pipe());
    control(epoll, libc::EPOLL_CTL_ADD, source, libc::EPOLLIN, 42).unwrap();
    assert_eq!(ready(epoll, 0), []);
    put(sink);
    assert_eq!(ready(epoll, -1), [(IN, 42)]);
    assert_eq!(ready(epoll, -1), [(IN, 42)]);
    take(source);
    assert_eq!(ready(epoll, 10), []);
    close(sink);
    assert_eq!(ready(epoll, -1), [(libc::EPOLLHUP as u32, 42)]);
}

fn epoll_edge() {
    let (epoll, (source, sink)) = (epoll(), pipe());
    control(epoll, libc::EPOLL_CTL_ADD, source, libc::EPOLLIN | libc::EPOLLET, 1).unwrap();
    put(sink);
    assert_eq!(ready(epoll, -1), [(IN, 1)]);
    assert_eq!(ready(epoll, 0), []);
    put(sink);
    assert_eq!(ready(epoll, -1), [(IN, 1)], "each write is an edge");
}

fn epoll_one_shot() {
    let (epoll, (source, sink)) = (epoll(), pipe());
    control(epoll, libc::EPOLL_CTL_ADD, source, libc::EPOLLIN | libc::EPOLLONESHOT, 1).unwrap();
    put(sink);
    assert_eq!(ready(epoll, -1), [(IN, 1)]);
    put(sink);
    assert_eq!(ready(epoll, 0), []);
    control(epoll, libc::EPOLL_CTL_MOD, source, libc::EPOLLIN | libc::EPOLLONESHOT, 2).unwrap();
    assert_eq!(ready(epoll, -1), [(IN, 2)]);
}

fn epoll_control() {
    let (epoll, (source, _sink)) = (epoll(), pipe());
    assert_eq!(control(epoll, libc::EPOLL_CTL_MOD, source, 0, 0), Err(libc::ENOENT));
    assert_eq!(control(epoll, libc::EPOLL_CTL_DEL, source, 0, 0), Err(libc::ENOENT));
    control(epoll, libc::EPOLL_CTL_ADD, source, 0, 0).unwrap();
    assert_eq!(control(epoll, libc::EPOLL_CTL_ADD, source, 0, 0), Err(libc::EEXIST));
    assert_eq!(control(epoll, libc::EPOLL_CTL_ADD, epoll, 0, 0), Err(libc::EINVAL));
    assert_eq!(control(epoll, libc::EPOLL_CTL_ADD, 400, 0, 0), Err(libc::EBADF));
    assert_eq!(control(source, libc::EPOLL_CTL_ADD, source, 0, 0), Err(libc::EINVAL));
    assert_eq!(control(epoll, 77, source, 0, 0), Err(libc::EINVAL));
    let file = must(unsafe { libc::open(c"file".as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600) });
    assert_eq!(control(epoll, libc::EPOLL_CTL_ADD, file, 0, 0), Err(libc::EPERM));
    assert_eq!(sys!(libc::SYS_epoll_wait, epoll, 8, 0, 0), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_epoll_create, 0), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_epoll_create1, 1), Err(libc::EINVAL));
}

fn epoll_inside_epoll() {
    let (outer, inner, (source, sink)) = (epoll(), epoll(), pipe());
    control(inner, libc::EPOLL_CTL_ADD, source, libc::EPOLLIN, 1).unwrap();
    control(outer, libc::EPOLL_CTL_ADD, inner, libc::EPOLLIN, 2).unwrap();
    assert_eq!(ready(outer, 0), []);
    put(sink);
    assert_eq!(ready(outer, -1), [(IN, 2)]);
    assert_eq!(revents(outer) & libc::POLLIN, libc::POLLIN);
    assert_eq!(control(inner, libc::EPOLL_CTL_ADD, outer, libc::EPOLLIN, 3), Err(libc::ELOOP));
}

fn epoll_forgets_closed_files() {
    let (epoll, (source, sink)) = (epoll(), pipe());
    control(epoll, libc::EPOLL_CTL_ADD, source, libc::EPOLLIN, 1).unwrap();
    put(sink);
    close(source);
    assert_eq!(ready(epoll, 0), []);
}

fn epoll_wakes() {
    let (epoll, (source, sink)) = (epoll(), pipe());
    control(epoll, libc::EPOLL_CTL_ADD, source, libc::EPOLLIN, 9).unwrap();
    let own = unsafe { libc::getpid() };
    let child = fork(|| {
        until_asleep(own);
        put(sink);
        0
    });
    assert_eq!(ready(epoll, -1), [(IN, 9)]);
    wait(child);
    take(source);
    let start = Instant::now();
    assert_eq!(ready(epoll, 30), []);
    assert!(start.elapsed() >= Duration::from_millis(30));
}

fn signal_descriptor() {
    unsafe {
        let mut set = zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGUSR1);
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        let descriptor = must(libc::signalfd(-1, &set, libc::SFD_NONBLOCK));
        assert_eq!(revents(descriptor), 0);
        libc::raise(libc::SIGUSR1);
        assert_eq!(revents(descriptor), libc::POLLIN);
        let mut info: libc::signalfd_siginfo = zeroed();
        assert_eq!(libc::read(descriptor, (&raw mut info).cast(), 128), 128);
        assert_eq!((info.ssi_signo, info.ssi_pid), (libc::SIGUSR1 as u32, libc::getpid() as u32));
        assert_eq!(errno(libc::read(descriptor, (&raw mut info).cast(), 128) as i64), libc::EAGAIN);
    }
}
