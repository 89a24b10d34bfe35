//! Calls one by one: errors, limits, places, growth, views.
mod common;

use abi::Errno;
use common::{Balance, LIMITS, Plain, ROOM, Real, TestFile, load, store, touch};
use memory::page_table::{Copied, Counts, Found, Mapping, OutOfMemory, Page, Rights};
use memory::{Frame, PAGE_SIZE, Reader, USER_END, Writer};
use mm::{
    Access, AddressSpace, Advice, Area, AreaFlags, Backing, FaultError, FaultKind, Layout, Limits, LockAll, MapRequest,
    Pages, Place, RemapFlags, Special, SyncFlags,
};
use std::ops::Range;
use std::sync::{Arc, Mutex};

type Space = Arc<AddressSpace<Real>>;

const PAGES_16: usize = 16 * PAGE_SIZE;
const DATA: Rights = Rights::READ.union(Rights::WRITE);

fn space() -> Space {
    AddressSpace::new(Layout::new(&LIMITS, None)).unwrap()
}

fn at(place: Place, length: usize) -> MapRequest {
    MapRequest { place, ..MapRequest::anonymous(length, DATA) }
}

fn fixed(space: &Space, start: usize, length: usize) -> usize {
    space.mmap(at(Place::Fixed(start), length), &LIMITS).unwrap()
}

fn lines(space: &Space) -> Vec<String> {
    let mut lines = Vec::new();
    space.for_each_area(0, |area| {
        lines.push(area.to_string());
        true
    });
    lines
}

fn stack(space: &Space) -> usize {
    let top = space.layout().stack_top;
    let mut request = at(Place::Fixed(top - 2 * PAGE_SIZE), 2 * PAGE_SIZE);
    request.area.flags = AreaFlags::GROWS_DOWN;
    space.mmap(request, &LIMITS).unwrap();
    top
}

#[test]
fn places_are_chosen_as_on_linux() {
    let _balance = Balance::new();
    let space = space();
    let base = 0x7fff_f7ff_f000;
    let map = |request| space.mmap(request, &LIMITS);
    assert_eq!(map(MapRequest::anonymous(PAGE_SIZE, DATA)), Ok(base - PAGE_SIZE), "top down");
    assert_eq!(map(MapRequest::anonymous(1, Rights::READ)), Ok(base - 2 * PAGE_SIZE));
    let hint = |hint| at(Place::Anywhere { hint }, PAGES_16);
    assert_eq!(map(hint(0x1234_5678)), Ok(0x1234_6000), "hints are rounded up");
    assert_eq!(map(hint(0x1234_6000)), Ok(base - 2 * PAGE_SIZE - PAGES_16), "a taken hint counts for nothing");
    assert_eq!(map(hint(1)), Ok(mm::MAP_MINIMUM));
    assert_eq!(map(at(Place::Below2GiB { hint: 0 }, PAGES_16)), Ok(0x4000_0000));
    assert_eq!(map(at(Place::FixedNoReplace(0x4000_1000), PAGE_SIZE)), Err(Errno::EEXIST));
    assert_eq!(map(at(Place::FixedNoReplace(0x5000_0000), PAGE_SIZE)), Ok(0x5000_0000));
    assert_eq!(map(at(Place::Fixed(0x1000), PAGE_SIZE)), Err(Errno::EPERM));
    let low = MapRequest { low: true, ..at(Place::Fixed(0), PAGE_SIZE) };
    assert_eq!(map(low), Ok(0));
    for (request, error) in [
        (at(Place::Fixed(0x5000_0001), PAGE_SIZE), Errno::EINVAL),
        (at(Place::Anywhere { hint: 0 }, 0), Errno::EINVAL),
        (at(Place::Anywhere { hint: 0 }, usize::MAX - 100), Errno::ENOMEM),
        (at(Place::Anywhere { hint: 0 }, USER_END + 1), Errno::ENOMEM),
        (at(Place::Fixed(USER_END - PAGE_SIZE), 2 * PAGE_SIZE), Errno::ENOMEM),
        (at(Place::Fixed(usize::MAX & !0xfff), 2 * PAGE_SIZE), Errno::ENOMEM),
    ] {
        assert_eq!(map(request), Err(error));
    }
    let file =
        Area { backing: Backing::file(TestFile::new(b'x', 1), u64::MAX - 1), ..MapRequest::anonymous(1, DATA).area };
    assert_eq!(map(MapRequest { area: file, ..at(Place::Anywhere { hint: 0 }, PAGES_16) }), Err(Errno::EOVERFLOW));
}

#[test]
fn room_above_the_base_is_used_when_that_below_is_gone() {
    let _balance = Balance::new();
    let space = space();
    let mut request = at(Place::Fixed(mm::MAP_MINIMUM), 0x7fff_f7ff_f000 - mm::MAP_MINIMUM);
    request.area.rights = Rights::empty();
    space.mmap(request, &LIMITS).unwrap();
    let top = stack(&space);
    let start = space.mmap(MapRequest::anonymous(PAGE_SIZE, DATA), &LIMITS).unwrap();
    assert_eq!(start, 0x7fff_f7ff_f000);
    let rest = top - 2 * PAGE_SIZE - mm::STACK_GUARD - start - PAGE_SIZE;
    assert_eq!(
        space.mmap(MapRequest::anonymous(rest + 1, DATA), &LIMITS),
        Err(Errno::ENOMEM),
        "the guard gap stays free"
    );
    assert_eq!(space.mmap(MapRequest::anonymous(rest, DATA), &LIMITS), Ok(start + PAGE_SIZE));
}

#[test]
fn ranges_are_checked() {
    let _balance = Balance::new();
    let space = space();
    fixed(&space, 0x10_0000, PAGES_16);
    assert_eq!(space.munmap(0x10_0001, PAGE_SIZE), Err(Errno::EINVAL));
    assert_eq!(space.munmap(0x10_0000, 0), Err(Errno::EINVAL));
    assert_eq!(space.munmap(0x10_0000, USER_END), Err(Errno::EINVAL));
    assert_eq!(space.munmap(0x20_0000, PAGE_SIZE), Ok(()), "nothing there is no error");
    let protect = |start, length| space.mprotect(start, length, Rights::READ, &LIMITS);
    assert_eq!(protect(0x10_0001, PAGE_SIZE), Err(Errno::EINVAL));
    assert_eq!(protect(0x10_0000, 0), Ok(()));
    assert_eq!(protect(0x10_0000, usize::MAX), Err(Errno::ENOMEM));
    assert_eq!(protect(0x10_0000, PAGES_16 + 1), Err(Errno::ENOMEM), "a hole behind");
    assert_eq!(store(&space, 0x10_0000, 1), Err(FaultError::NotAllowed), "what lay before the hole has changed");
    let mut request = at(Place::Fixed(0x30_0000), PAGE_SIZE);
    request.area.may = Rights::READ;
    request.area.rights = Rights::READ;
    space.mmap(request, &LIMITS).unwrap();
    assert_eq!(space.mprotect(0x30_0000, PAGE_SIZE, DATA, &LIMITS), Err(Errno::EACCES));
}

#[test]
fn faults_say_why() {
    let _balance = Balance::new();
    let space = space();
    fixed(&space, 0x10_0000, PAGES_16);
    let fault = |address, access| space.fault(address, access, || LIMITS);
    assert_eq!(fault(0x9_ffff, Access::Read), Err(FaultError::NotMapped));
    assert_eq!(fault(usize::MAX, Access::Write), Err(FaultError::NotMapped));
    assert_eq!(fault(0xffff_8000_0000_0000, Access::Read), Err(FaultError::NotMapped));
    assert_eq!(fault(0x10_0000, Access::Execute), Err(FaultError::NotAllowed));
    assert_eq!(fault(0x10_0000, Access::Read), Ok(FaultKind::Minor));
    assert_eq!(fault(0x10_0fff, Access::Write), Ok(FaultKind::Minor), "the page of zeros is copied");
    assert_eq!(fault(0x10_0000, Access::Write), Ok(FaultKind::Spurious));
    assert_eq!(space.usage().anonymous, 1);
    let area = Area {
        rights: DATA,
        may: Rights::all(),
        flags: AreaFlags::SHARED,
        backing: Backing::file(TestFile::new(b'x', 2), 1),
    };
    let request = MapRequest { area, ..at(Place::Fixed(0x20_0000), 2 * PAGE_SIZE) };
    space.mmap(request, &LIMITS).unwrap();
    assert_eq!(fault(0x20_0000, Access::Read), Ok(FaultKind::Major));
    assert_eq!(fault(0x20_1000, Access::Read), Err(FaultError::NoBacking), "beyond the end of the file");
}

#[test]
fn what_may_only_be_written_is_read_too() {
    let _balance = Balance::new();
    let space = space();
    let backings = [Backing::Anonymous, Backing::file(TestFile::new(b'x', 2), 0)];
    for (start, backing) in [0x10_0000, 0x20_0000].into_iter().zip(backings) {
        let area = Area { rights: Rights::WRITE, may: Rights::all(), flags: AreaFlags::empty(), backing };
        space.mmap(MapRequest { area, ..at(Place::Fixed(start), PAGE_SIZE) }, &LIMITS).unwrap();
        let fault = |access| space.fault(start, access, || LIMITS);
        assert!(fault(Access::Read).is_ok());
        assert_eq!(fault(Access::Read), Ok(FaultKind::Spurious), "once is enough");
        assert_eq!(fault(Access::Write), Ok(FaultKind::Minor));
        assert_eq!(fault(Access::Write), Ok(FaultKind::Spurious));
    }
}

#[test]
fn cached_pages_around_come_along() {
    let _balance = Balance::new();
    let space = space();
    let file = TestFile::new(b'x', 64);
    (0..64).filter(|index| index % 2 == 0).for_each(|index| drop(file.cache.page(index).unwrap()));
    let area =
        Area { rights: Rights::READ, may: Rights::all(), flags: AreaFlags::empty(), backing: Backing::file(file, 3) };
    space.mmap(MapRequest { area, ..at(Place::Fixed(0x10_2000), 40 * PAGE_SIZE) }, &LIMITS).unwrap();
    assert_eq!(space.fault(0x10_2000, Access::Read, || LIMITS), Ok(FaultKind::Major));
    // Pages 3 (read) and 4, 6, …, 16 (in memory) lie in the same 64 KiB of addresses.
    assert_eq!(space.usage().file, 1 + 7);
    assert_eq!(load(&space, 0x10_3000), Ok(b'x'));
    assert_eq!(space.usage().file, 8);
}

#[test]
fn stacks_grow_to_their_limit_and_keep_their_distance() {
    let _balance = Balance::new();
    let space = space();
    let top = stack(&space);
    assert_eq!(store(&space, top - 100 * PAGE_SIZE, 1), Ok(()));
    assert_eq!(space.usage().stack, 100);
    assert_eq!(space.fault(top - (8 << 20) - 1, Access::Write, || LIMITS), Err(FaultError::NotMapped), "RLIMIT_STACK");
    assert_eq!(store(&space, top - (8 << 20), 1), Ok(()));
    let unlimited = || Limits::NONE;
    let below = top - (16 << 20);
    fixed(&space, below - PAGE_SIZE, PAGE_SIZE);
    assert_eq!(space.fault(below + mm::STACK_GUARD - 1, Access::Write, unlimited), Err(FaultError::NotMapped));
    assert_eq!(space.fault(below + mm::STACK_GUARD, Access::Write, unlimited), Ok(FaultKind::Minor));
    assert_eq!(
        space.mmap(at(Place::Anywhere { hint: below }, PAGE_SIZE), &LIMITS),
        Ok(0x7fff_f7ff_e000),
        "not so near"
    );
}

#[test]
fn the_break_moves() {
    let _balance = Balance::new();
    let space = space();
    space.set_heap_start(0x5555_5555_8123);
    assert_eq!(space.brk(0, &LIMITS), 0x5555_5555_8123);
    assert_eq!(space.brk(0x5555_5555_9000, &LIMITS), 0x5555_5555_9000, "still in no page of its own");
    assert_eq!(space.brk(0x5555_5556_0001, &LIMITS), 0x5555_5556_0001);
    assert_eq!(store(&space, 0x5555_5556_0fff, 7), Ok(()));
    assert!(lines(&space)[0].ends_with(" [heap]"), "{:?}", lines(&space));
    assert_eq!(space.brk(0x5555_5555_9001, &LIMITS), 0x5555_5555_9001);
    assert_eq!(load(&space, 0x5555_5556_0fff), Err(FaultError::NotMapped));
    fixed(&space, 0x5555_5557_0000, PAGE_SIZE);
    assert_eq!(space.brk(0x5555_5557_0000, &LIMITS), 0x5555_5555_9001, "a page stays free below a neighbour");
    assert_eq!(space.brk(0x5555_5556_f000, &LIMITS), 0x5555_5556_f000);
    let small = Limits { data: 0x1000, ..LIMITS };
    assert_eq!(space.brk(0x5555_5557_0000 - 1, &small), 0x5555_5556_f000);
    assert_eq!(space.brk(usize::MAX, &LIMITS), 0x5555_5556_f000);
}

#[test]
fn limits_hold() {
    let _balance = Balance::new();
    let space = space();
    let limits = Limits { address_space: PAGES_16 as u64, data: 8 * PAGE_SIZE as u64, ..LIMITS };
    let map = |length, rights| space.mmap(MapRequest::anonymous(length, rights), &limits);
    assert_eq!(map(9 * PAGE_SIZE, DATA), Err(Errno::ENOMEM), "RLIMIT_DATA");
    let start = map(PAGES_16, Rights::READ).unwrap();
    assert_eq!(map(1, Rights::READ), Err(Errno::ENOMEM), "RLIMIT_AS");
    assert_eq!(space.mprotect(start, 9 * PAGE_SIZE, DATA, &limits), Err(Errno::ENOMEM));
    assert_eq!(space.mprotect(start, 8 * PAGE_SIZE, DATA, &limits), Ok(()));
    assert_eq!(space.mmap(at(Place::Fixed(start + 8 * PAGE_SIZE), PAGE_SIZE), &limits), Err(Errno::ENOMEM));
    let replace = MapRequest { place: Place::Fixed(start), ..MapRequest::anonymous(PAGES_16, Rights::READ) };
    assert_eq!(space.mmap(replace, &limits), Ok(start), "what is replaced does not count twice");
    assert_eq!(space.mmap(MapRequest::anonymous(1 << 45, DATA), &LIMITS), Err(Errno::ENOMEM), "overcommit");
    let mut idle = MapRequest::anonymous(1 << 45, DATA);
    idle.area.flags = AreaFlags::NO_RESERVE;
    assert!(space.mmap(idle, &LIMITS).is_ok());
}

#[test]
fn remap_refuses_as_linux_does() {
    let _balance = Balance::new();
    let space = space();
    fixed(&space, 0x10_0000, PAGES_16);
    fixed(&space, 0x11_0000 + PAGE_SIZE, PAGE_SIZE);
    let remap = |old, length, new, flags, to| space.mremap(old, length, new, flags, to, &LIMITS);
    let (none, may_move) = (RemapFlags::empty(), RemapFlags::MAY_MOVE);
    assert_eq!(remap(0x10_0001, PAGE_SIZE, PAGE_SIZE, none, 0), Err(Errno::EINVAL));
    assert_eq!(remap(0x10_0000, PAGE_SIZE, 0, none, 0), Err(Errno::EINVAL));
    assert_eq!(remap(0x10_0000, 0, PAGE_SIZE, may_move, 0), Err(Errno::EINVAL));
    assert_eq!(remap(0x10_0000, PAGE_SIZE, PAGE_SIZE, RemapFlags::FIXED, 0x20_0000), Err(Errno::EINVAL));
    assert_eq!(remap(0x30_0000, PAGE_SIZE, 2 * PAGE_SIZE, may_move, 0), Err(Errno::EFAULT));
    assert_eq!(remap(0x10_0000, 18 * PAGE_SIZE, 20 * PAGE_SIZE, may_move, 0), Err(Errno::EFAULT));
    assert_eq!(remap(0x10_0000, PAGES_16, PAGES_16 + 2 * PAGE_SIZE, none, 0), Err(Errno::ENOMEM), "no room behind");
    assert_eq!(remap(0x10_0000, PAGES_16, PAGES_16 + PAGE_SIZE, none, 0), Ok(0x10_0000));
    let both = RemapFlags::FIXED | may_move;
    assert_eq!(remap(0x10_0000, PAGES_16, PAGES_16, both, 0x10_8000), Err(Errno::EINVAL), "onto itself");
    store(&space, 0x10_3000, 9).unwrap();
    assert_eq!(remap(0x10_3000, PAGE_SIZE, 4 * PAGE_SIZE, both, 0x40_0000), Ok(0x40_0000));
    assert_eq!(load(&space, 0x40_0000), Ok(9));
    assert_eq!(load(&space, 0x10_3000), Err(FaultError::NotMapped));
}

#[test]
fn remap_leaves_the_old_place_or_maps_once_more() {
    let _balance = Balance::new();
    let space = space();
    fixed(&space, 0x10_0000, PAGES_16);
    store(&space, 0x10_3000, 9).unwrap();
    let flags = RemapFlags::MAY_MOVE | RemapFlags::DONT_UNMAP;
    let remap = |old, length, new, flags| space.mremap(old, length, new, flags, 0, &LIMITS);
    assert_eq!(remap(0x10_0000, PAGES_16, PAGE_SIZE, flags), Err(Errno::EINVAL));
    let moved = remap(0x10_0000, PAGES_16, PAGES_16, flags).unwrap();
    assert_eq!((load(&space, moved + 0x3000), load(&space, 0x10_3000)), (Ok(9), Ok(0)));
    let area = Area { rights: DATA, may: Rights::all(), flags: AreaFlags::SHARED, backing: common::shared_memory(4) };
    let first = space.mmap(MapRequest { area, ..MapRequest::anonymous(4 * PAGE_SIZE, DATA) }, &LIMITS).unwrap();
    let second = remap(first, 0, 4 * PAGE_SIZE, RemapFlags::MAY_MOVE).unwrap();
    assert_ne!(first, second);
    store(&space, second + PAGE_SIZE, 5).unwrap();
    assert_eq!(load(&space, first + PAGE_SIZE), Ok(5));
}

#[test]
fn locks_are_counted() {
    let _balance = Balance::new();
    let space = space();
    fixed(&space, 0x10_0000, PAGES_16);
    let limits = Limits { locked: 8 * PAGE_SIZE as u64, ..LIMITS };
    assert_eq!(space.mlock(0x10_0000, 1, false, &Limits { locked: 0, ..LIMITS }), Err(Errno::EPERM));
    assert_eq!(space.mlock(0x10_0000, PAGES_16, false, &limits), Err(Errno::ENOMEM));
    assert_eq!(space.mlock(0x10_0123, 7 * PAGE_SIZE, false, &limits), Ok(()));
    assert_eq!((space.usage().locked, space.usage().anonymous), (8, 8));
    assert_eq!(space.mlock(0x10_0000, 8 * PAGE_SIZE, false, &limits), Ok(()), "what is locked does not count again");
    assert_eq!(space.madvise(0x10_0000, PAGE_SIZE, Advice::DontNeed { locked: false }), Err(Errno::EINVAL));
    assert_eq!(space.msync(0x10_0000, PAGE_SIZE, SyncFlags::INVALIDATE), Err(Errno::EBUSY));
    let child = space.fork().unwrap();
    assert_eq!(child.usage().locked, 0, "locks are not inherited");
    assert_eq!(space.munlock(0x10_0000, PAGES_16), Ok(()));
    assert_eq!(space.usage().locked, 0);
    assert_eq!(space.munlock(0x10_0000, 2 * PAGES_16), Err(Errno::ENOMEM));
    let what = LockAll { current: true, future: true, on_fault: false };
    assert_eq!(space.mlockall(what, &limits), Err(Errno::ENOMEM));
    space.mlockall(what, &LIMITS).unwrap();
    assert_eq!(space.usage().anonymous, 16);
    fixed(&space, 0x20_0000, PAGE_SIZE);
    assert_eq!((space.usage().locked, space.usage().anonymous), (17, 17));
    space.munlockall().unwrap();
    assert_eq!(space.usage().locked, 0);
    assert_eq!(lines(&space).len(), 2, "joined again");
}

#[test]
fn advice_that_needs_a_look() {
    let _balance = Balance::new();
    let space = space();
    fixed(&space, 0x10_0000, PAGES_16);
    store(&space, 0x10_0000, 5).unwrap();
    assert_eq!(Advice::from_number(5), Err(Errno::EINVAL));
    assert_eq!(space.madvise(0x10_0001, PAGE_SIZE, Advice::Normal), Err(Errno::EINVAL));
    assert_eq!(space.madvise(0x10_0000, 2 * PAGES_16, Advice::WillNeed), Err(Errno::ENOMEM));
    space.madvise(0x10_0000, PAGE_SIZE, Advice::WipeOnFork).unwrap();
    space.madvise(0x10_1000, PAGE_SIZE, Advice::DontFork).unwrap();
    let child = space.fork().unwrap();
    assert_eq!(load(&child, 0x10_0000), Ok(0));
    assert_eq!(load(&child, 0x10_1000), Err(FaultError::NotMapped));
    assert_eq!(load(&space, 0x10_0000), Ok(5));
    space.madvise(0x10_0000, PAGES_16, Advice::KeepOnFork).unwrap();
    space.madvise(0x10_0000, PAGES_16, Advice::DoFork).unwrap();
    assert_eq!(lines(&space).len(), 1);
    space.madvise(0x10_0000, PAGES_16, Advice::PopulateWrite).unwrap();
    assert_eq!(space.usage().anonymous, 16);
    let mut residence = [9; 17];
    assert_eq!(space.mincore(0x10_0000, &mut residence), Err(Errno::ENOMEM));
    space.madvise(0x10_3000, PAGE_SIZE, Advice::DontNeed { locked: false }).unwrap();
    space.mincore(0x10_0000, &mut residence[..16]).unwrap();
    assert_eq!(residence[2..5], [1, 0, 1]);
}

#[test]
fn files_lines_and_residence() {
    let _balance = Balance::new();
    let space = space();
    let area = |flags, backing| Area { rights: Rights::READ, may: Rights::all(), flags, backing };
    let file = area(AreaFlags::SHARED, Backing::file(TestFile::new(b'x', 4), 1));
    space.mmap(MapRequest { area: file, ..at(Place::Fixed(0x40_0000), 2 * PAGE_SIZE) }, &LIMITS).unwrap();
    let frame = Frame::allocate_zeroed().unwrap();
    frame.write(0, b"v");
    let special = Arc::new(Special { name: "[vdso]", frames: vec![frame] });
    let vdso = area(AreaFlags::SPECIAL, Backing::Special { special, page: 0 });
    space.mmap(MapRequest { area: vdso, ..at(Place::Fixed(0x7fff_f7fc_1000), PAGE_SIZE) }, &LIMITS).unwrap();
    assert_eq!(load(&space, 0x7fff_f7fc_1000), Ok(b'v'));
    stack(&space);
    let expected = [
        "00400000-00402000 r--s 00001000 08:01 120                                /file-x",
        "7ffff7fc1000-7ffff7fc2000 r--p 00000000 00:00 0                          [vdso]",
        "7fffffffd000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]",
    ];
    assert_eq!(lines(&space), expected);
    load(&space, 0x40_0000).unwrap();
    let residence = space.residence(0x40_0000..0x40_2000);
    assert_eq!((residence.resident, residence.private_clean, residence.proportional), (1, 1, 4096));
    assert!(space.usage().total == 5 && space.usage().file == 2);
}

#[test]
fn other_programs_reach_in() {
    let _balance = Balance::new();
    let (space, _child) = (space(), ());
    fixed(&space, 0x10_0000, 2 * PAGE_SIZE);
    let text: Vec<u8> = (0..6000u32).map(|index| index as u8).collect();
    assert_eq!(space.write_remote(0x10_0ffe, &mut Reader::kernel(&text)), Ok(4098), "up to the end of what is mapped");
    let mut back = [0; 3];
    assert_eq!(space.read_remote(0x10_0fff, &mut Writer::kernel(&mut back)), Ok(3));
    assert_eq!(back, text[1..4]);
    assert_eq!(space.read_remote(0x9000, &mut Writer::kernel(&mut back)), Err(Errno::EFAULT));
    assert_eq!(space.read_remote(usize::MAX - 1, &mut Writer::kernel(&mut back)), Err(Errno::EFAULT));
    space.mprotect(0x10_0000, PAGE_SIZE, Rights::READ, &LIMITS).unwrap();
    assert_eq!(space.write_remote(0x10_0000, &mut Reader::kernel(b"x")), Err(Errno::EFAULT));
}

#[test]
fn ten_thousand_areas() {
    let _balance = Balance::new();
    let space = space();
    let began = std::time::Instant::now();
    for index in 0..10_000 {
        fixed(&space, 0x1_0000_0000 + index * 2 * PAGE_SIZE, PAGE_SIZE);
    }
    for index in 0..10_000 {
        store(&space, 0x1_0000_0000 + index * 2 * PAGE_SIZE, 1).unwrap();
        let start = space.mmap(MapRequest::anonymous(2 * PAGE_SIZE, Rights::READ), &LIMITS).unwrap();
        space.munmap(start, PAGE_SIZE).unwrap();
    }
    let child = space.fork().unwrap();
    assert_eq!(child.usage().areas, space.usage().areas);
    drop(child);
    // A scan of the areas at each call would take minutes.
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

#[test]
fn areas_are_limited() {
    let _balance = Balance::new();
    let space = space();
    for index in 0..mm::MAX_MAP_COUNT {
        fixed(&space, 0x1_0000_0000 + index * 4 * PAGE_SIZE, 3 * PAGE_SIZE);
    }
    assert_eq!(space.mmap(MapRequest::anonymous(PAGE_SIZE, Rights::EXECUTE), &LIMITS), Err(Errno::ENOMEM));
    assert_eq!(space.munmap(0x1_0000_1000, PAGE_SIZE), Err(Errno::ENOMEM), "one more would be left");
    assert_eq!(space.mprotect(0x1_0000_1000, PAGE_SIZE, Rights::READ, &LIMITS), Err(Errno::ENOMEM));
    assert_eq!(space.usage().total, mm::MAX_MAP_COUNT * 3);
    space.munmap(0x1_0000_0000, PAGE_SIZE).unwrap();
    assert_eq!(space.munmap(0x1_0000_1000, 2 * PAGE_SIZE), Ok(()));
}

#[test]
fn a_fork_without_memory_leaves_nothing() {
    let _balance = Balance::new();
    let space = AddressSpace::<Plain>::new(Layout::new(&LIMITS, None)).unwrap();
    let request = MapRequest { populate: true, ..at(Place::Fixed(0x10_0000), PAGES_16) };
    space.mmap(request, &LIMITS).unwrap();
    ROOM.set(7);
    assert_eq!(space.fork().err(), Some(Errno::ENOMEM));
    ROOM.set(usize::MAX);
    assert_eq!(space.pages().flushes.load(std::sync::atomic::Ordering::Relaxed), 1, "some pages became read-only");
    for page in 0..16 {
        assert_eq!(store(&space, 0x10_0000 + page * PAGE_SIZE, 1), Ok(()));
    }
    assert_eq!(space.usage().anonymous, 16);
}

/// Page tables during whose first [`Pages::map`] another thread cuts a file off.
struct Racing(Plain);

static CUT: Mutex<Option<Arc<TestFile>>> = Mutex::new(None);

impl Pages for Racing {
    fn new() -> Option<Self> {
        Plain::new().map(Self)
    }
    fn map(&self, address: usize, frames: &mut [Option<Frame>], mapping: Mapping) -> Result<usize, OutOfMemory> {
        if let Some(file) = CUT.lock().unwrap().take() {
            std::thread::spawn(move || file.cache.truncate(0)).join().unwrap();
        }
        self.0.map(address, frames, mapping)
    }
    fn resolve(&self, address: usize, write: bool) -> Found {
        self.0.resolve(address, write)
    }
    fn replace(&self, address: usize, old: &Frame, new: Frame, mapping: Mapping) -> bool {
        self.0.replace(address, old, new, mapping)
    }
    fn protect(&self, range: Range<usize>, rights: Rights) {
        self.0.protect(range, rights);
    }
    fn unmap(&self, range: Range<usize>) -> Counts {
        self.0.unmap(range)
    }
    fn copy(&self, child: &Self, range: Range<usize>, files: bool) -> Result<Copied, OutOfMemory> {
        self.0.copy(&child.0, range, files)
    }
    fn relocate(&self, range: Range<usize>, to: usize) -> Result<(), OutOfMemory> {
        self.0.relocate(range, to)
    }
    fn flush(&self, range: Range<usize>) {
        self.0.flush(range);
    }
    fn scan(&self, range: Range<usize>, visit: &mut dyn FnMut(usize, Page)) {
        self.0.scan(range, visit);
    }
}

#[test]
fn a_page_cut_off_during_its_fault_does_not_stay() {
    let _balance = Balance::new();
    let space = AddressSpace::<Racing>::new(Layout::new(&LIMITS, None)).unwrap();
    let file = TestFile::new(b'x', 4);
    let area =
        Area { rights: DATA, may: Rights::all(), flags: AreaFlags::SHARED, backing: Backing::file(file.clone(), 0) };
    space.mmap(MapRequest { area, ..at(Place::Fixed(0x10_0000), PAGES_16) }, &LIMITS).unwrap();
    *CUT.lock().unwrap() = Some(file);
    assert_eq!(touch(&space, 0x10_0000, Access::Read).err(), Some(FaultError::NoBacking));
    assert_eq!(space.usage().file, 0);
}

#[test]
fn threads_fault_while_others_map_and_fork() {
    let _balance = Balance::new();
    let space = space();
    fixed(&space, 0x10_0000, 4 * PAGES_16);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let space = &space;
            scope.spawn(move || {
                for round in 0..2000usize {
                    let page = 0x10_0000 + (round * 3 + thread) % 64 * PAGE_SIZE;
                    assert!(space.fault(page, Access::Write, || LIMITS).is_ok());
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..100 {
                let child = space.fork().unwrap();
                assert_eq!(load(&child, 0x10_0000), Ok(0));
            }
        });
        scope.spawn(|| {
            for round in 0..1000 {
                let start = 0x10_0000 + round % 60 * PAGE_SIZE;
                space.madvise(start, 4 * PAGE_SIZE, Advice::DontNeed { locked: false }).unwrap();
                space.mprotect(start, PAGE_SIZE, DATA, &LIMITS).unwrap();
                let other = space.mmap(MapRequest::anonymous(PAGE_SIZE, DATA), &LIMITS).unwrap();
                space.munmap(other, PAGE_SIZE).unwrap();
            }
        });
    });
    let mut present = 0;
    space.pages().scan(0..USER_END, &mut |_, page: Page| {
        present += usize::from(page.kind != memory::page_table::PageKind::Zero)
    });
    assert_eq!(space.usage().anonymous, present);
}
