//! Tables of descriptors against a map.
use abi::Errno;
use abi::file::OpenFlags;
use abi::time::Timespec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use vfs::{AnonymousKind, Clock, Credentials, DescriptorTable, FileOperations, OpenFile, Vfs};

struct Still;

impl Clock for Still {
    fn now(&self) -> Timespec {
        Timespec::default()
    }
}

struct Nothing;

impl FileOperations for Nothing {}

fn files(count: usize) -> Vec<Arc<OpenFile>> {
    let vfs = Vfs::new(Arc::new(Still));
    let credentials = Arc::new(Credentials::root());
    let path = vfs.anonymous_path(AnonymousKind::Pipe).unwrap();
    let flags = OpenFlags::empty();
    (0..count).map(|_| vfs.anonymous_file(path.clone(), Arc::new(Nothing), flags, &credentials)).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Install(usize, bool),
    Close(u32),
    Duplicate(u32, u32, bool),
    DuplicateTo(u32, u32, bool),
    Mark(u32, bool),
    MarkRange(u32, u32),
    CloseRange(u32, u32),
    Fork,
    Exec,
}

const FILES: usize = 4;

fn step() -> impl Strategy<Value = Step> {
    let number = || prop_oneof![6 => 0..12u32, 1 => 60..70u32, 1 => 4090..4100u32, 1 => Just(u32::MAX)];
    prop_oneof![
        6 => (0..FILES, any::<bool>()).prop_map(|(file, mark)| Step::Install(file, mark)),
        3 => number().prop_map(Step::Close),
        2 => (number(), number(), any::<bool>()).prop_map(|(from, minimum, mark)| Step::Duplicate(from, minimum, mark)),
        2 => (number(), number(), any::<bool>()).prop_map(|(from, to, mark)| Step::DuplicateTo(from, to, mark)),
        1 => (number(), any::<bool>()).prop_map(|(number, mark)| Step::Mark(number, mark)),
        1 => (number(), number()).prop_map(|(first, last)| Step::MarkRange(first, last)),
        1 => (number(), number()).prop_map(|(first, last)| Step::CloseRange(first, last)),
        1 => Just(Step::Fork),
        1 => Just(Step::Exec),
    ]
}

type Model = BTreeMap<u32, (usize, bool)>;

fn lowest(model: &Model, minimum: u32, limit: u64) -> Result<u32, Errno> {
    let free = (minimum..).find(|number| !model.contains_key(number)).unwrap();
    if u64::from(free) < limit { Ok(free) } else { Err(Errno::EMFILE) }
}

fn index_of(files: &[Arc<OpenFile>], file: &Arc<OpenFile>) -> usize {
    files.iter().position(|other| Arc::ptr_eq(other, file)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn agrees_with_a_map(steps in prop::collection::vec(step(), 1..100), limit in prop_oneof![Just(8u64), Just(5000)]) {
        let files = files(FILES);
        let mut table = DescriptorTable::new();
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Install(file, mark) => {
                    let expected = lowest(&model, 0, limit);
                    prop_assert_eq!(table.install(files[file].clone(), mark, limit), expected);
                    expected.ok().map(|number| model.insert(number, (file, mark)));
                }
                Step::Close(number) => {
                    let closed = table.close(number).map(|file| index_of(&files, &file));
                    prop_assert_eq!(closed, model.remove(&number).map(|entry| entry.0).ok_or(Errno::EBADF));
                }
                Step::Duplicate(from, minimum, mark) => {
                    let source = model.get(&from).map(|entry| entry.0);
                    let expected = match source {
                        None => Err(Errno::EBADF),
                        Some(_) if u64::from(minimum) >= limit => Err(Errno::EINVAL),
                        Some(_) => lowest(&model, minimum, limit),
                    };
                    prop_assert_eq!(table.duplicate(from, minimum, mark, limit), expected);
                    expected.ok().map(|number| model.insert(number, (source.unwrap(), mark)));
                }
                Step::DuplicateTo(from, to, mark) if from != to => {
                    let source = model.get(&from).map(|entry| entry.0).filter(|_| u64::from(to) < limit);
                    let answer = table.duplicate_to(from, to, mark, limit);
                    let answer = answer.map(|old| old.map(|file| index_of(&files, &file)));
                    match source {
                        None => prop_assert_eq!(answer, Err(Errno::EBADF)),
                        Some(file) => {
                            prop_assert_eq!(answer, Ok(model.insert(to, (file, mark)).map(|entry| entry.0)));
                        }
                    }
                }
                Step::DuplicateTo(..) => {}
                Step::Mark(number, mark) => {
                    let known = model.get_mut(&number).map(|entry| entry.1 = mark).ok_or(Errno::EBADF);
                    prop_assert_eq!(table.set_close_on_exec(number, mark), known);
                }
                Step::MarkRange(first, last) if first <= last => {
                    table.set_close_on_exec_range(first..=last);
                    model.range_mut(first..=last).for_each(|(_, entry)| entry.1 = true);
                }
                Step::CloseRange(first, last) if first <= last => {
                    let mut count = 0;
                    table.close_range(first..=last, |_| count += 1);
                    let before = model.len();
                    model.retain(|number, _| !(first..=last).contains(number));
                    prop_assert_eq!(count, before - model.len());
                }
                Step::MarkRange(..) | Step::CloseRange(..) => {}
                Step::Fork => table = table.fork().unwrap(),
                Step::Exec => {
                    table.close_for_exec(drop);
                    model.retain(|_, entry| !entry.1);
                }
            }
            let (mut from, mut seen) = (0, Model::new());
            while let Some((number, file)) = table.next_open(from) {
                prop_assert!(Arc::ptr_eq(&file, &table.get(number).unwrap()));
                seen.insert(number, (index_of(&files, &file), table.close_on_exec(number).unwrap()));
                from = number + 1;
            }
            prop_assert_eq!(&seen, &model);
        }
        drop(table);
        prop_assert!(files.iter().all(|file| Arc::strong_count(file) == 1));
    }
}

#[test]
fn a_reservation_is_neither_free_nor_open() {
    let files = files(1);
    let table = DescriptorTable::new();
    let reserved = table.reserve(0, true, 100).unwrap();
    assert_eq!(reserved.number(), 0);
    assert_eq!(table.get(0).err(), Some(Errno::EBADF));
    assert_eq!(table.install(files[0].clone(), false, 100), Ok(1));
    assert_eq!(table.duplicate_to(1, 0, false, 100).err(), Some(Errno::EBUSY));
    drop(reserved);
    let reserved = table.reserve(0, true, 100).unwrap();
    assert_eq!(reserved.fill(files[0].clone()), 0);
    assert_eq!(table.close_on_exec(0), Ok(true));
}

#[test]
fn many_descriptors_are_found_in_order() {
    let files = files(1);
    let table = DescriptorTable::new();
    for expected in 0..20_000 {
        assert_eq!(table.install(files[0].clone(), false, 1 << 20), Ok(expected));
    }
    for number in [19_999, 4096, 63, 64, 12_345] {
        table.close(number).unwrap();
    }
    for expected in [63, 64, 4096, 12_345, 19_999, 20_000] {
        assert_eq!(table.install(files[0].clone(), false, 1 << 20), Ok(expected));
    }
}
