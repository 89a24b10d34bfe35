//! The façade on the host: waiting, waking, contexts and the lock order.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use sync::{
    InterruptsOff, Mutex, PollQueue, Preempt, Rank, Registrations, RwSemaphore, SequenceLock, SpinLock, WaitError,
    WaitQueue,
};

#[test]
fn a_waiter_sees_what_its_waker_did() {
    let (queue, flag) = (Arc::new(WaitQueue::new()), Arc::new(AtomicBool::new(false)));
    let waiter = {
        let (queue, flag) = (queue.clone(), flag.clone());
        std::thread::spawn(move || queue.wait_interruptible(|| flag.load(Ordering::SeqCst)))
    };
    flag.store(true, Ordering::SeqCst);
    queue.wake_all();
    assert_eq!(waiter.join().unwrap(), Ok(()));
    assert!(queue.is_empty());
}

#[test]
fn a_deadline_ends_a_wait() {
    let queue = WaitQueue::new();
    let answer = queue.wait(sync::Sleep::Interruptible, Some(sync::now() + 1_000_000), || None::<()>);
    assert_eq!(answer, Err(WaitError::TimedOut));
    assert!(queue.is_empty());
}

#[test]
fn a_mutex_excludes() {
    let counter = Arc::new(Mutex::new(Rank::Inode, 0u64));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let counter = counter.clone();
            std::thread::spawn(move || (0..10_000).for_each(|_| *counter.lock() += 1))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*counter.lock(), 40_000);
}

#[test]
fn a_signal_ends_the_wait_for_a_mutex() {
    let mutex = Arc::new(Mutex::new(Rank::Inode, ()));
    let held = mutex.lock();
    let other = mutex.clone();
    let waiter = std::thread::spawn(move || {
        sync::current().add_work(sync::thread::work::SIGNAL);
        other.lock_interruptible().map(drop)
    });
    assert_eq!(waiter.join().unwrap(), Err(WaitError::Interrupted));
    drop(held);
    assert_eq!(mutex.lock_interruptible().map(drop), Ok(()));
}

#[test]
fn a_writer_is_alone_and_gets_its_turn() {
    let value = Arc::new(RwSemaphore::new(Rank::AddressSpace, (0u64, 0u64)));
    let threads: Vec<_> = (0..4)
        .map(|index| {
            let value = value.clone();
            std::thread::spawn(move || {
                for _ in 0..5_000 {
                    if index == 0 {
                        let mut pair = value.write();
                        pair.0 += 1;
                        pair.1 += 1;
                    } else {
                        let pair = value.read();
                        assert_eq!(pair.0, pair.1);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*value.read(), (5_000, 5_000));
}

#[test]
fn poll_waits_on_many() {
    let queues = [PollQueue::new(), PollQueue::new()];
    let ready = Arc::new(AtomicU32::new(0));
    let waker = {
        let (queue, ready) = (queues[1].clone(), ready.clone());
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(5));
            ready.store(7, Ordering::SeqCst);
            queue.wake_all();
        })
    };
    let mut registrations = Registrations::for_current(2).unwrap();
    assert!(queues.iter().all(|queue| registrations.add(queue)));
    let seen = registrations.wait(None, || match ready.load(Ordering::SeqCst) {
        0 => None,
        value => Some(value),
    });
    assert_eq!(seen, Ok(7));
    waker.join().unwrap();
    drop(registrations);
    assert!(queues.iter().all(|queue| queue.is_empty()));
}

#[test]
fn sequence_readers_see_whole_values() {
    let value: Arc<SequenceLock<(u64, u64)>> = Arc::new(SequenceLock::new(Rank::Leaf, (0, 0)));
    let reader = {
        let value = value.clone();
        std::thread::spawn(move || {
            for _ in 0..50_000 {
                let (first, second) = value.read();
                assert_eq!(first, second);
            }
        })
    };
    (0..50_000).for_each(|_| value.write(|pair| (pair.0, pair.1) = (pair.0 + 1, pair.1 + 1)));
    reader.join().unwrap();
}

#[test]
#[should_panic(expected = "sleeping while atomic")]
fn sleeping_under_a_spinlock_is_caught() {
    let lock: SpinLock<(), Preempt> = SpinLock::new(Rank::Leaf, ());
    let mutex = Mutex::new(Rank::Inode, ());
    let _guard = lock.lock();
    drop(mutex.lock());
}

#[test]
#[should_panic(expected = "lock order")]
fn the_lock_order_is_checked() {
    let inner: SpinLock<(), InterruptsOff> = SpinLock::new(Rank::RunQueue, ());
    let outer: SpinLock<(), Preempt> = SpinLock::new(Rank::Futex, ());
    let _inner = inner.lock();
    drop(outer.lock());
}
