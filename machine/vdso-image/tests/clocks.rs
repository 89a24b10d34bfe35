//! The functions, called; against the crate `time` by which the kernel answers.

mod loaded;

use loaded::*;
use proptest::prelude::*;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use time::{Clock, Moment, Timespec};
use vdso_image::{CPU_SOURCE_RDPID, CPU_SOURCE_SEGMENT, Contents};

fn clock_strategy() -> impl Strategy<Value = Clock> {
    // Bases before and after what the counter shows now.
    let base_cycles = prop_oneof![any::<u64>(), (0..1_u64 << 40).prop_map(|ago| cycles().wrapping_sub(ago))];
    let moment = || {
        let seconds = prop_oneof![0..4_000_000_000_u64, any::<u64>()];
        (any::<u64>(), seconds).prop_map(|(fraction, seconds)| Moment::from_words(fraction, seconds))
    };
    (any::<u64>(), base_cycles, moment(), moment(), -100..100_i32).prop_map(
        |(rate, base_cycles, monotonic, realtime, tai_offset)| Clock {
            rate,
            base_cycles,
            monotonic,
            realtime,
            tai_offset,
        },
    )
}

/// A clock like a machine's, which has run for a while.
fn usual() -> Clock {
    let clock = Clock::starting(2_345_678_901, cycles() - 77_000_000_000).unwrap();
    Clock {
        tai_offset: 37,
        ..clock.with_realtime(Timespec::new(1_700_000_000, 999_999_000).unwrap(), cycles()).unwrap()
    }
}

/// Asserts that `read` answers what `expected` says of some moment between its call and its return.
fn between<T: PartialOrd + std::fmt::Debug>(expected: impl Fn(u64) -> T, read: impl Fn() -> T) {
    let before = cycles();
    let answer = read();
    let (low, high) = (expected(before), expected(cycles()));
    // A clock that leaps over its end in these microseconds says nothing.
    assert!(low > high || low <= answer && answer <= high, "{answer:?} is not in {low:?} to {high:?}");
}

fn microseconds(time: Moment) -> [i64; 2] {
    [time.seconds(), time.microseconds() as i64]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_clock_shows_what_the_kernel_computes(clock in clock_strategy()) {
        let vdso = Loaded::with(&exact(clock));
        between(|now| clock.realtime(now).to_timespec(), || vdso.clock(REALTIME));
        between(|now| clock.realtime(now).to_coarse(), || vdso.clock(REALTIME_COARSE));
        between(|now| clock.tai(now).to_timespec(), || vdso.clock(TAI));
        for id in [MONOTONIC, MONOTONIC_RAW, BOOTTIME] {
            between(|now| clock.monotonic(now).to_timespec(), || vdso.clock(id));
        }
        between(|now| clock.monotonic(now).to_coarse(), || vdso.clock(MONOTONIC_COARSE));
        between(|now| microseconds(clock.realtime(now)), || vdso.time_of_day());
        between(|now| clock.realtime(now).seconds(), || vdso.seconds());
    }

    #[test]
    fn a_counter_before_the_base_reads_as_the_base(clock in clock_strategy(), ahead in 1_u64 << 40..1 << 60) {
        let clock = Clock { base_cycles: cycles().wrapping_add(ahead), ..clock };
        let vdso = Loaded::with(&exact(clock));
        prop_assert_eq!(vdso.clock(MONOTONIC), clock.monotonic.to_timespec());
        prop_assert_eq!(vdso.clock(REALTIME), clock.realtime.to_timespec());
        prop_assert_eq!(vdso.clock(TAI), clock.tai(clock.base_cycles).to_timespec());
    }
}

#[test]
fn coarse_clocks_show_the_last_tick() {
    let vdso = Loaded::with(&exact(usual()));
    for (coarse, fine) in [(REALTIME_COARSE, REALTIME), (MONOTONIC_COARSE, MONOTONIC)] {
        let mut last = Timespec::ZERO;
        for _ in 0..100_000 {
            let (exact, tick, later) = (vdso.clock(fine), vdso.clock(coarse), vdso.clock(fine));
            assert_eq!(u64::from(tick.nanoseconds()) % time::TICK_NS, 0);
            assert!(tick >= last && tick <= later, "{last:?} {tick:?} {later:?}");
            let behind = exact.saturating_sub(tick);
            assert!(behind < Timespec::from_ns(time::TICK_NS), "{exact:?} {tick:?}");
            last = tick;
        }
    }
}

#[test]
fn what_the_page_does_not_say_the_kernel_is_asked() {
    // The host's own clocks, by the system call: nothing like the page's.
    let kernel = |id: u32| {
        let mut time = [0_i64; 2];
        // SAFETY: the pointer is good.
        assert_eq!(unsafe { libc::syscall(libc::SYS_clock_gettime, id, &mut time) }, 0);
        Timespec::new(time[0], time[1]).unwrap()
    };
    let empty = Loaded::new();
    let all = [REALTIME, MONOTONIC, MONOTONIC_RAW, REALTIME_COARSE, MONOTONIC_COARSE, BOOTTIME, TAI];
    let without_page = [libc::CLOCK_PROCESS_CPUTIME_ID as u32, libc::CLOCK_THREAD_CPUTIME_ID as u32];
    for id in all.into_iter().chain(without_page) {
        let (before, answer, after) = (kernel(id), empty.clock(id), kernel(id));
        assert!(before <= answer && answer <= after, "clock {id}: {before:?} {answer:?} {after:?}");
    }
    let full = Loaded::with(&exact(usual()));
    for id in without_page {
        let (before, answer, after) = (kernel(id), full.clock(id), kernel(id));
        assert!(before <= answer && answer <= after, "clock {id}");
    }
    for vdso in [&empty, &full] {
        for id in [10, 12, 31, 32, 33, 63, 64, 1 << 16, 1 << 31, u32::MAX] {
            let mut time = [0; 2];
            // SAFETY: the pointer is good, and null is allowed for the resolution.
            let answers = unsafe { (vdso.clock_gettime()(id, &mut time), vdso.clock_getres()(id, null_mut())) };
            assert_eq!(answers, (-libc::EINVAL, -libc::EINVAL), "clock {id}");
        }
    }
    // Seconds of the host's tick.
    let seconds = kernel(REALTIME_COARSE).seconds();
    assert!((seconds..=seconds + 1).contains(&empty.seconds()));
    let [seconds, microseconds] = empty.time_of_day();
    assert!((0..1_000_000).contains(&microseconds) && seconds.abs_diff(kernel(REALTIME).seconds()) <= 1);
}

#[test]
fn resolutions_are_a_nanosecond_and_a_tick() {
    let vdso = Loaded::with(&exact(usual()));
    let resolution = |id: u32| {
        let mut answer = [-1; 2];
        // SAFETY: the pointers are good, null is allowed.
        assert_eq!(unsafe { (vdso.clock_getres()(id, &mut answer), vdso.clock_getres()(id, null_mut())) }, (0, 0));
        answer
    };
    for id in [REALTIME, MONOTONIC, MONOTONIC_RAW, BOOTTIME, TAI] {
        assert_eq!(resolution(id), [0, 1]);
    }
    for id in [REALTIME_COARSE, MONOTONIC_COARSE] {
        assert_eq!(resolution(id), [0, time::TICK_NS as i64]);
    }
}

#[test]
fn the_time_zone_is_the_kernels_and_both_pointers_may_be_null() {
    let vdso = Loaded::with(&Contents { time_zone: (-60, 2), ..exact(usual()) });
    let (mut zone, mut time) = ([0; 2], [-1; 2]);
    // SAFETY: the pointers are good or null.
    unsafe {
        assert_eq!(vdso.gettimeofday()(null_mut(), &mut zone), 0);
        assert_eq!(zone, [-60, 2]);
        zone = [0; 2];
        assert_eq!(vdso.gettimeofday()(&mut time, &mut zone), 0);
        assert_eq!((zone, time[0] > 0), ([-60, 2], true));
        assert_eq!(vdso.gettimeofday()(null_mut(), null_mut()), 0);
    }
}

#[test]
fn getcpu_agrees_with_the_host() {
    let processor_has_rdpid = std::arch::x86_64::__cpuid_count(7, 0).ecx & 1 << 22 != 0;
    // SAFETY: plain data of this size.
    let mut only = unsafe { std::mem::zeroed::<libc::cpu_set_t>() };
    // SAFETY: the set is good.
    let cpu = unsafe {
        let cpu = libc::sched_getcpu();
        libc::CPU_SET(cpu as usize, &mut only);
        assert_eq!(libc::sched_setaffinity(0, size_of_val(&only), &only), 0);
        cpu as u32
    };
    for source in [0, CPU_SOURCE_SEGMENT, CPU_SOURCE_RDPID] {
        if source == CPU_SOURCE_RDPID && !processor_has_rdpid {
            continue;
        }
        let vdso = Loaded::with(&Contents { cpu_source: source, ..Contents::default() });
        let (mut on_cpu, mut on_node) = (u32::MAX, u32::MAX);
        // SAFETY: the pointers are good or null.
        unsafe {
            assert_eq!(vdso.getcpu()(&mut on_cpu, &mut on_node, 0), 0);
            assert_eq!(vdso.getcpu()(null_mut(), null_mut(), 0), 0);
        }
        assert_eq!(on_cpu, cpu, "source {source}");
        assert!(on_node < 1 << 8, "source {source}");
    }
}

#[test]
fn readers_wait_while_the_kernel_writes() {
    let vdso = Loaded::with(&exact(usual()));
    vdso.open();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let answer = vdso.clock(MONOTONIC);
            done.store(true, Ordering::Relaxed);
            answer
        });
        thread::sleep(std::time::Duration::from_millis(20));
        assert!(!done.load(Ordering::Relaxed));
        let frozen = Clock { rate: 0, monotonic: Moment::from_timespec(Timespec::from_ns(123)), ..usual() };
        vdso.publish(|| exact(frozen));
        assert_eq!(reader.join().unwrap(), Timespec::from_ns(123));
    });
}

#[test]
fn no_clock_runs_backwards_while_its_rate_and_base_change() {
    let start = usual();
    let vdso = Loaded::with(&exact(start));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers = [MONOTONIC, REALTIME].map(|id| {
            let (vdso, stop) = (&vdso, &stop);
            scope.spawn(move || {
                let (mut last, mut count) = (Timespec::ZERO, 0_u64);
                while !stop.load(Ordering::Relaxed) {
                    let now = vdso.clock(id);
                    assert!(now >= last, "clock {id}: {now:?} after {last:?}");
                    (last, count) = (now, count + 1);
                }
                count
            })
        });
        let mut clock = start;
        for round in 0..5_000 {
            // By a tenth of a percent, and back: more than adjtimex(2) allows.
            let rate = start.rate + if round % 2 == 0 { 0 } else { start.rate / 1000 };
            vdso.publish(|| {
                clock = clock.with_rate(rate, cycles());
                exact(clock)
            });
            if readers.iter().any(|reader| reader.is_finished()) {
                break;
            }
            thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
}
