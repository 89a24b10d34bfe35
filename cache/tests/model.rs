//! The cache against a vector of bytes, over a backing of zeros and over one that stores.
use abi::Errno;
use cache::{Backing, Behaviour, Mapper, PageCache, PageError};
use memory::{Frame, Reader, Writer};
use proptest::prelude::*;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Zeros, counted.
#[derive(Default)]
struct Zeros(AtomicI64);

impl Backing for Zeros {
    fn behaviour(&self) -> Behaviour {
        Behaviour { absent_is_zero: true, write_back: false }
    }
    fn load(&self, _: u64) -> Result<Frame, Errno> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Frame::allocate_zeroed().ok_or(Errno::ENOMEM)
    }
    fn make(&self, _: u64) -> Result<Frame, Errno> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let frame = Frame::allocate().ok_or(Errno::ENOMEM)?;
        frame.write(0, &[0xaa; 4096]);
        Ok(frame)
    }
    fn left(&self, pages: u64) {
        self.0.fetch_sub(pages as i64, Ordering::Relaxed);
    }
}

/// A disk.
#[derive(Default)]
struct Disk(Mutex<HashMap<u64, Vec<u8>>>);

impl Backing for Disk {
    fn behaviour(&self) -> Behaviour {
        Behaviour { absent_is_zero: false, write_back: true }
    }
    fn load(&self, index: u64) -> Result<Frame, Errno> {
        let frame = Frame::allocate_zeroed().ok_or(Errno::ENOMEM)?;
        if let Some(page) = self.0.lock().unwrap().get(&index) {
            frame.write(0, page);
        }
        Ok(frame)
    }
    fn store(&self, index: u64, page: &Frame) -> Result<(), Errno> {
        let mut bytes = vec![0; 4096];
        page.read(0, &mut bytes);
        self.0.lock().unwrap().insert(index, bytes);
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize, Vec<u8>),
    Read(usize, usize),
    Truncate(usize),
    Punch(usize, usize),
    Touch(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let place = || prop_oneof![0..40_000usize, (0..10usize).prop_map(|page| page * 4096)];
    prop_oneof![
        (place(), prop::collection::vec(1u8.., 0..9000)).prop_map(|(at, bytes)| Step::Write(at, bytes)),
        (place(), 0..20_000usize).prop_map(|(at, length)| Step::Read(at, length)),
        place().prop_map(Step::Truncate),
        (place(), 0..20_000usize).prop_map(|(at, length)| Step::Punch(at, length)),
        (0..10u64).prop_map(Step::Touch),
    ]
}

fn run(cache: &PageCache, steps: &[Step]) -> Result<Vec<u8>, TestCaseError> {
    let mut model: Vec<u8> = Vec::new();
    for step in steps {
        match step {
            Step::Write(at, bytes) => {
                prop_assert_eq!(cache.write(*at as u64, &mut Reader::kernel(bytes)), Ok(bytes.len()));
                if !bytes.is_empty() {
                    model.resize(model.len().max(at + bytes.len()), 0);
                    model[*at..at + bytes.len()].copy_from_slice(bytes);
                }
            }
            Step::Read(at, length) => {
                let mut bytes = vec![0xee; *length];
                let count = cache.read(*at as u64, &mut Writer::kernel(&mut bytes)).unwrap();
                let expected = model.get(*at..).unwrap_or(&[]);
                prop_assert_eq!(&bytes[..count], &expected[..expected.len().min(*length)]);
            }
            Step::Truncate(size) => {
                cache.truncate(*size as u64);
                model.resize(*size, 0);
            }
            Step::Punch(at, length) => {
                cache.punch(*at as u64..(at + length) as u64).unwrap();
                let end = model.len().min(at + length);
                if let Some(hole) = model.get_mut(*at..end) {
                    hole.fill(0);
                }
            }
            Step::Touch(index) => {
                let inside = *index < model.len().div_ceil(4096) as u64;
                prop_assert_eq!(cache.page(*index).err(), (!inside).then_some(PageError::BeyondEnd));
            }
        }
        prop_assert_eq!(cache.size(), model.len() as u64);
    }
    let mut whole = vec![0; model.len()];
    prop_assert_eq!(cache.read(0, &mut Writer::kernel(&mut whole)), Ok(model.len()));
    prop_assert!(whole == model);
    Ok(model)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn memory_agrees_with_a_vector(steps in prop::collection::vec(step(), 1..30)) {
        let backing = Arc::new(Zeros::default());
        let cache = PageCache::new(backing.clone(), 0);
        run(&cache, &steps)?;
        prop_assert_eq!(backing.0.load(Ordering::Relaxed), cache.page_count() as i64);
        drop(cache);
        prop_assert_eq!(backing.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_disk_agrees_with_a_vector(steps in prop::collection::vec(step(), 1..30)) {
        let disk = Arc::new(Disk::default());
        let cache = PageCache::new(disk.clone(), 0);
        // A hole's blocks are given up by the file system, which this disk is not.
        let steps: Vec<_> = steps.into_iter().filter(|step| matches!(step, Step::Write(..) | Step::Read(..))).collect();
        let model = run(&cache, &steps)?;
        cache.write_back().unwrap();
        drop(cache);
        let again = PageCache::new(disk, model.len() as u64);
        let mut whole = vec![0; model.len()];
        prop_assert_eq!(again.read(0, &mut Writer::kernel(&mut whole)), Ok(model.len()));
        prop_assert!(whole == model);
    }
}

#[test]
fn holes_and_data_are_found() {
    let cache = PageCache::new(Arc::new(Zeros::default()), 0);
    cache.write(8192, &mut Reader::kernel(b"data")).unwrap();
    cache.truncate(20_000);
    assert_eq!(cache.seek(0, true), Some(8192));
    assert_eq!(cache.seek(8193, true), Some(8193));
    assert_eq!(cache.seek(8193, false), Some(12288));
    assert_eq!(cache.seek(12288, true), None);
    assert_eq!(cache.seek(0, false), Some(0));
    assert_eq!(cache.seek(20_000, false), None);
}

#[derive(Default)]
struct Space {
    unmapped: Mutex<Vec<Range<u64>>>,
    truncations: AtomicU64,
}

impl Mapper for Space {
    fn unmap_pages(&self, cache: &PageCache, pages: Range<u64>) {
        self.unmapped.lock().unwrap().push(pages);
        self.truncations.store(cache.truncations(), Ordering::Relaxed);
    }

    fn may_write(&self, _: &PageCache) -> bool {
        false
    }
}

#[test]
fn truncation_takes_pages_from_mappers() {
    let cache = Arc::new(PageCache::new(Arc::new(Zeros::default()), 0));
    cache.write(0, &mut Reader::kernel(&[1; 10_000])).unwrap();
    let space = Arc::new(Space::default());
    let weak: std::sync::Weak<dyn Mapper> = Arc::downgrade(&(space.clone() as Arc<dyn Mapper>));
    let registration = cache.register(weak).unwrap();
    let page = cache.page(2).unwrap();
    assert!(page.references() == 2, "the same frame, not a copy");
    page.write(4000, b"beyond the end");
    cache.truncate(5000);
    assert_eq!(space.unmapped.lock().unwrap().as_slice(), std::slice::from_ref(&(2..3)));
    assert_eq!(space.truncations.load(Ordering::Relaxed), 1, "raised before pages are unmapped");
    assert!(page.is_unique());
    let last = cache.page(1).unwrap();
    last.write(4000, b"written by a mapping behind the end");
    cache.truncate(8192);
    let mut tail = [1; 4096];
    assert_eq!(cache.read(5000, &mut Writer::kernel(&mut tail)), Ok(3192));
    assert!(tail[..3192].iter().all(|&byte| byte == 0));
    assert!(cache.is_mapped());
    drop(registration);
    assert!(!cache.is_mapped());
}

#[test]
fn faults_and_writers_meet() {
    let cache = Arc::new(PageCache::new(Arc::new(Zeros::default()), 64 * 4096));
    let faults = {
        let cache = cache.clone();
        std::thread::spawn(move || (0..64).for_each(|index| drop(cache.page(index).unwrap())))
    };
    for index in 0..64 {
        cache.write(index * 4096 + 10, &mut Reader::kernel(b"mark")).unwrap();
    }
    faults.join().unwrap();
    for index in 0..64 {
        let mut bytes = [1; 15];
        cache.page(index).unwrap().read(0, &mut bytes);
        assert_eq!(&bytes, b"\0\0\0\0\0\0\0\0\0\0mark\0");
    }
}
