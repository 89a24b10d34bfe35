use super::*;
use std::sync::Arc;
use std::thread;

#[test]
fn a_read_takes_all_or_one() {
    let counter = EventCounter::new(3, false);
    counter.write(4, true).unwrap();
    assert_eq!(counter.read(true), Ok(7));
    assert_eq!(counter.read(true), Err(Failure::Error(Errno::EAGAIN)));
    let semaphore = EventCounter::new(2, true);
    assert_eq!((semaphore.read(true), semaphore.read(true)), (Ok(1), Ok(1)));
    assert_eq!(semaphore.read(true), Err(Failure::Error(Errno::EAGAIN)));
}

#[test]
fn overflow_blocks() {
    let counter = EventCounter::new(1, false);
    assert_eq!(counter.write(u64::MAX, true), Err(Failure::Error(Errno::EINVAL)));
    assert_eq!(counter.write(MAXIMUM, true), Err(Failure::Error(Errno::EAGAIN)));
    assert_eq!(counter.poll(None), Ok(POLLIN | POLLOUT));
    counter.write(MAXIMUM - 1, true).unwrap();
    assert_eq!(counter.poll(None), Ok(POLLIN));
    counter.signal();
    assert_eq!(counter.poll(None), Ok(POLLIN | POLLERR));
    counter.signal();
    assert_eq!(counter.read(true), Ok(u64::MAX));
    assert_eq!(counter.poll(None), Ok(POLLOUT));
}

#[test]
fn sleepers_on_both_sides_are_woken() {
    let counter = Arc::new(EventCounter::new(0, true));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let counter = counter.clone();
            thread::spawn(move || (0..500).map(|_| counter.read(false).unwrap()).sum::<u64>())
        })
        .collect();
    for _ in 0..400 {
        counter.write(5, false).unwrap();
    }
    assert_eq!(readers.into_iter().map(|reader| reader.join().unwrap()).sum::<u64>(), 2000);
    assert_eq!(counter.count(), 0);
    counter.write(MAXIMUM, false).unwrap();
    let writer = thread::spawn({
        let counter = counter.clone();
        move || counter.write(1, false)
    });
    assert_eq!(counter.read(false), Ok(1));
    writer.join().unwrap().unwrap();
    assert_eq!(counter.count(), MAXIMUM);
}
