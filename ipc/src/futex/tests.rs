use super::bucket::{Bucket, Room};
use super::*;
use abi::Errno;
use abi::raw::general::{FUTEX_OWNER_DIED, FUTEX_WAITERS};
use proptest::prelude::*;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;
use sync::{Thread, WaitError, now};

fn key(address: u64) -> Key {
    Key::Private { space: 1, address }
}

fn me() -> Arc<Waiter> {
    Waiter::new(Thread::current_shared())
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_millis(1));
    }
}

type NoComparison = Option<(u32, fn() -> Result<u32, Fault>)>;

#[test]
fn refusals() {
    let futexes = Futexes::new(4, 7).unwrap();
    let wait = |bitset, expected, value: Result<u32, Fault>| {
        futexes.wait(&me(), key(4), bitset, expected, Some(now()), || value)
    };
    assert_eq!(wait(MATCH_ANY, 1, Ok(2)), Err(FutexFailure::Error(Errno::EAGAIN)));
    assert_eq!(wait(0, 2, Ok(2)), Err(FutexFailure::Error(Errno::EINVAL)));
    assert_eq!(wait(1, 2, Err(Fault)), Err(FutexFailure::Fault));
    assert_eq!(wait(1, 2, Ok(2)), Err(FutexFailure::Wait(WaitError::TimedOut)));
    assert_eq!(futexes.wake(key(4), 1, 0), Err(FutexFailure::Error(Errno::EINVAL)));
    assert_eq!(futexes.wake(key(4), 1, MATCH_ANY), Ok(0), "the waiter whose time was over is gone");
}

/// Starts threads that wait at `key` one after another, and note in which order they were woken.
fn sleepers(
    futexes: &Arc<Futexes>,
    key: Key,
    bitsets: &[u32],
) -> (Arc<std::sync::Mutex<Vec<usize>>>, Vec<thread::JoinHandle<()>>) {
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let spawn = |(number, &bitset): (usize, &u32)| {
        let (futexes, order, queued) = (futexes.clone(), order.clone(), Arc::new(AtomicU32::new(0)));
        let waiter_queued = queued.clone();
        let thread = thread::spawn(move || {
            let read = || {
                waiter_queued.store(1, Ordering::Release);
                Ok(0)
            };
            futexes.wait(&me(), key, bitset, 0, None, read).unwrap();
            order.lock().unwrap().push(number);
        });
        until(|| queued.load(Ordering::Acquire) == 1);
        thread::sleep(Duration::from_millis(5));
        thread
    };
    let threads = bitsets.iter().enumerate().map(spawn).collect();
    (order, threads)
}

#[test]
fn wakes_in_order_and_by_bits() {
    let futexes = Arc::new(Futexes::new(1, 7).unwrap());
    let (order, threads) = sleepers(&futexes, key(8), &[1, 2, 1, 2]);
    assert_eq!(futexes.wake(key(12), 9, MATCH_ANY), Ok(0));
    for expected in [1, 3, 0, 2] {
        let bits = if expected % 2 == 1 { 2 } else { MATCH_ANY };
        let before = order.lock().unwrap().len();
        assert_eq!(futexes.wake(key(8), 1, bits), Ok(1));
        until(|| order.lock().unwrap().len() > before);
        assert_eq!(order.lock().unwrap().last(), Some(&expected));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn requeues_and_compares() {
    for buckets in [1, 64] {
        let futexes = Arc::new(Futexes::new(buckets, 7).unwrap());
        let (order, threads) = sleepers(&futexes, key(16), &[1; 20]);
        let compare = Some((5, || Ok(6)));
        assert_eq!(futexes.requeue(key(16), key(20), 1, 1, compare), Err(FutexFailure::Error(Errno::EAGAIN)));
        let compare = Some((5, || Err(Fault)));
        assert_eq!(futexes.requeue(key(16), key(20), 1, 1, compare), Err(FutexFailure::Fault));
        let done = futexes.requeue(key(16), key(20), 2, 15, Some((5, || Ok(5)))).unwrap();
        assert_eq!(done, Requeued { woken: 2, moved: 15 });
        until(|| order.lock().unwrap().len() == 2);
        assert_eq!(futexes.wake(key(16), 9, MATCH_ANY), Ok(3));
        assert_eq!(futexes.requeue(key(20), key(20), 0, 99, NoComparison::None).unwrap().moved, 15);
        assert_eq!(futexes.wake(key(20), u32::MAX, MATCH_ANY), Ok(15));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let order = order.lock().unwrap();
        assert!(order[..2].contains(&0) && order[..2].contains(&1), "the first were woken, the others moved");
    }
}

#[test]
fn a_moved_waiter_can_time_out() {
    let futexes = Arc::new(Futexes::new(64, 7).unwrap());
    let waiter = thread::spawn({
        let futexes = futexes.clone();
        move || futexes.wait(&me(), key(24), 1, 0, Some(now() + 100_000_000), || Ok(0))
    });
    until(|| futexes.requeue(key(24), key(28), 0, 1, NoComparison::None).unwrap().moved == 1);
    assert_eq!(waiter.join().unwrap(), Err(FutexFailure::Wait(WaitError::TimedOut)));
    assert_eq!(futexes.wake(key(28), 1, MATCH_ANY), Ok(0));
}

#[test]
fn wake_operations() {
    let futexes = Arc::new(Futexes::new(64, 7).unwrap());
    let (_, threads) = sleepers(&futexes, key(32), &[1, 1]);
    let (_, others) = sleepers(&futexes, key(36), &[1]);
    // old + 3, and wake the second's waiters where old > 1.
    let operation = WakeOperation::decode(1 << 28 | 4 << 24 | 3 << 12 | 1).unwrap();
    let word = AtomicU32::new(1);
    let update = |operation: WakeOperation| {
        Ok(word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |old| Some(operation.apply(old))).unwrap())
    };
    assert_eq!(futexes.wake_operation((key(32), 1), (key(36), 9), operation, update), Ok(1));
    assert_eq!(word.load(Ordering::SeqCst), 4);
    let fault = |_| Err(Fault);
    assert_eq!(futexes.wake_operation((key(32), 1), (key(36), 9), operation, fault), Err(FutexFailure::Fault));
    assert_eq!(futexes.wake_operation((key(32), 1), (key(36), 9), operation, update), Ok(2));
    threads.into_iter().chain(others).for_each(|thread| thread.join().unwrap());
}

#[test]
fn decoding_of_operations() {
    assert_eq!(WakeOperation::decode(5 << 28), Err(Errno::ENOSYS));
    assert_eq!(WakeOperation::decode(6 << 24), Err(Errno::ENOSYS));
    let decode = |operation: u32, comparison: u32, argument: u32, comparand: u32| {
        WakeOperation::decode(operation << 28 | comparison << 24 | (argument & 0xfff) << 12 | comparand & 0xfff)
            .unwrap()
    };
    assert_eq!(decode(0, 0, 0xfff, 0).apply(3), u32::MAX, "the argument has a sign");
    assert_eq!(decode(2 | 8, 0, 4, 0).apply(1), 17, "or with a shifted bit");
    assert_eq!(decode(3, 0, 1, 0).apply(3), 2);
    assert_eq!(decode(4, 0, 1, 0).apply(3), 2);
    assert!(decode(0, 2, 0, 0).holds(u32::MAX), "comparisons are signed");
    assert!(decode(0, 5, 0, 0xfff).holds(u32::MAX) && !decode(0, 3, 0, 0xffe).holds(u32::MAX));
}

#[test]
fn a_mutex_of_drepper_excludes() {
    let futexes = Arc::new(Futexes::new(4, 7).unwrap());
    let (word, sum) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (futexes, word, sum) = (futexes.clone(), word.clone(), sum.clone());
            thread::spawn(move || {
                let waiter = me();
                for _ in 0..2000 {
                    if word.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
                        while word.swap(2, Ordering::Acquire) != 0 {
                            let _ = futexes.wait(&waiter, key(40), 1, 2, None, || Ok(word.load(Ordering::SeqCst)));
                        }
                    }
                    let old = sum.load(Ordering::Relaxed);
                    thread::yield_now();
                    sum.store(old + 1, Ordering::Relaxed);
                    if word.swap(0, Ordering::Release) == 2 {
                        futexes.wake(key(40), 1, 1).unwrap();
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(sum.load(Ordering::Relaxed), 8000);
}

proptest! {
    #[test]
    fn a_bucket_is_a_queue_per_key(steps in prop::collection::vec((0u64..4, 0usize..5, any::<bool>()), 1..200)) {
        let mut bucket = Bucket::new(3);
        let mut model: HashMap<u64, VecDeque<Arc<Waiter>>> = HashMap::new();
        for (address, position, add) in steps {
            let queue = model.entry(address).or_default();
            if add {
                if let Some(size) = bucket.lacks(1) {
                    bucket.grow(Room::new(size).unwrap());
                }
                let waiter = me();
                prop_assert!(bucket.append(key(address), 1, waiter.clone()));
                queue.push_back(waiter);
            } else if let Some(waiter) = queue.remove(position) {
                let place = waiter.place().unwrap();
                let (removed, _) = bucket.remove(place.slot).unwrap();
                prop_assert!(Arc::ptr_eq(&removed, &waiter) && place.bucket == 3);
                waiter.leave();
            }
            if model.values().all(VecDeque::is_empty) {
                drop(bucket.shrink());
                drop(bucket.give_back());
            }
            for (address, queue) in &model {
                let mut slot = bucket.first(key(*address));
                for waiter in queue {
                    prop_assert_eq!(waiter.place().map(|place| place.slot), slot);
                    slot = bucket.next(slot.unwrap());
                }
                prop_assert_eq!(slot, None);
            }
        }
    }
}

/// A dying thread's memory in a map.
#[derive(Default)]
struct Memory {
    words: HashMap<u64, u64>,
    futexes: HashMap<u64, u32>,
    woken: Vec<u64>,
}

impl RobustMemory for Memory {
    fn read_word(&mut self, address: u64) -> Result<u64, Fault> {
        self.words.get(&address).copied().ok_or(Fault)
    }
    fn read_futex(&mut self, address: u64) -> Result<u32, Fault> {
        self.futexes.get(&address).copied().ok_or(Fault)
    }
    fn exchange_futex(&mut self, address: u64, old: u32, new: u32) -> Result<u32, Fault> {
        let word = self.futexes.get_mut(&address).ok_or(Fault)?;
        let found = *word;
        if found == old {
            *word = new;
        }
        Ok(found)
    }
    fn wake_one(&mut self, address: u64) {
        self.woken.push(address);
    }
}

fn memory(words: &[(u64, u64)], futexes: &[(u64, u32)]) -> Memory {
    Memory { words: words.iter().copied().collect(), futexes: futexes.iter().copied().collect(), woken: Vec::new() }
}

#[test]
fn robust_lists() {
    // Head at 0x100, entries at 0x200 and 0x300, futexes 0x20 behind each entry; 0x300 is also pending.
    let words = [(0x100, 0x200), (0x108, 0x20), (0x110, 0x300), (0x200, 0x300), (0x300, 0x100)];
    let mut dying = memory(&words, &[(0x220, 7 | FUTEX_WAITERS), (0x320, 7)]);
    assert_eq!(walk_robust_list(&mut dying, 0x100, 7), Ok(()));
    assert_eq!(dying.futexes[&0x220], FUTEX_WAITERS | FUTEX_OWNER_DIED);
    assert_eq!(dying.futexes[&0x320], FUTEX_OWNER_DIED);
    assert_eq!(dying.woken, [0x220]);

    let mut others = memory(&words, &[(0x220, 8), (0x320, 0)]);
    assert_eq!(walk_robust_list(&mut others, 0x100, 7), Ok(()));
    assert_eq!((others.futexes[&0x220], &others.woken[..]), (8, &[0x320][..]), "a pending unlock wakes");

    let circle = [(0x100, 0x200), (0x108, 0x20), (0x110, 0), (0x200, 0x200)];
    assert_eq!(walk_robust_list(&mut memory(&circle, &[(0x220, 0)]), 0x100, 7), Ok(()), "a circle ends");
    assert_eq!(walk_robust_list(&mut memory(&[(0x100, 0x200)], &[]), 0x100, 7), Err(Fault));
}
