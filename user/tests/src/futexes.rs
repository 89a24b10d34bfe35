//! The futex call itself.
use crate::call::must;
use crate::child::{End, PAGE, fork, map, shared, until_asleep, wait};
use crate::sys;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

crate::tests!(
    other_value,
    wake_without_waiters,
    relative_time_out,
    absolute_time_out,
    wake_counts,
    wakes_in_order,
    bitsets,
    requeue,
    compare_and_requeue,
    wake_operation,
    shared_between_processes,
    private_is_per_process,
    shared_through_a_file,
    shared_at_different_addresses,
    faults,
    misaligned,
    unknown_operations,
    read_only_memory,
    a_thousand_waiters,
    ping_pong,
    exit_wakes_the_joiner,
    robust_list_marks_and_wakes,
    robust_list_can_be_asked_for,
    hostile_robust_lists,
);

const PRIVATE: i32 = libc::FUTEX_PRIVATE_FLAG;

fn word() -> &'static AtomicU32 {
    Box::leak(Box::new(AtomicU32::new(0)))
}

fn shared_word() -> &'static AtomicU32 {
    unsafe { &*shared(PAGE).cast::<AtomicU32>() }
}

fn wait_on(word: &AtomicU32, operation: i32, value: u32) -> Result<usize, i32> {
    sys!(libc::SYS_futex, word.as_ptr(), operation, value, 0)
}

fn wake(word: &AtomicU32, operation: i32, count: i32) -> Result<usize, i32> {
    sys!(libc::SYS_futex, word.as_ptr(), operation, count)
}

/// Wakes until `count` waiters in all were found.
fn wake_in_all(word: &AtomicU32, operation: i32, count: usize) {
    let start = Instant::now();
    let mut woken = 0;
    while woken < count {
        woken += wake(word, operation, (count - woken) as i32).unwrap();
        std::thread::yield_now();
        assert!(start.elapsed() < Duration::from_secs(20), "{woken} of {count}");
    }
}

fn other_value() {
    assert_eq!(wait_on(word(), libc::FUTEX_WAIT, 1), Err(libc::EAGAIN));
    assert_eq!(wait_on(word(), libc::FUTEX_WAIT | PRIVATE, 1), Err(libc::EAGAIN));
}

fn wake_without_waiters() {
    assert_eq!(wake(word(), libc::FUTEX_WAKE, 1), Ok(0));
    assert_eq!(wake(word(), libc::FUTEX_WAKE | PRIVATE, i32::MAX), Ok(0));
}

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() }
}

fn relative_time_out() {
    let (start, time) = (Instant::now(), timespec(Duration::from_millis(30)));
    let waited = sys!(libc::SYS_futex, word().as_ptr(), libc::FUTEX_WAIT | PRIVATE, 0, &raw const time);
    assert_eq!(waited, Err(libc::ETIMEDOUT));
    assert!((30..10_000).contains(&start.elapsed().as_millis()));
    let wrong = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000_000 };
    let waited = sys!(libc::SYS_futex, word().as_ptr(), libc::FUTEX_WAIT | PRIVATE, 0, &raw const wrong);
    assert_eq!(waited, Err(libc::EINVAL));
}

fn absolute_time_out() {
    for (clock, flag) in [(libc::CLOCK_MONOTONIC, 0), (libc::CLOCK_REALTIME, libc::FUTEX_CLOCK_REALTIME)] {
        let mut time: libc::timespec = unsafe { std::mem::zeroed() };
        must(unsafe { libc::clock_gettime(clock, &mut time) });
        time.tv_nsec += 30_000_000;
        if time.tv_nsec >= 1_000_000_000 {
            (time.tv_sec, time.tv_nsec) = (time.tv_sec + 1, time.tv_nsec - 1_000_000_000);
        }
        let start = Instant::now();
        let operation = libc::FUTEX_WAIT_BITSET | PRIVATE | flag;
        let waited = sys!(libc::SYS_futex, word().as_ptr(), operation, 0, &raw const time, 0, u32::MAX);
        assert_eq!(waited, Err(libc::ETIMEDOUT));
        assert!((20..10_000).contains(&start.elapsed().as_millis()));
    }
}

/// Threads that wait at a word, each asleep before the next starts; the numbers of those that woke, in order.
fn sleepers(word: &'static AtomicU32, bits: &[u32]) -> std::sync::mpsc::Receiver<usize> {
    let (sender, receiver) = std::sync::mpsc::channel();
    for (number, &bits) in bits.iter().enumerate() {
        let (sender, thread) = (sender.clone(), std::sync::Arc::new(AtomicU32::new(0)));
        let own = thread.clone();
        std::thread::spawn(move || {
            own.store(unsafe { libc::gettid() } as u32, Ordering::SeqCst);
            let operation = libc::FUTEX_WAIT_BITSET | PRIVATE;
            sys!(libc::SYS_futex, word.as_ptr(), operation, 0, 0, 0, bits).unwrap();
            // The test may be over by then.
            let _ = sender.send(number);
        });
        crate::child::until(|| thread.load(Ordering::SeqCst) != 0);
        until_asleep(thread.load(Ordering::SeqCst) as i32);
    }
    receiver
}

fn wake_counts() {
    let word = word();
    let woken = sleepers(word, &[1; 5]);
    assert_eq!(wake(word, libc::FUTEX_WAKE | PRIVATE, 2), Ok(2));
    assert_eq!(wake(word, libc::FUTEX_WAKE | PRIVATE, 100), Ok(3));
    assert_eq!(wake(word, libc::FUTEX_WAKE | PRIVATE, 100), Ok(0));
    (0..5).for_each(|_| assert!(woken.recv().unwrap() < 5));
}

fn wakes_in_order() {
    let word = word();
    let woken = sleepers(word, &[1; 5]);
    for number in 0..5 {
        assert_eq!(wake(word, libc::FUTEX_WAKE | PRIVATE, 1), Ok(1));
        assert_eq!(woken.recv().unwrap(), number);
    }
}

fn bitsets() {
    let word = word();
    let woken = sleepers(word, &[1, 2, 4, 6]);
    let wake_bits = |bits: u32| sys!(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE_BITSET | PRIVATE, 9, 0, 0, bits);
    assert_eq!(wake_bits(8), Ok(0));
    assert_eq!(wake_bits(2), Ok(2));
    let mut numbers = [woken.recv().unwrap(), woken.recv().unwrap()];
    numbers.sort();
    assert_eq!(numbers, [1, 3]);
    assert_eq!(wake_bits(0), Err(libc::EINVAL));
    assert_eq!(wake_bits(u32::MAX), Ok(2));
}

fn requeue() {
    let (from, to) = (word(), word());
    let woken = sleepers(from, &[1; 5]);
    let moved = sys!(libc::SYS_futex, from.as_ptr(), libc::FUTEX_REQUEUE | PRIVATE, 1, 3, to.as_ptr());
    assert_eq!(moved, Ok(4), "woken and moved, whatever the manual says");
    assert_eq!(woken.recv().unwrap(), 0);
    assert_eq!(wake(from, libc::FUTEX_WAKE | PRIVATE, 9), Ok(1));
    assert_eq!(woken.recv().unwrap(), 4);
    assert_eq!(wake(to, libc::FUTEX_WAKE | PRIVATE, 9), Ok(3));
}

fn compare_and_requeue() {
    let (from, to) = (word(), word());
    let _woken = sleepers(from, &[1; 5]);
    let requeue = |value: u32| {
        sys!(libc::SYS_futex, from.as_ptr(), libc::FUTEX_CMP_REQUEUE | PRIVATE, 1, 100, to.as_ptr(), value)
    };
    assert_eq!(requeue(1), Err(libc::EAGAIN));
    assert_eq!(requeue(0), Ok(5), "woken and moved");
    assert_eq!(wake(to, libc::FUTEX_WAKE | PRIVATE, 9), Ok(4));
}

fn wake_operation() {
    let (first, second) = (word(), word());
    let woken = sleepers(first, &[1]);
    let others = sleepers(second, &[1]);
    // Adds 3 to the second word; wakes its waiters where it was above 2.
    let operation = 1u32 << 28 | 4 << 24 | 3 << 12 | 2;
    let call =
        || sys!(libc::SYS_futex, first.as_ptr(), libc::FUTEX_WAKE_OP | PRIVATE, 1, 1, second.as_ptr(), operation);
    assert_eq!(call(), Ok(1));
    assert_eq!((woken.recv().unwrap(), second.load(Ordering::SeqCst)), (0, 3));
    assert_eq!(call(), Ok(1));
    assert_eq!((others.recv().unwrap(), second.load(Ordering::SeqCst)), (0, 6));
    let unknown =
        sys!(libc::SYS_futex, first.as_ptr(), libc::FUTEX_WAKE_OP | PRIVATE, 1, 1, second.as_ptr(), 7u32 << 28);
    assert_eq!(unknown, Err(libc::ENOSYS));
}

fn shared_between_processes() {
    let word = shared_word();
    let child = fork(|| i32::from(wait_on(word, libc::FUTEX_WAIT, 0) != Ok(0)));
    wake_in_all(word, libc::FUTEX_WAKE, 1);
    assert_eq!(wait(child), End::Exit(0));
}

fn private_is_per_process() {
    let word = shared_word();
    let time = timespec(Duration::from_millis(100));
    let child = fork(|| {
        let waited = sys!(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT | PRIVATE, 0, &raw const time);
        i32::from(waited != Err(libc::ETIMEDOUT))
    });
    until_asleep(child);
    assert_eq!(wake(word, libc::FUTEX_WAKE | PRIVATE, 1), Ok(0));
    assert_eq!(wait(child), End::Exit(0));
}

fn map_file() -> &'static AtomicU32 {
    let file = std::fs::File::options().read(true).write(true).create(true).truncate(false).open("file").unwrap();
    file.set_len(PAGE as u64).unwrap();
    let flags = libc::MAP_SHARED;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, protection, flags, file.as_raw_fd(), 0) };
    assert_ne!(page, libc::MAP_FAILED);
    unsafe { &*page.cast::<AtomicU32>() }
}

fn shared_through_a_file() {
    let child = fork(|| i32::from(wait_on(map_file(), libc::FUTEX_WAIT, 0) != Ok(0)));
    wake_in_all(map_file(), libc::FUTEX_WAKE, 1);
    assert_eq!(wait(child), End::Exit(0));
}

fn shared_at_different_addresses() {
    let (first, second) = (map_file(), map_file());
    assert_ne!(first.as_ptr(), second.as_ptr());
    let thread = std::thread::spawn(|| wait_on(first, libc::FUTEX_WAIT, 0));
    wake_in_all(second, libc::FUTEX_WAKE, 1);
    assert_eq!(thread.join().unwrap(), Ok(0));
}

fn faults() {
    for address in [0usize, 8, 0x7000_0000_0000, 0xffff_8880_0000_0000] {
        for operation in [libc::FUTEX_WAIT, libc::FUTEX_WAIT | PRIVATE] {
            assert_eq!(sys!(libc::SYS_futex, address, operation, 0, 0), Err(libc::EFAULT), "{address:#x}");
        }
        assert_eq!(sys!(libc::SYS_futex, address, libc::FUTEX_WAKE, 1), Err(libc::EFAULT), "{address:#x}");
    }
    let untouched = map(PAGE);
    let time = timespec(Duration::from_millis(1));
    let waited = sys!(libc::SYS_futex, untouched, libc::FUTEX_WAIT | PRIVATE, 0, &raw const time);
    assert_eq!(waited, Err(libc::ETIMEDOUT), "the page is brought in");
    assert_eq!(sys!(libc::SYS_futex, word().as_ptr(), libc::FUTEX_WAIT, 0, 8), Err(libc::EFAULT));
}

fn misaligned() {
    let page = map(PAGE) as usize;
    for operation in [libc::FUTEX_WAIT | PRIVATE, libc::FUTEX_WAKE | PRIVATE, libc::FUTEX_WAKE] {
        assert_eq!(sys!(libc::SYS_futex, page + 2, operation, 0, 0), Err(libc::EINVAL));
    }
}

fn unknown_operations() {
    for operation in [2, 14, 63, 100, 0x400] {
        assert_eq!(sys!(libc::SYS_futex, word().as_ptr(), operation, 0, 0), Err(libc::ENOSYS), "{operation}");
    }
    assert_eq!(wake(word(), libc::FUTEX_WAKE | libc::FUTEX_CLOCK_REALTIME, 1), Err(libc::ENOSYS));
}

fn read_only_memory() {
    let page = crate::child::map_as(PAGE, libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let time = timespec(Duration::from_millis(1));
    let waited = sys!(libc::SYS_futex, page, libc::FUTEX_WAIT | PRIVATE, 0, &raw const time);
    assert_eq!(waited, Err(libc::ETIMEDOUT), "a wait only reads");
}

fn a_thousand_waiters() {
    let word = word();
    let threads: Vec<_> = (0..1000)
        .map(|_| {
            let builder = std::thread::Builder::new().stack_size(16 * PAGE);
            builder.spawn(|| wait_on(word, libc::FUTEX_WAIT | PRIVATE, 0).unwrap()).unwrap()
        })
        .collect();
    wake_in_all(word, libc::FUTEX_WAKE | PRIVATE, 1000);
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 0));
}

fn ping_pong() {
    let word = shared_word();
    let play = |mine: u32, theirs: u32| {
        for _ in 0..3000 {
            while word.load(Ordering::SeqCst) != mine {
                let _ = wait_on(word, libc::FUTEX_WAIT, theirs);
            }
            word.store(theirs, Ordering::SeqCst);
            wake(word, libc::FUTEX_WAKE, 1).unwrap();
        }
    };
    let child = fork(|| {
        play(1, 0);
        0
    });
    play(0, 1);
    assert_eq!(wait(child), End::Exit(0));
}

fn exit_wakes_the_joiner() {
    (0..100).for_each(|number| assert_eq!(std::thread::spawn(move || number).join().unwrap(), number));
}

/// A list with one entry, its futex 16 bytes behind it, all in shared memory; the next process to die owns it.
fn robust_list(memory: *mut u64, owner: u32) {
    unsafe {
        let entry = memory.add(8);
        memory.write(entry as u64);
        memory.add(1).write(16);
        memory.add(2).write(0);
        entry.write(memory as u64);
        entry.add(2).cast::<u32>().write(owner);
    }
}

fn robust_list_marks_and_wakes() {
    let memory = shared(PAGE).cast::<u64>();
    let futex = unsafe { &*memory.add(10).cast::<AtomicU32>() };
    let waiter = fork(|| {
        crate::child::until(|| futex.load(Ordering::SeqCst) != 0);
        let value = futex.load(Ordering::SeqCst);
        // The owner may have taken the sleep in between for the wait, and be dead already.
        if value & 0x4000_0000 == 0 {
            let _ = wait_on(futex, libc::FUTEX_WAIT, value);
        }
        0
    });
    let owner = fork(|| {
        let own = unsafe { libc::gettid() } as u32;
        robust_list(memory, own | 0x8000_0000);
        assert_eq!(sys!(libc::SYS_set_robust_list, memory, 24), Ok(0));
        until_asleep(waiter);
        unsafe { libc::raise(libc::SIGKILL) }
    });
    assert_eq!(wait(owner), End::Signal(libc::SIGKILL));
    assert_eq!(wait(waiter), End::Exit(0));
    assert_eq!(futex.load(Ordering::SeqCst), 0xc000_0000, "waiters, owner died");
}

fn robust_list_can_be_asked_for() {
    let memory = shared(PAGE).cast::<u64>();
    robust_list(memory, 0);
    assert_eq!(sys!(libc::SYS_set_robust_list, memory, 23), Err(libc::EINVAL));
    assert_eq!(sys!(libc::SYS_set_robust_list, memory, 24), Ok(0));
    let (mut head, mut length) = (0usize, 0usize);
    assert_eq!(sys!(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut length), Ok(0));
    assert_eq!((head, length), (memory as usize, 24));
    assert_eq!(sys!(libc::SYS_get_robust_list, 999_999, &raw mut head, &raw mut length), Err(libc::ESRCH));
}

fn hostile_robust_lists() {
    let memory = shared(PAGE).cast::<u64>();
    for wild in [0usize, 8, 0xffff_8880_0000_0000, usize::MAX - 4, memory as usize + 1] {
        let end = crate::child::run(|| {
            sys!(libc::SYS_set_robust_list, wild, 24).unwrap();
            7
        });
        assert_eq!(end, End::Exit(7));
    }
    for (index, value) in [(0, 8), (1, u64::MAX), (2, 0x1001), (8, memory as u64 + 64), (8, 0x8000_0000_0000)] {
        let end = crate::child::run(|| {
            robust_list(memory, unsafe { libc::gettid() } as u32);
            unsafe { memory.add(index).write(value) };
            sys!(libc::SYS_set_robust_list, memory, 24).unwrap();
            7
        });
        assert_eq!(end, End::Exit(7), "word {index} is {value:#x}");
    }
}
