//! Threads as libc and the standard library use them.
use crate::call::must;
use crate::child::{End, PAGE, run, shared, sleep};
use std::cell::Cell;
use std::mem::zeroed;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, RwLock};
use std::time::{Duration, Instant};

crate::tests!(
    mutex_excludes,
    condition_variable,
    condition_variable_times_out,
    barrier,
    read_write_lock,
    channels,
    thread_local_storage,
    destructors_run,
    identities,
    join_gives_the_result,
    detached_threads,
    stacks_are_their_own,
    overflow_of_a_thread_stack_kills,
    cancellation_of_a_sleeper,
    cancellation_runs_handlers,
    robust_mutex,
    process_shared_mutex,
    semaphores,
    spinning_threads_share_the_processor,
    two_hundred_threads,
    threads_and_fork,
    names_of_threads,
    proc_lists_threads,
    affinity,
    scheduling_attributes,
    parallel_allocation,
);

fn mutex_excludes() {
    let count = Arc::new(Mutex::new(0u32));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let count = count.clone();
            std::thread::spawn(move || (0..5000).for_each(|_| *count.lock().unwrap() += 1))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*count.lock().unwrap(), 40_000);
}

fn condition_variable() {
    let pair = Arc::new((Mutex::new(0u32), Condvar::new()));
    let threads: Vec<_> = (0..4u32)
        .map(|number| {
            let pair = pair.clone();
            std::thread::spawn(move || {
                for round in 0..200 {
                    let mut turn = pair.0.lock().unwrap();
                    while *turn != round * 4 + number {
                        turn = pair.1.wait(turn).unwrap();
                    }
                    *turn += 1;
                    pair.1.notify_all();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*pair.0.lock().unwrap(), 800);
}

fn condition_variable_times_out() {
    let (lock, condition) = (Mutex::new(()), Condvar::new());
    let start = Instant::now();
    let (_guard, outcome) = condition.wait_timeout(lock.lock().unwrap(), Duration::from_millis(30)).unwrap();
    assert!(outcome.timed_out() && start.elapsed() >= Duration::from_millis(30));
}

fn barrier() {
    let (barrier, count) = (Barrier::new(6), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for round in 1..=100 {
                    count.fetch_add(1, Ordering::SeqCst);
                    barrier.wait();
                    assert_eq!(count.load(Ordering::SeqCst), 6 * round);
                    barrier.wait();
                }
            });
        }
    });
}

fn read_write_lock() {
    let pair = RwLock::new((0u64, 0u64));
    std::thread::scope(|scope| {
        for number in 0..6 {
            let pair = &pair;
            scope.spawn(move || {
                for _ in 0..2000 {
                    if number < 2 {
                        let mut pair = pair.write().unwrap();
                        pair.0 += 1;
                        pair.1 += 1;
                    } else {
                        let pair = pair.read().unwrap();
                        assert_eq!(pair.0, pair.1);
                    }
                }
            });
        }
    });
    assert_eq!(*pair.read().unwrap(), (4000, 4000));
}

fn channels() {
    let (sender, receiver) = std::sync::mpsc::sync_channel::<u64>(4);
    for number in 0..4 {
        let sender = sender.clone();
        std::thread::spawn(move || (0..1000).for_each(|value| sender.send(number * 1000 + value).unwrap()));
    }
    drop(sender);
    assert_eq!(receiver.iter().sum::<u64>(), (0..4000).sum());
}

fn thread_local_storage() {
    thread_local!(static VALUE: Cell<u64> = const { Cell::new(7) });
    std::thread::scope(|scope| {
        for number in 0..20 {
            scope.spawn(move || {
                assert_eq!(VALUE.get(), 7);
                VALUE.set(number);
                std::thread::yield_now();
                assert_eq!(VALUE.get(), number);
            });
        }
    });
    assert_eq!(VALUE.get(), 7);
}

fn destructors_run() {
    static DROPPED: AtomicU32 = AtomicU32::new(0);
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
    }
    thread_local!(static VALUE: Counted = const { Counted });
    let threads: Vec<_> = (0..10).map(|_| std::thread::spawn(|| VALUE.with(|_| ()))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(DROPPED.load(Ordering::SeqCst), 10);
}

fn identities() {
    let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
    assert_eq!(process, thread);
    let other = std::thread::spawn(|| unsafe { (libc::getpid(), libc::gettid(), libc::getppid()) }).join().unwrap();
    assert_eq!((other.0, other.2), (process, unsafe { libc::getppid() }));
    assert_ne!(other.1, thread);
}

fn join_gives_the_result() {
    let threads: Vec<_> = (0..50u64).map(|number| std::thread::spawn(move || number * number)).collect();
    let sum: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, (0..50).map(|number| number * number).sum());
}

fn detached_threads() {
    let (sender, receiver) = std::sync::mpsc::channel();
    for number in 0..100u64 {
        let sender = sender.clone();
        drop(std::thread::spawn(move || sender.send(number)));
    }
    drop(sender);
    assert_eq!(receiver.iter().sum::<u64>(), 4950);
}

fn stacks_are_their_own() {
    std::thread::scope(|scope| {
        for number in 0..8u8 {
            scope.spawn(move || {
                let mut large = [number; 200_000];
                for step in 0..50 {
                    std::thread::yield_now();
                    assert!(std::hint::black_box(&mut large).iter().all(|byte| *byte == number), "step {step}");
                }
            });
        }
    });
}

fn overflow_of_a_thread_stack_kills() {
    #[expect(unconditional_recursion, reason = "that is the test")]
    fn recurse(depth: u64) -> u64 {
        let large = std::hint::black_box([depth; 100]);
        recurse(depth + 1) + large[50]
    }
    let end = run(|| {
        // The standard library's own handler would only abort.
        crate::child::handle(libc::SIGSEGV, libc::SIG_DFL, 0);
        std::thread::spawn(|| recurse(0)).join().unwrap() as i32
    });
    assert_eq!(end, End::Signal(libc::SIGSEGV));
}

static STEPS: AtomicI32 = AtomicI32::new(0);

unsafe extern "C" {
    fn pthread_cancel(thread: libc::pthread_t) -> i32;
    fn pthread_testcancel();
}

extern "C" fn sleeper(_: *mut libc::c_void) -> *mut libc::c_void {
    STEPS.store(1, Ordering::SeqCst);
    unsafe { libc::pause() };
    STEPS.store(2, Ordering::SeqCst);
    std::ptr::null_mut()
}

fn cancellation_of_a_sleeper() {
    unsafe {
        let mut thread = zeroed();
        assert_eq!(libc::pthread_create(&mut thread, std::ptr::null(), sleeper, std::ptr::null_mut()), 0);
        crate::child::until(|| STEPS.load(Ordering::SeqCst) == 1);
        assert_eq!(pthread_cancel(thread), 0);
        let mut result = std::ptr::null_mut();
        assert_eq!(libc::pthread_join(thread, &mut result), 0);
        assert_eq!(result as isize, -1, "PTHREAD_CANCELED");
    }
    assert_eq!(STEPS.load(Ordering::SeqCst), 1);
}

extern "C" fn until_cancelled(_: *mut libc::c_void) -> *mut libc::c_void {
    unsafe extern "C" fn destructor(_: *mut libc::c_void) {
        STEPS.fetch_add(10, Ordering::SeqCst);
    }
    unsafe {
        let mut key = 0;
        libc::pthread_key_create(&mut key, Some(destructor));
        libc::pthread_setspecific(key, c"x".as_ptr().cast());
        STEPS.store(1, Ordering::SeqCst);
        loop {
            pthread_testcancel();
        }
    }
}

fn cancellation_runs_handlers() {
    unsafe {
        let mut thread = zeroed();
        assert_eq!(libc::pthread_create(&mut thread, std::ptr::null(), until_cancelled, std::ptr::null_mut()), 0);
        crate::child::until(|| STEPS.load(Ordering::SeqCst) == 1);
        assert_eq!(pthread_cancel(thread), 0);
        assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
    }
    assert_eq!(STEPS.load(Ordering::SeqCst), 11);
}

/// A mutex in memory that processes share.
fn shared_mutex(robust: bool) -> *mut libc::pthread_mutex_t {
    let mutex = shared(PAGE).cast::<libc::pthread_mutex_t>();
    unsafe {
        let mut attributes = zeroed();
        libc::pthread_mutexattr_init(&mut attributes);
        libc::pthread_mutexattr_setpshared(&mut attributes, libc::PTHREAD_PROCESS_SHARED);
        if robust {
            libc::pthread_mutexattr_setrobust(&mut attributes, libc::PTHREAD_MUTEX_ROBUST);
        }
        assert_eq!(libc::pthread_mutex_init(mutex, &attributes), 0);
    }
    mutex
}

fn robust_mutex() {
    let mutex = shared_mutex(true);
    for waits in [false, true] {
        let child = crate::child::fork(|| unsafe {
            libc::pthread_mutex_lock(mutex);
            if waits {
                sleep(100);
            }
            libc::_exit(0)
        });
        if waits {
            sleep(30);
        } else {
            crate::child::wait(child);
        }
        unsafe {
            assert_eq!(libc::pthread_mutex_lock(mutex), libc::EOWNERDEAD);
            assert_eq!(libc::pthread_mutex_consistent(mutex), 0);
            assert_eq!(libc::pthread_mutex_unlock(mutex), 0);
        }
    }
}

fn process_shared_mutex() {
    let (mutex, count) = (shared_mutex(false), shared(PAGE).cast::<u32>());
    let work = || unsafe {
        for _ in 0..3000 {
            libc::pthread_mutex_lock(mutex);
            count.write_volatile(count.read_volatile() + 1);
            libc::pthread_mutex_unlock(mutex);
        }
        0
    };
    let children: Vec<i32> = (0..4).map(|_| crate::child::fork(work)).collect();
    children.into_iter().for_each(|child| assert_eq!(crate::child::wait(child), End::Exit(0)));
    assert_eq!(unsafe { count.read_volatile() }, 12_000);
}

fn semaphores() {
    let semaphore = shared(PAGE).cast::<libc::sem_t>();
    must(unsafe { libc::sem_init(semaphore, 1, 0) });
    let child = crate::child::fork(|| {
        for _ in 0..500 {
            must(unsafe { libc::sem_wait(semaphore) });
        }
        0
    });
    for _ in 0..500 {
        must(unsafe { libc::sem_post(semaphore) });
    }
    assert_eq!(crate::child::wait(child), End::Exit(0));
}

/// None starves while others spin.
fn spinning_threads_share_the_processor() {
    let counts: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];
    let start = Instant::now();
    std::thread::scope(|scope| {
        for count in &counts {
            scope.spawn(|| {
                while start.elapsed() < Duration::from_millis(800) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let counts = counts.map(AtomicUsize::into_inner);
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*least * 4 > *most, "{counts:?}");
}

fn two_hundred_threads() {
    let barrier = Arc::new(Barrier::new(201));
    let threads: Vec<_> = (0..200)
        .map(|_| {
            let barrier = barrier.clone();
            let builder = std::thread::Builder::new().stack_size(16 * PAGE);
            builder.spawn(move || barrier.wait()).unwrap()
        })
        .collect();
    barrier.wait();
    threads.into_iter().for_each(|thread| {
        thread.join().unwrap();
    });
}

fn threads_and_fork() {
    std::thread::spawn(|| {
        loop {
            std::hint::spin_loop();
        }
    });
    let end = run(|| std::fs::read_dir("/proc/self/task").unwrap().count() as i32);
    assert_eq!(end, End::Exit(1), "only the forking thread is copied");
}

fn names_of_threads() {
    let thread = std::thread::Builder::new()
        .name("a-worker".into())
        .spawn(|| std::fs::read_to_string(format!("/proc/self/task/{}/comm", unsafe { libc::gettid() })).unwrap());
    assert_eq!(thread.unwrap().join().unwrap(), "a-worker\n");
}

fn proc_lists_threads() {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        sender.send(unsafe { libc::gettid() }).unwrap();
        sleep(100_000);
    });
    let thread = receiver.recv().unwrap();
    let mut found: Vec<i32> = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, [unsafe { libc::getpid() }, thread]);
}

fn affinity() {
    unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        must(libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set));
        assert!(libc::CPU_COUNT(&set) >= 1 && libc::CPU_ISSET(0, &set));
        libc::CPU_ZERO(&mut set);
        libc::CPU_SET(0, &mut set);
        must(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set));
        assert_eq!(libc::sched_getcpu(), 0);
        libc::CPU_ZERO(&mut set);
        assert_eq!(crate::call::errno(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)), libc::EINVAL);
    }
}

fn scheduling_attributes() {
    unsafe {
        assert_eq!(libc::sched_getscheduler(0), libc::SCHED_OTHER);
        assert_eq!(libc::getpriority(libc::PRIO_PROCESS, 0), 0);
        must(libc::setpriority(libc::PRIO_PROCESS, 0, 5));
        assert_eq!(libc::getpriority(libc::PRIO_PROCESS, 0), 5);
        must(libc::setpriority(libc::PRIO_PROCESS, 0, 100));
        assert_eq!(libc::getpriority(libc::PRIO_PROCESS, 0), 19);
        assert_eq!(libc::sched_get_priority_max(libc::SCHED_FIFO), 99);
        assert_eq!(libc::sched_get_priority_min(libc::SCHED_OTHER), 0);
        assert_eq!(libc::sched_yield(), 0);
    }
}

fn parallel_allocation() {
    std::thread::scope(|scope| {
        for number in 0..6u8 {
            scope.spawn(move || {
                for round in 1..60usize {
                    let blocks: Vec<Vec<u8>> = (0..40).map(|index| vec![number; round * index * 100 + 1]).collect();
                    assert!(blocks.iter().all(|block| block.iter().all(|byte| *byte == number)));
                }
            });
        }
    });
}
