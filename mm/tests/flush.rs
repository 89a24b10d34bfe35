//! Which calls have other CPUs forget what they remember, and how often. A process of its own, since there is one way to the
//! other CPUs.
mod common;

use common::{Balance, LIMITS, Real, store};
use memory::PAGE_SIZE;
use memory::page_table::Rights;
use mm::{AddressSpace, Advice, Layout, MapRequest, Place};
use std::ops::Range;
use std::sync::Mutex;

static ASKED: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

struct Others;

impl memory::tlb::Remote for Others {
    fn flush(&self, cpus: &arch::CpuSet, range: Range<usize>) {
        assert!(cpus.contains(5));
        ASKED.lock().unwrap().push((range.start, range.end));
    }
}

fn asked() -> Vec<(usize, usize)> {
    std::mem::take(&mut ASKED.lock().unwrap())
}

#[test]
fn flushes() {
    let _balance = Balance::new();
    memory::tlb::register(&Others);
    let data = Rights::READ | Rights::WRITE;
    let space = AddressSpace::<Real>::new(Layout::new(&LIMITS, None)).unwrap();
    space.pages().0.cpus().insert(5);
    let start = 0x10_0000;
    let length = 16 * PAGE_SIZE;
    let request = MapRequest { place: Place::Fixed(start), populate: true, ..MapRequest::anonymous(length, data) };
    space.mmap(request, &LIMITS).unwrap();
    assert_eq!(asked(), [], "new pages are in nobody's way");

    let child = space.fork().unwrap();
    assert_eq!(asked(), [(0, memory::USER_END)], "once, however many areas");
    store(&space, start, 1).unwrap();
    assert_eq!(asked(), [(start, start + PAGE_SIZE)], "the page that others still read");
    drop(child);
    assert_eq!(asked(), [], "nobody ran in the child");
    store(&space, start + PAGE_SIZE, 1).unwrap();
    assert_eq!(asked(), [], "taken over in place");

    space.mprotect(start, length, Rights::READ, &LIMITS).unwrap();
    assert_eq!(asked().len(), 1);
    space.mprotect(start, length, data, &LIMITS).unwrap();
    assert_eq!(asked(), [], "more rights need no flush");
    space.madvise(start, PAGE_SIZE, Advice::DontNeed { locked: false }).unwrap();
    assert_eq!(asked(), [(start, start + PAGE_SIZE)]);
    space.munmap(start, length).unwrap();
    assert_eq!(asked(), [(start + PAGE_SIZE, start + length)], "one flush for all");
    space.munmap(start, length).unwrap();
    assert_eq!(asked(), []);
    space.pages().0.cpus().remove(5);
}
