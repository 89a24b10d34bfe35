//! Locks over futexes.

use crate::experiment::Linux;
use crate::observe::{Steps, cost, steps};
use crate::{Experiment, Lab, Subject, Trouble, times};
use evidence::Observable;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Synchronisation,
    claim: "A lock over a futex that nobody else wants never enters the kernel; one that somebody holds does.",
    experiment: "The C library's pthread mutex is locked and unlocked one instruction at a time, and each instruction is looked at before it \
        runs. Then the same while another thread holds the mutex for a while. The cost of a free one is set beside that of the cheapest system call.",
    expected: "Locking is one atomic instruction on a word of memory: only who finds it taken asks the kernel to sleep, and only who leaves \
        sleepers behind asks it to wake one. So the free lock's code holds no call, and costs less than a call does.",
    observable: Observable::OneProcessor,
    linux: Linux::By("single steps, which need no other interface"),
    run,
};

struct Mutex(UnsafeCell<libc::pthread_mutex_t>);
unsafe impl Sync for Mutex {}

static MUTEX: Mutex = Mutex(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));
static HELD: AtomicBool = AtomicBool::new(false);

fn lock() {
    unsafe { libc::pthread_mutex_lock(MUTEX.0.get()) };
}

fn unlock() {
    unsafe { libc::pthread_mutex_unlock(MUTEX.0.get()) };
}

fn alone() -> Result<(Steps, Steps), Trouble> {
    Ok((steps(lock), steps(unlock)))
}

/// What locking takes while another thread has it for twenty milliseconds more; and unlocking, with nobody behind.
fn contended() -> Result<(Steps, Steps), Trouble> {
    HELD.store(false, Ordering::SeqCst);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            lock();
            HELD.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(20));
            unlock();
        });
        while !HELD.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok((steps(lock), steps(unlock)))
    })
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let ((free, freed), (taken, _)) = lab.pair(alone, contended)?;
    lab.mechanism("instructions to lock a free one", free.instructions, "");
    lab.mechanism("calls among them", free.calls, "calls").equals(0, "nobody must be asked");
    lab.mechanism("calls of unlocking it", freed.calls, "calls").equals(0, "nobody sleeps");
    lab.control("instructions to lock a taken one", taken.instructions, "");
    lab.control("futex calls among them", taken.futexes, "calls").at_least(1, "it must sleep until it is free");
    let (pair, call) = lab.pair(
        || {
            cost(|| {
                lock();
                unlock();
            })
        },
        || {
            cost(|| {
                unsafe {
                    libc::syscall(libc::SYS_futex, MUTEX.0.get(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 0)
                };
            })
        },
    )?;
    lab.control("cost of a futex call that wakes nobody", call, "instructions").above(0, "it is made");
    lab.mechanism("cost of lock and unlock", pair, "instructions")
        .below(times(0.8, "cost of a futex call that wakes nobody"), "a call costs more than both together");
    Ok(())
}
