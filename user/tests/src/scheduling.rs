//! Where programs run and for how long, on two processors.
use crate::call::must;
use crate::child::{PAGE, fork, shared, sleep};
use crate::kernel_threads::Stat;
use crate::sys;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

crate::tests!(
    two_processors_do_twice_the_work,
    three_programs_share_two_processors,
    programs_move_to_where_nothing_runs,
    another_programs_processors_change_at_once,
    own_processors_change_at_once,
    another_programs_nice_value_counts_at_once,
);

fn processors() -> i64 {
    unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }
}

fn allow(pid: i32, mask: u64) {
    assert_eq!(sys!(libc::SYS_sched_setaffinity, pid, 8, &raw const mask), Ok(0));
}

/// Programs that compute until they are dropped.
struct Burners(Vec<i32>);

impl Burners {
    fn new(count: usize, mask: u64) -> Self {
        let burn = || {
            allow(0, mask);
            loop {
                std::hint::spin_loop();
            }
        };
        Self((0..count).map(|_| fork(burn)).collect())
    }

    /// Hundredths of a second of processor time that each has had.
    fn used(&self) -> Vec<u64> {
        self.0.iter().map(|pid| Stat::of(*pid).unwrap()).map(|stat| stat.number(14) + stat.number(15)).collect()
    }

    /// The same during `milliseconds` from now on.
    fn during(&self, milliseconds: u64) -> Vec<u64> {
        let before = self.used();
        sleep(milliseconds);
        self.used().iter().zip(before).map(|(now, before)| now - before).collect()
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        for pid in &self.0 {
            unsafe {
                libc::kill(*pid, libc::SIGKILL);
                libc::waitpid(*pid, std::ptr::null_mut(), 0);
            }
        }
    }
}

fn two_processors_do_twice_the_work() {
    if processors() < 2 {
        return;
    }
    let burners = Burners::new(2, 3);
    sleep(200);
    let (start, before) = (Instant::now(), burners.used());
    sleep(1500);
    let elapsed = start.elapsed().as_millis() as u64 / 10;
    let used: u64 = burners.used().iter().zip(before).map(|(now, before)| now - before).sum();
    assert!(used * 10 > elapsed * 17, "{used} in {elapsed}");
}

fn three_programs_share_two_processors() {
    if processors() < 2 {
        return;
    }
    let burners = Burners::new(3, 3);
    sleep(300);
    let used = burners.during(3000);
    let total: u64 = used.iter().sum();
    // A third each; where nothing moves one has half, and the others a quarter.
    assert!(used.iter().all(|one| one * 100 > total * 20 && one * 100 < total * 43), "{used:?}");
}

/// Two on one processor, which may run on the other from some moment on: one of them does.
fn programs_move_to_where_nothing_runs() {
    if processors() < 2 {
        return;
    }
    let burners = Burners::new(2, 2);
    sleep(300);
    let together: u64 = burners.during(500).iter().sum();
    burners.0.iter().for_each(|pid| allow(*pid, 3));
    sleep(1000);
    let apart: u64 = burners.during(500).iter().sum();
    assert!(apart * 10 > together * 15, "{together} {apart}");
}

fn another_programs_processors_change_at_once() {
    if processors() < 2 {
        return;
    }
    let place = unsafe { &*shared(PAGE).cast::<AtomicU32>() };
    // It makes no system call, and never sleeps.
    let child = fork(|| {
        loop {
            place.store(unsafe { libc::sched_getcpu() } as u32 + 1, Ordering::Relaxed);
        }
    });
    for turn in 0..20 {
        let cpu = turn % 2;
        allow(child, 1 << cpu);
        let start = Instant::now();
        while place.load(Ordering::Relaxed) != cpu + 1 {
            assert!(start.elapsed() < Duration::from_secs(5), "still not on {cpu}");
            std::thread::yield_now();
        }
        // And it stays there.
        for _ in 0..5 {
            sleep(2);
            assert_eq!(place.load(Ordering::Relaxed), cpu + 1);
        }
    }
    must(unsafe { libc::kill(child, libc::SIGKILL) });
    crate::child::wait(child);
}

fn own_processors_change_at_once() {
    if processors() < 2 {
        return;
    }
    for turn in 0..200 {
        allow(0, 1 << (turn % 2));
        assert_eq!(unsafe { libc::sched_getcpu() }, turn % 2);
    }
}

fn another_programs_nice_value_counts_at_once() {
    let burners = Burners::new(2, 1);
    sleep(300);
    let even = burners.during(600);
    assert!(even[0] * 2 > even[1] && even[1] * 2 > even[0], "{even:?}");
    must(unsafe { libc::setpriority(libc::PRIO_PROCESS, burners.0[1] as u32, 19) });
    let uneven = burners.during(1000);
    assert!(uneven[0] > uneven[1] * 5, "{uneven:?}");
    must(unsafe { libc::setpriority(libc::PRIO_PROCESS, burners.0[1] as u32, 0) });
    // What it had at nice 19 counted for much: the other catches up first.
    sleep(3000);
    let even = burners.during(600);
    assert!(even[0] * 2 > even[1] && even[1] * 2 > even[0], "{even:?}");
}
