use super::*;
use abi::raw::general::EPOLLOUT;
use std::sync::atomic::AtomicU32 as Word;
use std::time::Duration;

/// Something with a mask that tests set, or an epoll.
enum Fake {
    Plain(Arc<Plain>),
    Epoll(Arc<Epoll<Fake>>),
}

struct Plain {
    mask: Word,
    asked: Word,
    readiness: Readiness,
}

impl Plain {
    fn new() -> Arc<Self> {
        Arc::new(Self { mask: Word::new(0), asked: Word::new(0), readiness: Readiness::new() })
    }

    fn set(&self, mask: u32) {
        self.mask.store(mask, Ordering::SeqCst);
        self.readiness.notify();
    }
}

impl Source for Fake {
    fn poll(&self, registrations: Option<&mut Registrations>) -> Option<u32> {
        match self {
            Self::Plain(plain) => {
                if let Some(registrations) = registrations {
                    plain.readiness.register(registrations).unwrap();
                }
                plain.asked.fetch_add(1, Ordering::Relaxed);
                Some(plain.mask.load(Ordering::SeqCst))
            }
            Self::Epoll(epoll) => epoll.poll(registrations).ok(),
        }
    }

    fn as_epoll(&self) -> Option<Arc<Epoll<Self>>> {
        match self {
            Self::Plain(_) => None,
            Self::Epoll(epoll) => Some(epoll.clone()),
        }
    }
}

fn add(epoll: &Epoll<Fake>, key: u32, plain: &Arc<Plain>, events: u32) {
    epoll.add((0, key), Fake::Plain(plain.clone()), Interest { events, data: u64::from(key) }).unwrap();
}

fn now(epoll: &Epoll<Fake>, most: usize) -> Vec<(u32, u64)> {
    let mut found = Vec::new();
    let keep = |events, data| {
        found.push((events, data));
        Ok(())
    };
    epoll.wait(most, Some(0), keep).unwrap();
    found
}

#[test]
fn level_edge_and_one_shot() {
    let epoll = Epoll::new();
    let plain = Plain::new();
    add(&epoll, 1, &plain, EPOLLIN);
    assert_eq!(now(&epoll, 9), []);
    plain.set(EPOLLIN | EPOLLOUT);
    assert_eq!(now(&epoll, 9), [(EPOLLIN, 1)]);
    assert_eq!(now(&epoll, 9), [(EPOLLIN, 1)]);
    plain.set(0);
    assert_eq!(now(&epoll, 9), []);
    epoll.modify((0, 1), Interest { events: EPOLLIN | EPOLLET, data: 2 }).unwrap();
    plain.set(EPOLLIN);
    assert_eq!(now(&epoll, 9), [(EPOLLIN, 2)]);
    assert_eq!(now(&epoll, 9), []);
    plain.set(EPOLLIN | EPOLLHUP);
    assert_eq!(now(&epoll, 9), [(EPOLLIN | EPOLLHUP, 2)]);
    epoll.modify((0, 1), Interest { events: EPOLLIN | EPOLLONESHOT, data: 3 }).unwrap();
    assert_eq!(now(&epoll, 9), [(EPOLLIN | EPOLLHUP, 3)]);
    plain.set(EPOLLIN);
    assert_eq!(now(&epoll, 9), []);
    epoll.remove((0, 1)).unwrap();
    assert_eq!(epoll.modify((0, 1), Interest { events: 0, data: 0 }), Err(Errno::ENOENT));
}

#[test]
fn idle_items_are_not_asked_and_ready_ones_take_turns() {
    let epoll = Epoll::new();
    let plains: Vec<_> = (0..1000).map(|_| Plain::new()).collect();
    plains.iter().zip(0..).for_each(|(plain, key)| add(&epoll, key, plain, EPOLLIN));
    plains.iter().take(3).for_each(|plain| plain.set(EPOLLIN));
    let asked = || plains.iter().map(|plain| plain.asked.load(Ordering::Relaxed)).sum::<u32>();
    let before = asked();
    assert_eq!(now(&epoll, 2), [(EPOLLIN, 0), (EPOLLIN, 1)]);
    assert_eq!(now(&epoll, 2), [(EPOLLIN, 2), (EPOLLIN, 0)]);
    assert_eq!(asked() - before, 4);
}

#[test]
fn an_item_removed_while_ready_is_not_reported() {
    let epoll = Epoll::new();
    let plain = Plain::new();
    for _ in 0..100 {
        add(&epoll, 1, &plain, EPOLLIN);
        plain.set(EPOLLIN);
        epoll.remove((0, 1)).unwrap();
    }
    assert_eq!(now(&epoll, 9), []);
    assert_eq!(Arc::strong_count(&plain), 1);
}

#[test]
fn a_waiter_is_woken_and_circles_are_refused() {
    let (inner, outer) = (Epoll::new(), Epoll::new());
    let plain = Plain::new();
    add(&inner, 1, &plain, EPOLLIN);
    let nest = |outer: &Arc<Epoll<Fake>>, inner: &Arc<Epoll<Fake>>, key| {
        let interest = Interest { events: EPOLLIN, data: 7 };
        outer.nest(inner, || outer.add((1, key), Fake::Epoll(inner.clone()), interest)).map(|_| ())
    };
    nest(&outer, &inner, 0).unwrap();
    assert_eq!(nest(&inner, &outer, 0), Err(Errno::ELOOP));
    assert_eq!(nest(&inner, &inner, 0), Err(Errno::ELOOP));
    let waker = {
        let plain = plain.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            plain.set(EPOLLIN);
        })
    };
    let mut found = Vec::new();
    let keep = |events, data| {
        found.push((events, data));
        Ok(())
    };
    assert_eq!(outer.wait(1, None, keep), Ok(1));
    assert_eq!(found, [(EPOLLIN, 7)]);
    waker.join().unwrap();
    let mut top = outer.clone();
    for depth in 0..4 {
        let next = Epoll::new();
        assert_eq!(nest(&next, &top, 0).is_ok(), depth < 3, "{depth}");
        top = next;
    }
    for epoll in [&outer, &inner] {
        epoll.close(|_| ());
    }
    assert_eq!(Arc::strong_count(&plain), 1);
}
