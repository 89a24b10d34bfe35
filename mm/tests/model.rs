//! Sequences of calls against a model that knows every page by itself: rights, and one byte of contents.
mod common;

use common::{Balance, LIMITS, Plain, Real, TestFile, load, shared_memory, store, touch};
use memory::PAGE_SIZE;
use memory::page_table::{PageKind, Rights};
use mm::{
    Access, AddressSpace, Advice, Area, AreaFlags, Backing, FaultError, Layout, MapRequest, Pages, Place, RemapFlags,
};
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Contents that several mappings share: by page.
type Object = Rc<RefCell<Vec<u8>>>;

#[derive(Clone)]
enum Source {
    Zero,
    Object(Object, usize),
}

#[derive(Clone)]
struct ModelPage {
    rights: Rights,
    shared: bool,
    source: Source,
    /// The process's own contents.
    own: Option<u8>,
}

impl ModelPage {
    fn present(&self) -> Option<u8> {
        match &self.source {
            Source::Zero => Some(0),
            Source::Object(object, index) => object.borrow().get(*index).copied(),
        }
    }

    fn load(&self) -> Result<u8, FaultError> {
        if self.rights.is_empty() {
            return Err(FaultError::NotAllowed);
        }
        self.own.or_else(|| self.present()).ok_or(FaultError::NoBacking)
    }

    fn store(&mut self, value: u8) -> Result<(), FaultError> {
        if !self.rights.contains(Rights::WRITE) {
            return Err(FaultError::NotAllowed);
        }
        if self.own.is_none() && self.present().is_none() {
            return Err(FaultError::NoBacking);
        }
        match &self.source {
            Source::Object(object, index) if self.shared => object.borrow_mut()[*index] = value,
            _ => self.own = Some(value),
        }
        Ok(())
    }
}

type Model = BTreeMap<usize, ModelPage>;

/// A window across a boundary of leaf tables.
const BASE: usize = 0x4000_0000 - 24 * PAGE_SIZE;
const WINDOW: usize = 48;

const RIGHTS: [Rights; 5] = [
    Rights::READ.union(Rights::WRITE),
    Rights::READ,
    Rights::empty(),
    Rights::READ.union(Rights::EXECUTE),
    Rights::READ.union(Rights::WRITE),
];

#[derive(Clone, Debug)]
enum Step {
    Map {
        at: usize,
        pages: usize,
        rights: usize,
        backing: usize,
        fixed: bool,
    },
    Unmap {
        at: usize,
        pages: usize,
    },
    Protect {
        at: usize,
        pages: usize,
        rights: usize,
    },
    Remap {
        at: usize,
        pages: usize,
        new_pages: usize,
        target: Option<usize>,
    },
    Advise {
        at: usize,
        pages: usize,
        free: bool,
    },
    Store {
        at: usize,
        value: u8,
    },
    /// A store elsewhere in the page, which must bring the byte that the model knows along.
    Dirty {
        at: usize,
    },
    Load {
        at: usize,
    },
    Fork {
        keep_child: bool,
    },
    Truncate {
        pages: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..WINDOW;
    let pages = || 1usize..12;
    prop_oneof![
        4 => (at(), pages(), 0usize..5, 0usize..5, prop::bool::ANY)
            .prop_map(|(at, pages, rights, backing, fixed)| Step::Map { at, pages, rights, backing, fixed }),
        2 => (at(), pages()).prop_map(|(at, pages)| Step::Unmap { at, pages }),
        2 => (at(), pages(), 0usize..5).prop_map(|(at, pages, rights)| Step::Protect { at, pages, rights }),
        2 => (at(), pages(), pages(), prop::option::of(at()))
            .prop_map(|(at, pages, new_pages, target)| Step::Remap { at, pages, new_pages, target }),
        1 => (at(), pages(), prop::bool::ANY).prop_map(|(at, pages, free)| Step::Advise { at, pages, free }),
        6 => (at(), 1u8..255).prop_map(|(at, value)| Step::Store { at, value }),
        3 => at().prop_map(|at| Step::Dirty { at }),
        4 => at().prop_map(|at| Step::Load { at }),
        1 => prop::bool::ANY.prop_map(|keep_child| Step::Fork { keep_child }),
        1 => (0usize..14).prop_map(|pages| Step::Truncate { pages }),
    ]
}

/// The real space, the model, and the file that both know.
struct World<P: Pages> {
    space: Arc<AddressSpace<P>>,
    model: Model,
    file: Arc<TestFile>,
    contents: Object,
}

fn address(page: usize) -> usize {
    BASE + page * PAGE_SIZE
}

impl<P: Pages + 'static> World<P> {
    fn new() -> Self {
        let file = TestFile::new(b'f', 10);
        let space = AddressSpace::new(Layout::new(&LIMITS, None)).unwrap();
        Self { space, model: Model::new(), file, contents: Rc::new(RefCell::new(vec![b'f'; 10])) }
    }

    fn source(&self, backing: usize, pages: usize) -> (Backing, Source, bool) {
        match backing {
            0 | 1 => (Backing::Anonymous, Source::Zero, false),
            2 => {
                let object = Rc::new(RefCell::new(vec![0; pages]));
                (shared_memory(pages), Source::Object(object, 0), true)
            }
            // Page 2 of the file and on.
            _ => (Backing::file(self.file.clone(), 2), Source::Object(self.contents.clone(), 2), backing == 4),
        }
    }

    fn map(&mut self, at: usize, pages: usize, rights: usize, backing: usize, fixed: bool) {
        let (backing, source, shared) = self.source(backing, pages);
        let flags = if shared { AreaFlags::SHARED } else { AreaFlags::empty() };
        let area = Area { rights: RIGHTS[rights], may: Rights::all(), flags, backing };
        let place = if fixed { Place::Fixed(address(at)) } else { Place::Anywhere { hint: address(at) } };
        let request = MapRequest { place, length: pages * PAGE_SIZE - 5, area, populate: rights == 4, low: false };
        let start = self.space.mmap(request, &LIMITS).unwrap();
        let range = start..start + pages * PAGE_SIZE;
        if fixed {
            assert_eq!(start, address(at));
        } else {
            assert!(self.model.range(range).next().is_none(), "mapped where something is");
        }
        for index in 0..pages {
            let source = match &source {
                Source::Zero => Source::Zero,
                Source::Object(object, from) => Source::Object(object.clone(), from + index),
            };
            let mut page = ModelPage { rights: RIGHTS[rights], shared, source, own: None };
            if rights == 4 && !shared {
                // Brought in at once and for writing: a copy of what is there now.
                page.own = page.present();
            }
            self.model.insert(start + index * PAGE_SIZE, page);
        }
    }

    fn protect(&mut self, at: usize, pages: usize, rights: usize) {
        let result = self.space.mprotect(address(at), pages * PAGE_SIZE, RIGHTS[rights], &LIMITS);
        for index in 0..pages {
            let Some(page) = self.model.get_mut(&address(at + index)) else {
                assert_eq!(result, Err(abi::Errno::ENOMEM));
                return;
            };
            page.rights = RIGHTS[rights];
        }
        assert_eq!(result, Ok(()));
    }

    fn remap(&mut self, at: usize, pages: usize, new_pages: usize, target: Option<usize>) {
        let (old, mut flags, mut to) = (address(at), RemapFlags::MAY_MOVE, 0);
        if let Some(target) = target {
            (flags, to) = (flags | RemapFlags::FIXED, address(target));
            if to < old + pages * PAGE_SIZE && old < to + new_pages * PAGE_SIZE {
                return;
            }
            // Empty first, so that a failure changes nothing that the model does not know.
            let _ = self.space.munmap(to, new_pages * PAGE_SIZE);
            self.model.retain(|page, _| !(to..to + new_pages * PAGE_SIZE).contains(page));
            if new_pages < pages {
                let tail = old + new_pages * PAGE_SIZE..old + pages * PAGE_SIZE;
                self.space.munmap(tail.start, tail.len()).unwrap();
                self.model.retain(|page, _| !tail.contains(page));
            }
        }
        let length = if target.is_some() { pages.min(new_pages) } else { pages };
        let result = self.space.mremap(old, length * PAGE_SIZE, new_pages * PAGE_SIZE, flags, to, &LIMITS);
        let covered = (0..length).all(|index| self.model.contains_key(&address(at + index)));
        let Ok(start) = result else { return };
        assert!(covered || new_pages <= length, "moved what is not there");
        let moved: Vec<Option<ModelPage>> =
            (0..length).map(|index| self.model.remove(&(old + index * PAGE_SIZE))).collect();
        let mut last = None;
        for (index, page) in moved.into_iter().take(new_pages).enumerate() {
            if let Some(page) = page {
                last = Some(page.clone());
                self.model.insert(start + index * PAGE_SIZE, page);
            }
        }
        for index in length..new_pages {
            let mut page = last.clone().unwrap();
            page.own = None;
            if let Source::Object(_, at) = &mut page.source {
                *at += index - (length - 1);
            }
            assert!(self.model.insert(start + index * PAGE_SIZE, page).is_none());
        }
    }

    fn advise(&mut self, at: usize, pages: usize, free: bool) {
        let range = address(at)..address(at + pages);
        let advice = if free { Advice::Free } else { Advice::DontNeed { locked: false } };
        let result = self.space.madvise(range.start, range.len(), advice);
        for (_, page) in self.model.range_mut(range) {
            if free && (page.shared || matches!(page.source, Source::Object(..))) {
                assert_eq!(result, Err(abi::Errno::EINVAL));
                return;
            }
            page.own = None;
        }
    }

    fn truncate(&mut self, pages: usize) {
        self.file.cache.truncate((pages * PAGE_SIZE) as u64);
        let old = self.contents.borrow().len();
        // What is beyond the end and comes back is what the backing says: the letter.
        self.contents.borrow_mut().resize(pages, b'f');
        if pages < old {
            for page in self.model.values_mut() {
                if let Source::Object(object, index) = &page.source
                    && Rc::ptr_eq(object, &self.contents)
                    && *index >= pages
                {
                    page.own = None;
                }
            }
        }
    }

    fn fork(&mut self, keep_child: bool) {
        let child = self.space.fork().unwrap();
        let mut theirs =
            World { space: child, model: self.model.clone(), file: self.file.clone(), contents: self.contents.clone() };
        theirs.check();
        // Each side writes, and the other does not see it where the page is private.
        for (side, value, first) in [(&mut *self, 201, 0), (&mut theirs, 202, 1)] {
            let pages: Vec<usize> = side.model.keys().copied().skip(first).step_by(3).collect();
            for page in pages {
                let expected = side.model.get_mut(&page).unwrap().store(value);
                assert_eq!(store(&side.space, page, value), expected);
            }
        }
        if let Some(&page) = self.model.keys().nth(2) {
            self.dirty(page);
        }
        theirs.check();
        if keep_child {
            std::mem::swap(self, &mut theirs);
        }
        self.check();
    }

    fn dirty(&mut self, address: usize) {
        let expected = match self.model.get_mut(&address) {
            Some(page) => page.store(page.load().unwrap_or(0)),
            None => Err(FaultError::NotMapped),
        };
        assert_eq!(store(&self.space, address + 8, 1), expected, "store to {address:#x}");
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Map { at, pages, rights, backing, fixed } => self.map(at, pages, rights, backing, fixed),
            Step::Unmap { at, pages } => {
                self.space.munmap(address(at), pages * PAGE_SIZE).unwrap();
                self.model.retain(|page, _| !(address(at)..address(at + pages)).contains(page));
            }
            Step::Protect { at, pages, rights } => self.protect(at, pages, rights),
            Step::Remap { at, pages, new_pages, target } => self.remap(at, pages, new_pages, target),
            Step::Advise { at, pages, free } => self.advise(at, pages, free),
            Step::Store { at, value } => {
                let expected = match self.model.get_mut(&address(at)) {
                    Some(page) => page.store(value),
                    None => Err(FaultError::NotMapped),
                };
                assert_eq!(store(&self.space, address(at), value), expected, "store to page {at}");
            }
            Step::Dirty { at } => self.dirty(address(at)),
            Step::Load { at } => {
                let expected = self.model.get(&address(at)).map_or(Err(FaultError::NotMapped), ModelPage::load);
                assert_eq!(load(&self.space, address(at)), expected, "load from page {at}");
            }
            Step::Fork { keep_child } => self.fork(keep_child),
            Step::Truncate { pages } => self.truncate(pages),
        }
    }

    /// Everything that can be seen from outside.
    fn check(&self) {
        self.check_areas();
        self.check_counters();
        for (&address, page) in &self.model {
            assert_eq!(load(&self.space, address), page.load(), "contents at {address:#x}");
            let execute = touch(&self.space, address, Access::Execute).map(drop);
            let expected =
                if page.rights.contains(Rights::EXECUTE) { page.load().map(drop) } else { Err(FaultError::NotAllowed) };
            assert_eq!(execute, expected);
        }
    }

    fn check_areas(&self) {
        let mut pages = Vec::new();
        let mut last: Option<(usize, Rights, AreaFlags, bool)> = None;
        self.space.for_each_area(0, |area| {
            assert!(area.range.start < area.range.end);
            let anonymous = area.flags.is_empty() && matches!(area.name, mm::Name::None);
            if let Some((end, rights, flags, was_anonymous)) = last {
                assert!(end <= area.range.start, "areas overlap");
                let same = (rights, flags) == (area.rights, area.flags) && anonymous && was_anonymous;
                assert!(end < area.range.start || !same, "equal neighbours at {end:#x}");
            }
            last = Some((area.range.end, area.rights, area.flags, anonymous));
            pages.extend(area.range.clone().step_by(PAGE_SIZE).map(|page| (page, area.rights)));
            true
        });
        let expected: Vec<_> = self.model.iter().map(|(&page, model)| (page, model.rights)).collect();
        assert_eq!(pages, expected);
    }

    fn check_counters(&self) {
        let (mut anonymous, mut others) = (0, 0);
        self.space.pages().scan(0..memory::USER_END, &mut |_, page| match page.kind {
            PageKind::Anonymous => anonymous += 1,
            PageKind::File => others += 1,
            PageKind::Zero => {}
        });
        let usage = self.space.usage();
        assert_eq!((usage.anonymous, usage.file + usage.memory), (anonymous, others));
        assert_eq!(usage.total, self.model.len());
        let data = self.model.values().filter(|page| !page.shared && page.rights.contains(Rights::WRITE)).count();
        assert_eq!(usage.data, data);
        assert!(usage.peak >= usage.total && usage.resident_peak >= usage.resident());
    }
}

fn play<P: Pages + 'static>(steps: Vec<Step>) {
    let _balance = Balance::new();
    let mut world = World::<P>::new();
    for step in steps {
        world.run(step);
        world.check_areas();
        world.check_counters();
    }
    world.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn over_real_page_tables(steps in prop::collection::vec(step(), 1..60)) {
        play::<Real>(steps);
    }

    #[test]
    fn over_a_map(steps in prop::collection::vec(step(), 1..60)) {
        play::<Plain>(steps);
    }
}
