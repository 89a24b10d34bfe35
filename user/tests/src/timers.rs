//! Clocks and timers: alarm, setitimer, POSIX timers, sleeping, timerfd.
use crate::call::{errno, must};
use crate::child::{End, handle, run};
use crate::sys;
use std::mem::zeroed;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

crate::tests!(
    alarm_rings,
    alarm_tells_what_was_left,
    alarm_kills_without_a_handler,
    interval_timer_repeats,
    interval_timer_reads_back,
    virtual_timer_counts_processor_time,
    posix_timer_signals,
    posix_timer_overruns,
    posix_timer_at_an_absolute_time,
    posix_timers_end_with_exec_and_delete,
    timer_descriptor,
    sleep_is_never_short,
    absolute_sleep,
    sleep_rejects_nonsense,
    monotonic_never_runs_backwards,
    clocks_agree_with_system_calls,
    clocks_of_all_kinds,
    clock_resolution,
    process_clock_counts_processor_time,
    time_can_be_set_by_root_only,
);

static COUNT: AtomicI32 = AtomicI32::new(0);

extern "C" fn count(_: i32) {
    COUNT.fetch_add(1, Ordering::SeqCst);
}

fn counted() -> i32 {
    COUNT.load(Ordering::SeqCst)
}

fn count_signal(signal: i32) {
    handle(signal, count as *const () as usize, libc::SA_RESTART);
}

fn until_counted(number: i32) {
    crate::child::until(|| counted() >= number);
}

fn alarm_rings() {
    count_signal(libc::SIGALRM);
    let start = Instant::now();
    unsafe { libc::alarm(1) };
    unsafe { libc::pause() };
    assert_eq!(counted(), 1);
    assert!((950..20_000).contains(&start.elapsed().as_millis()));
}

fn alarm_tells_what_was_left() {
    assert_eq!(unsafe { libc::alarm(100) }, 0);
    assert!((98..=100).contains(&unsafe { libc::alarm(50) }));
    assert!((48..=50).contains(&unsafe { libc::alarm(0) }));
    assert_eq!(unsafe { libc::alarm(0) }, 0);
}

fn alarm_kills_without_a_handler() {
    let end = run(|| {
        interval(libc::ITIMER_REAL, 10, 0);
        unsafe { libc::pause() }
    });
    assert_eq!(end, End::Signal(libc::SIGALRM));
}

fn interval(which: libc::c_int, first: i64, then: i64) {
    let time = |milliseconds: i64| libc::timeval { tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000 };
    let value = libc::itimerval { it_interval: time(then), it_value: time(first) };
    must(unsafe { libc::setitimer(which, &value, std::ptr::null_mut()) });
}

fn interval_timer_repeats() {
    count_signal(libc::SIGALRM);
    let start = Instant::now();
    interval(libc::ITIMER_REAL, 20, 20);
    until_counted(5);
    assert!(start.elapsed() >= Duration::from_millis(95));
    interval(libc::ITIMER_REAL, 0, 0);
    let last = counted();
    crate::child::sleep(50);
    assert_eq!(counted(), last);
}

fn interval_timer_reads_back() {
    interval(libc::ITIMER_REAL, 100_000, 7_000);
    let mut value: libc::itimerval = unsafe { zeroed() };
    must(unsafe { libc::getitimer(libc::ITIMER_REAL, &mut value) });
    assert_eq!(value.it_interval.tv_sec, 7);
    assert!((98..=100).contains(&value.it_value.tv_sec));
    let wrong = libc::itimerval { it_value: libc::timeval { tv_sec: 0, tv_usec: 1_000_000 }, ..value };
    assert_eq!(errno(unsafe { libc::setitimer(libc::ITIMER_REAL, &wrong, std::ptr::null_mut()) }), libc::EINVAL);
    assert_eq!(sys!(libc::SYS_setitimer, 7, &raw const value, 0), Err(libc::EINVAL));
}

fn virtual_timer_counts_processor_time() {
    count_signal(libc::SIGVTALRM);
    interval(libc::ITIMER_VIRTUAL, 30, 0);
    crate::child::sleep(100);
    assert_eq!(counted(), 0, "sleep does not count");
    let start = Instant::now();
    while counted() == 0 && start.elapsed() < Duration::from_secs(20) {
        std::hint::spin_loop();
    }
    assert_eq!(counted(), 1);
}

static VALUE: AtomicUsize = AtomicUsize::new(0);

extern "C" fn note(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let info = unsafe { &*info };
    if info.si_code == libc::SI_TIMER {
        VALUE.store(unsafe { info.si_value().sival_ptr } as usize, Ordering::SeqCst);
    }
    COUNT.fetch_add(1, Ordering::SeqCst);
}

fn timer(clock: libc::clockid_t, signal: i32, value: usize) -> libc::timer_t {
    unsafe {
        let mut event: libc::sigevent = zeroed();
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = signal;
        event.sigev_value.sival_ptr = value as *mut libc::c_void;
        let mut timer = zeroed();
        must(libc::timer_create(clock, &mut event, &mut timer));
        timer
    }
}

fn time(duration: Duration) -> libc::timespec {
    libc::timespec { tv_sec: duration.as_secs() as i64, tv_nsec: duration.subsec_nanos().into() }
}

fn arm(timer: libc::timer_t, flags: i32, first: Duration, then: Duration) {
    let value = libc::itimerspec { it_interval: time(then), it_value: time(first) };
    must(unsafe { libc::timer_settime(timer, flags, &value, std::ptr::null_mut()) });
}

fn posix_timer_signals() {
    handle(41, note as *const () as usize, libc::SA_SIGINFO);
    let timer = timer(libc::CLOCK_MONOTONIC, 41, 0xabcdef);
    arm(timer, 0, Duration::from_millis(20), Duration::from_millis(10));
    until_counted(3);
    assert_eq!(VALUE.load(Ordering::SeqCst), 0xabcdef);
    let mut value: libc::itimerspec = unsafe { zeroed() };
    must(unsafe { libc::timer_gettime(timer, &mut value) });
    assert_eq!(value.it_interval.tv_nsec, 10_000_000);
    assert!(value.it_value.tv_nsec <= 10_000_000);
}

fn posix_timer_overruns() {
    handle(41, note as *const () as usize, libc::SA_SIGINFO);
    let timer = timer(libc::CLOCK_MONOTONIC, 41, 1);
    unsafe {
        let mut set = zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, 41);
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        arm(timer, 0, Duration::from_millis(5), Duration::from_millis(5));
        crate::child::sleep(100);
        libc::sigprocmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
    }
    assert!(counted() >= 1);
    let overruns = must(unsafe { libc::timer_getoverrun(timer) });
    assert!(overruns > 0 || counted() > 1, "one signal stands for all that was missed: {overruns}");
}

fn now(clock: libc::clockid_t) -> Duration {
    let mut value: libc::timespec = unsafe { zeroed() };
    must(unsafe { libc::clock_gettime(clock, &mut value) });
    Duration::new(value.tv_sec as u64, value.tv_nsec as u32)
}

fn posix_timer_at_an_absolute_time() {
    for clock in [libc::CLOCK_MONOTONIC, libc::CLOCK_REALTIME] {
        COUNT.store(0, Ordering::SeqCst);
        count_signal(libc::SIGUSR1);
        let at = now(clock) + Duration::from_millis(30);
        arm(timer(clock, libc::SIGUSR1, 0), libc::TIMER_ABSTIME, at, Duration::ZERO);
        until_counted(1);
        assert!(now(clock) >= at);
    }
}

fn posix_timers_end_with_exec_and_delete() {
    count_signal(libc::SIGUSR1);
    let timer = timer(libc::CLOCK_MONOTONIC, libc::SIGUSR1, 0);
    arm(timer, 0, Duration::from_millis(20), Duration::ZERO);
    must(unsafe { libc::timer_delete(timer) });
    crate::child::sleep(40);
    assert_eq!(counted(), 0);
    assert_eq!(sys!(libc::SYS_timer_delete, 0x7fff_0000), Err(libc::EINVAL));
    let mut id = 0;
    assert_eq!(sys!(libc::SYS_timer_create, 12345, 0, &raw mut id), Err(libc::EINVAL));
}

fn timer_descriptor() {
    let descriptor = must(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK) });
    let mut expirations = 0u64;
    let read = |expirations: &mut u64| unsafe { libc::read(descriptor, std::ptr::from_mut(expirations).cast(), 8) };
    assert_eq!(errno(read(&mut expirations) as i64), libc::EAGAIN);
    let value =
        libc::itimerspec { it_interval: time(Duration::from_millis(10)), it_value: time(Duration::from_millis(10)) };
    must(unsafe { libc::timerfd_settime(descriptor, 0, &value, std::ptr::null_mut()) });
    let mut entry = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    assert_eq!(unsafe { libc::poll(&mut entry, 1, 5000) }, 1);
    crate::child::sleep(45);
    assert_eq!(read(&mut expirations), 8);
    assert!(expirations >= 4, "{expirations}");
    assert_eq!(errno(unsafe { libc::write(descriptor, (&raw const expirations).cast(), 8) } as i64), libc::EINVAL);
}

fn sleep_is_never_short() {
    for microseconds in [0, 1, 50, 500, 5_000, 20_000] {
        let (start, wanted) = (Instant::now(), Duration::from_micros(microseconds));
        must(unsafe { libc::nanosleep(&time(wanted), std::ptr::null_mut()) });
        assert!(start.elapsed() >= wanted, "{:?} instead of {wanted:?}", start.elapsed());
    }
}

fn absolute_sleep() {
    for clock in [libc::CLOCK_MONOTONIC, libc::CLOCK_REALTIME, libc::CLOCK_BOOTTIME] {
        let at = now(clock) + Duration::from_millis(20);
        assert_eq!(unsafe { libc::clock_nanosleep(clock, libc::TIMER_ABSTIME, &time(at), std::ptr::null_mut()) }, 0);
        assert!(now(clock) >= at);
        let past = time(Duration::from_secs(1));
        assert_eq!(unsafe { libc::clock_nanosleep(clock, libc::TIMER_ABSTIME, &past, std::ptr::null_mut()) }, 0);
    }
}

fn sleep_rejects_nonsense() {
    for (tv_sec, tv_nsec) in [(0, 1_000_000_000), (0, -1), (-1, 0)] {
        let wrong = libc::timespec { tv_sec, tv_nsec };
        assert_eq!(sys!(libc::SYS_nanosleep, &raw const wrong, 0), Err(libc::EINVAL));
    }
    let right = time(Duration::ZERO);
    assert_eq!(sys!(libc::SYS_clock_nanosleep, 77, 0, &raw const right, 0), Err(libc::EINVAL));
    assert_eq!(
        sys!(libc::SYS_clock_nanosleep, libc::CLOCK_THREAD_CPUTIME_ID, 0, &raw const right, 0),
        Err(libc::EOPNOTSUPP)
    );
}

fn monotonic_never_runs_backwards() {
    let latest = std::sync::Mutex::new(Duration::ZERO);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    let mut latest = latest.lock().unwrap();
                    let time = now(libc::CLOCK_MONOTONIC);
                    assert!(time >= *latest, "{time:?} after {latest:?}");
                    *latest = time;
                }
            });
        }
    });
}

/// The vDSO's answers lie between those of two system calls.
fn clocks_agree_with_system_calls() {
    let by_call = |clock: libc::clockid_t| {
        let mut value: libc::timespec = unsafe { zeroed() };
        sys!(libc::SYS_clock_gettime, clock, &raw mut value).unwrap();
        Duration::new(value.tv_sec as u64, value.tv_nsec as u32)
    };
    for clock in [libc::CLOCK_MONOTONIC, libc::CLOCK_REALTIME, libc::CLOCK_BOOTTIME, libc::CLOCK_MONOTONIC_RAW] {
        for _ in 0..2000 {
            let (before, between, after) = (by_call(clock), now(clock), by_call(clock));
            assert!(before <= between && between <= after, "clock {clock}: {before:?} {between:?} {after:?}");
        }
    }
    let (before, between, after) = (by_call(0), unsafe { libc::time(std::ptr::null_mut()) } as u64, by_call(0));
    assert!(before.as_secs() <= between + 1 && between <= after.as_secs(), "time(2) may be a tick late");
}

fn clocks_of_all_kinds() {
    for clock in (0..12).filter(|&clock| clock != 10) {
        now(clock);
    }
    let realtime = now(libc::CLOCK_REALTIME).as_secs();
    assert!(realtime > 1_600_000_000, "the year is after 2020: {realtime}");
    for (coarse, fine) in
        [(libc::CLOCK_MONOTONIC_COARSE, libc::CLOCK_MONOTONIC), (libc::CLOCK_REALTIME_COARSE, libc::CLOCK_REALTIME)]
    {
        // By the vDSO and by the call: never ahead, and standing still for a tick.
        let by_call = || {
            let mut value: libc::timespec = unsafe { zeroed() };
            sys!(libc::SYS_clock_gettime, coarse, &raw mut value).unwrap();
            Duration::new(value.tv_sec as u64, value.tv_nsec as u32)
        };
        let readings = [now(coarse), by_call(), now(coarse), by_call()];
        let after = now(fine);
        assert!(readings.is_sorted() && readings[3] <= after, "{readings:?} {after:?}");
        assert!(after - readings[0] < Duration::from_secs(1), "{readings:?} {after:?}");
        let mut steps = vec![now(coarse)];
        while steps.len() < 4 {
            let reading = now(coarse);
            if steps.last() != Some(&reading) {
                steps.push(reading);
            }
        }
        let whole_ticks = |pair: &[Duration]| pair[1] - pair[0] >= Duration::from_micros(900);
        assert!(steps.windows(2).all(whole_ticks), "{steps:?}");
    }
    assert_eq!(sys!(libc::SYS_clock_gettime, 99, 0), Err(libc::EINVAL));
}

fn clock_resolution() {
    let mut value: libc::timespec = unsafe { zeroed() };
    must(unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC, &mut value) });
    assert_eq!((value.tv_sec, value.tv_nsec), (0, 1));
    must(unsafe { libc::clock_getres(libc::CLOCK_REALTIME_COARSE, &mut value) });
    assert!([1_000_000, 4_000_000, 10_000_000].contains(&value.tv_nsec));
}

fn process_clock_counts_processor_time() {
    let before = now(libc::CLOCK_PROCESS_CPUTIME_ID);
    crate::child::sleep(100);
    let slept = now(libc::CLOCK_PROCESS_CPUTIME_ID) - before;
    assert!(slept < Duration::from_millis(80), "{slept:?}");
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(60) {
        std::hint::spin_loop();
    }
    assert!(now(libc::CLOCK_PROCESS_CPUTIME_ID) - before >= Duration::from_millis(20));
    assert!(now(libc::CLOCK_THREAD_CPUTIME_ID) >= Duration::from_millis(20));
}

fn time_can_be_set_by_root_only() {
    let value = time(now(libc::CLOCK_REALTIME));
    assert_eq!(sys!(libc::SYS_clock_settime, libc::CLOCK_MONOTONIC, &raw const value), Err(libc::EINVAL));
    let end = run(|| {
        unsafe { libc::setuid(1000) };
        sys!(libc::SYS_clock_settime, libc::CLOCK_REALTIME, &raw const value).err().unwrap_or(0)
    });
    assert_eq!(end, End::Exit(libc::EPERM));
}
