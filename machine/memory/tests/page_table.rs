//! Page tables against a slow, obvious model: a map from page to what its entry must say. In a process of its own, one test at
//! a time, so that free frames can be counted before and after.
use memory::page_table::{Counts, Found, Mapping, PageKind, Rights};
use memory::{Frame, PAGE_SIZE, PageTable, USER_END};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Checks when dropped that as many frames are free as when made.
struct Balance(usize, #[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

fn free_frames() -> usize {
    memory::statistics().iter().map(|zone| zone.free).sum()
}

impl Balance {
    fn new() -> Self {
        let guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poison| poison.into_inner());
        Self(free_frames(), guard)
    }
}

impl Drop for Balance {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(free_frames(), self.0, "frames leaked");
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Expected {
    frame: Frame,
    writable: bool,
    kind: PageKind,
}

#[derive(Default)]
struct Model(BTreeMap<usize, Expected>);

/// Pages in clusters: around a boundary of leaf tables, one of middle tables, and near the end.
fn page(number: usize) -> usize {
    const BASES: [usize; 3] = [0x5555_5540_0000 - 0x8000, 0x7fff_c000_0000 - 0x8000, USER_END - 0x10000];
    BASES[number / 16 % 3] + number % 16 * PAGE_SIZE
}

fn check(table: &PageTable, model: &Model) {
    let mut seen = BTreeMap::new();
    table.scan(0..USER_END, &mut |address, page| {
        seen.insert(address, (page.kind, page.writable));
    });
    let expected: BTreeMap<_, _> = model.0.iter().map(|(&at, page)| (at, (page.kind, page.writable))).collect();
    assert_eq!(seen, expected);
    for (&address, expected) in &model.0 {
        match table.resolve(address, false) {
            Found::Allowed(frame) => assert_eq!(frame, expected.frame),
            other => panic!("{other:?}"),
        }
    }
}

const RIGHTS: Rights = Rights::READ.union(Rights::WRITE);

impl Model {
    fn counts(&self, from: usize, to: usize) -> Counts {
        let of = |kind| self.0.range(from..to).filter(|(_, page)| page.kind == kind).count();
        Counts { anonymous: of(PageKind::Anonymous), file: of(PageKind::File) }
    }
}

/// One write fault, as the floor above does it.
fn write(table: &PageTable, model: &mut Model, address: usize) {
    match table.resolve(address, true) {
        Found::Empty => {
            assert!(!model.0.contains_key(&address));
            let frame = Frame::allocate_zeroed().unwrap();
            model.0.insert(address, Expected { frame: frame.clone(), writable: true, kind: PageKind::Anonymous });
            let entered = table.map(address, &mut [Some(frame)], Mapping { rights: RIGHTS, kind: PageKind::Anonymous });
            assert_eq!(entered, Ok(1));
        }
        Found::Allowed(frame) => {
            let page = model.0.get_mut(&address).unwrap();
            assert_eq!(page.frame, frame);
            assert!(page.writable, "the model's reference makes every page shared");
        }
        Found::ReadOnly(old, kind) => {
            let page = model.0.get_mut(&address).unwrap();
            assert_eq!((&page.frame, page.kind, page.writable), (&old, kind, false));
            let new = Frame::allocate_zeroed().unwrap();
            let mapping = Mapping { rights: RIGHTS, kind: PageKind::Anonymous };
            assert!(table.replace(address, &old, new.clone(), mapping));
            assert!(!table.replace(address, &old, new.clone(), mapping), "only once");
            *page = Expected { frame: new, writable: true, kind: PageKind::Anonymous };
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn like_a_map(steps in prop::collection::vec((0usize..10, 0usize..48, 1usize..20), 1..120)) {
        let _balance = Balance::new();
        let zero = Frame::allocate_zeroed().unwrap();
        let (table, mut model) = (PageTable::new().unwrap(), Model::default());
        for (what, number, length) in steps {
            let at = page(number);
            let end = (at + length * PAGE_SIZE).min(USER_END);
            match what {
                0..=3 => write(&table, &mut model, at),
                4 => {
                    let mut frames = [Frame::allocate(), None, Frame::allocate()];
                    let mapping = Mapping { rights: Rights::READ, kind: PageKind::File };
                    let before = frames.clone();
                    if at + 3 * PAGE_SIZE > USER_END { continue }
                    let entered = table.map(at, &mut frames, mapping).unwrap();
                    let mut expected = 0;
                    for (index, frame) in before.into_iter().enumerate() {
                        let at = at + index * PAGE_SIZE;
                        if let Some(frame) = frame.filter(|_| !model.0.contains_key(&at)) {
                            expected += 1;
                            model.0.insert(at, Expected { frame, writable: false, kind: PageKind::File });
                        }
                    }
                    prop_assert_eq!(entered, expected);
                }
                5 => if let Entry::Vacant(place) = model.0.entry(at) {
                    let mapping = Mapping { rights: Rights::READ, kind: PageKind::Zero };
                    table.map(at, &mut [Some(zero.clone())], mapping).unwrap();
                    place.insert(Expected { frame: zero.clone(), writable: false, kind: PageKind::Zero });
                },
                6 => {
                    table.protect(at..end, Rights::READ);
                    model.0.range_mut(at..end).for_each(|(_, page)| page.writable = false);
                }
                7 => {
                    let child = PageTable::new().unwrap();
                    let copied = table.copy(&child, at..end, true).unwrap();
                    prop_assert_eq!(copied.counts, model.counts(at, end));
                    for (_, page) in model.0.range_mut(at..end) {
                        prop_assert!(copied.protected || !page.writable);
                        page.writable = false;
                    }
                    let same = model.0.range(at..end).map(|(&at, page)| (at, page.clone())).collect();
                    check(&child, &Model(same));
                }
                8 => {
                    let (from, to) = (page(number)..end, page((number + 16) % 48));
                    if to + from.len() > USER_END || (from.start < to + from.len() && to < from.end) { continue }
                    table.unmap(to..to + from.len());
                    table.relocate(from.clone(), to).unwrap();
                    model.0.retain(|at, _| !(to..to + from.len()).contains(at));
                    let moved: Vec<_> = model.0.range(from.clone()).map(|(&at, page)| (at, page.clone())).collect();
                    for (at, page) in moved {
                        model.0.remove(&at);
                        model.0.insert(at - from.start + to, page);
                    }
                }
                _ => {
                    prop_assert_eq!(table.unmap(at..end), model.counts(at, end));
                    model.0.retain(|&page, _| page < at || page >= end);
                }
            }
            check(&table, &model);
            prop_assert!(table.table_pages() <= 1 + model.0.len() * 3, "empty tables are freed");
        }
        for page in model.0.values().filter(|page| page.kind != PageKind::Zero) {
            prop_assert!(page.frame.references() >= 2);
        }
        drop(table);
        for page in model.0.values().filter(|page| page.kind != PageKind::Zero) {
            prop_assert_eq!(page.frame.references(), 1, "the table gave its reference back");
        }
        drop(model);
        drop(zero);
    }
}

#[test]
fn an_unshared_page_is_written_in_place() {
    let _balance = Balance::new();
    let (table, child) = (PageTable::new().unwrap(), PageTable::new().unwrap());
    let mapping = Mapping { rights: RIGHTS, kind: PageKind::Anonymous };
    table.map(0x1000, &mut [Frame::allocate()], mapping).unwrap();
    assert!(table.copy(&child, 0..0x10000, true).unwrap().protected);
    assert!(matches!(table.resolve(0x1000, true), Found::ReadOnly(_, PageKind::Anonymous)));
    drop(child);
    assert!(matches!(table.resolve(0x1000, true), Found::Allowed(_)));
    let text = table.walk(0x1000).to_string();
    assert!(text.starts_with("level 4:") && text.contains("writable user accessed dirty anonymous"), "{text}");
}

#[test]
fn no_access_keeps_the_page_and_takes_the_right_to_write() {
    let _balance = Balance::new();
    let table = PageTable::new().unwrap();
    let mapping = Mapping { rights: RIGHTS, kind: PageKind::Anonymous };
    table.map(0x7000, &mut [Frame::allocate()], mapping).unwrap();
    table.protect(0..0x8000, Rights::empty());
    let mut pages = Vec::new();
    table.scan(0..USER_END, &mut |_, page| pages.push((page.present, page.writable)));
    assert_eq!(pages, [(false, false)]);
    table.protect(0..0x8000, RIGHTS);
    table.scan(0..USER_END, &mut |_, page| pages.push((page.present, page.writable)));
    assert_eq!(pages[1], (true, false));
}

#[test]
fn many_pages_in_batches() {
    let _balance = Balance::new();
    let table = PageTable::new().unwrap();
    let mapping = Mapping { rights: RIGHTS, kind: PageKind::Anonymous };
    for index in 0..3000 {
        table.map(0x10_0000 + index * PAGE_SIZE, &mut [Frame::allocate()], mapping).unwrap();
    }
    assert_eq!(table.unmap(0..USER_END), Counts { anonymous: 3000, file: 0 });
    assert_eq!(table.table_pages(), 1);
}

/// Stands for the other CPUs: what they see when they are asked to flush.
struct Others(Mutex<Vec<(std::ops::Range<usize>, u32)>>);

static OTHERS: Others = Others(Mutex::new(Vec::new()));
static WATCHED: Mutex<Option<Frame>> = Mutex::new(None);

impl memory::tlb::Remote for Others {
    fn flush(&self, _: &arch::CpuSet, range: std::ops::Range<usize>) {
        let references = WATCHED.lock().unwrap().as_ref().map_or(0, Frame::references);
        self.0.lock().unwrap().push((range, references));
    }
}

#[test]
fn words_are_stored_where_they_belong() {
    let _balance = Balance::new();
    let frame = Frame::allocate_zeroed().unwrap();
    frame.store_word(PAGE_SIZE - 8, 0x0102_0304_0506_0708);
    frame.store_word(0, u64::MAX);
    let mut bytes = [0; PAGE_SIZE];
    frame.read(0, &mut bytes);
    assert_eq!(
        (&bytes[..9], &bytes[PAGE_SIZE - 9..]),
        (&[255, 255, 255, 255, 255, 255, 255, 255, 0][..], &[0, 8, 7, 6, 5, 4, 3, 2, 1][..])
    );
}

#[test]
fn frames_go_after_other_cpus_have_flushed() {
    let _balance = Balance::new();
    memory::tlb::register(&OTHERS);
    let table = PageTable::new().unwrap();
    table.cpus().insert(3);
    let frame = Frame::allocate().unwrap();
    *WATCHED.lock().unwrap() = Some(frame.clone());
    let mapping = Mapping { rights: RIGHTS, kind: PageKind::Anonymous };
    table.map(0x5000, &mut [Some(frame)], mapping).unwrap();
    table.unmap(0..0x9000);
    assert_eq!(*OTHERS.0.lock().unwrap(), [(0x5000..0x6000, 2)], "flushed once, while the entry's reference lived");
    assert!(WATCHED.lock().unwrap().take().unwrap().is_unique());
    table.unmap(0..0x9000);
    table.protect(0..0x9000, Rights::READ);
    assert_eq!(OTHERS.0.lock().unwrap().len(), 1, "no flush for nothing");
    table.map(0x5000, &mut [Frame::allocate()], mapping).unwrap();
    table.protect(0..0x9000, RIGHTS);
    assert_eq!(OTHERS.0.lock().unwrap().len(), 1, "no flush for more rights");
    table.protect(0..0x9000, Rights::READ);
    assert_eq!(OTHERS.0.lock().unwrap().len(), 2);
    table.cpus().remove(3);
}
