//! What the tests share: two kinds of page tables, a processor's accesses, a file.
#![allow(dead_code, reason = "each test uses a part")]
use abi::Errno;
use cache::{Behaviour, PageCache};
use memory::page_table::{Copied, Counts, Found, Mapping, OutOfMemory, Page, PageKind, Rights};
use memory::{Frame, PAGE_SIZE, PageTable};
use mm::{Access, AddressSpace, Backing, FaultError, Limits, MappedFile, Pages};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Checks when dropped that as many frames are free as when made. Tests that use it run one at a time.
pub struct Balance(usize, #[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

fn free_frames() -> usize {
    memory::statistics().iter().map(|zone| zone.free).sum()
}

impl Balance {
    pub fn new() -> Self {
        let guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poison| poison.into_inner());
        // The page of zeros is made once and stays.
        drop(AddressSpace::<Real>::new(mm::Layout::new(&LIMITS, None)).unwrap());
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

/// Linux's usual limits.
pub const LIMITS: Limits = Limits { stack: 8 << 20, locked: 8 << 20, ..Limits::NONE };

/// The real page tables.
pub struct Real(pub PageTable);

impl Pages for Real {
    fn new() -> Option<Self> {
        PageTable::new().map(Self)
    }
    fn resolve(&self, address: usize, write: bool) -> Found {
        self.0.resolve(address, write)
    }
    fn map(&self, address: usize, frames: &mut [Option<Frame>], mapping: Mapping) -> Result<usize, OutOfMemory> {
        self.0.map(address, frames, mapping)
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

struct Entry {
    frame: Frame,
    kind: PageKind,
    rights: Rights,
    writable: bool,
}

/// Page tables as one would write them down without a machine: a map. Memory for them runs out after `room` entries.
pub struct Plain {
    entries: Mutex<BTreeMap<usize, Entry>>,
    room: usize,
    pub flushes: AtomicUsize,
}

thread_local! {
    /// How many entries the next [`Plain`] has room for.
    pub static ROOM: std::cell::Cell<usize> = const { std::cell::Cell::new(usize::MAX) };
}

impl Pages for Plain {
    fn new() -> Option<Self> {
        Some(Self { entries: Mutex::default(), room: ROOM.get(), flushes: AtomicUsize::new(0) })
    }

    fn resolve(&self, address: usize, write: bool) -> Found {
        let mut entries = self.entries.lock().unwrap();
        let Some(entry) = entries.get_mut(&address) else { return Found::Empty };
        if write && entry.kind == PageKind::Anonymous && entry.frame.is_unique() {
            entry.writable = true;
        }
        if !write || entry.writable {
            return Found::Allowed(entry.frame.clone());
        }
        Found::ReadOnly(entry.frame.clone(), entry.kind)
    }

    fn map(&self, address: usize, frames: &mut [Option<Frame>], mapping: Mapping) -> Result<usize, OutOfMemory> {
        let mut entries = self.entries.lock().unwrap();
        let mut count = 0;
        for (index, place) in frames.iter_mut().enumerate() {
            let at = address + index * PAGE_SIZE;
            if entries.len() >= self.room {
                return Err(OutOfMemory);
            }
            if let (false, Some(frame)) = (entries.contains_key(&at), place.take()) {
                let writable = mapping.rights.contains(Rights::WRITE);
                entries.insert(at, Entry { frame, kind: mapping.kind, rights: mapping.rights, writable });
                count += 1;
            }
        }
        Ok(count)
    }

    fn replace(&self, address: usize, old: &Frame, new: Frame, mapping: Mapping) -> bool {
        let mut entries = self.entries.lock().unwrap();
        let Some(entry) = entries.get_mut(&address).filter(|entry| entry.frame == *old && !entry.writable) else {
            return false;
        };
        let writable = mapping.rights.contains(Rights::WRITE);
        *entry = Entry { frame: new, kind: mapping.kind, rights: mapping.rights, writable };
        true
    }

    fn protect(&self, range: Range<usize>, rights: Rights) {
        for (_, entry) in self.entries.lock().unwrap().range_mut(range) {
            entry.rights = rights;
            entry.writable &= rights.contains(Rights::WRITE);
        }
    }

    fn unmap(&self, range: Range<usize>) -> Counts {
        let mut entries = self.entries.lock().unwrap();
        let keys: Vec<usize> = entries.range(range).map(|(&at, _)| at).collect();
        let gone: Vec<Entry> = keys.iter().filter_map(|at| entries.remove(at)).collect();
        let of = |kind| gone.iter().filter(|entry| entry.kind == kind).count();
        Counts { anonymous: of(PageKind::Anonymous), file: of(PageKind::File) }
    }

    fn copy(&self, child: &Self, range: Range<usize>, files: bool) -> Result<Copied, OutOfMemory> {
        let mut copied = Copied::default();
        let mut theirs = child.entries.lock().unwrap();
        for (&at, entry) in self.entries.lock().unwrap().range_mut(range) {
            if !files && entry.kind != PageKind::Anonymous {
                continue;
            }
            if theirs.len() >= child.room {
                return Err(OutOfMemory);
            }
            match entry.kind {
                PageKind::Anonymous => {
                    copied.protected |= entry.writable;
                    entry.writable = false;
                    copied.counts.anonymous += 1;
                }
                PageKind::File => copied.counts.file += 1,
                PageKind::Zero => {}
            }
            let Entry { kind, rights, writable, .. } = *entry;
            theirs.insert(at, Entry { frame: entry.frame.clone(), kind, rights, writable });
        }
        Ok(copied)
    }

    fn relocate(&self, range: Range<usize>, to: usize) -> Result<(), OutOfMemory> {
        let mut entries = self.entries.lock().unwrap();
        let keys: Vec<usize> = entries.range(range.clone()).map(|(&at, _)| at).collect();
        for at in keys {
            let entry = entries.remove(&at).unwrap();
            assert!(entries.insert(at - range.start + to, entry).is_none(), "moved onto a page");
        }
        Ok(())
    }

    fn flush(&self, _: Range<usize>) {
        self.flushes.fetch_add(1, Relaxed);
    }

    fn scan(&self, range: Range<usize>, visit: &mut dyn FnMut(usize, Page)) {
        for (&at, entry) in self.entries.lock().unwrap().range(range) {
            let page = Page {
                kind: entry.kind,
                references: entry.frame.references(),
                writable: entry.writable,
                present: !entry.rights.is_empty(),
                executable: entry.rights.contains(Rights::EXECUTE),
                accessed: true,
                dirty: entry.writable,
            };
            visit(at, page);
        }
    }
}

/// Whether the page tables as they are let a processor make an access.
fn permits<P: Pages>(space: &AddressSpace<P>, page: usize, access: Access) -> bool {
    let mut permits = false;
    space.pages().scan(page..page + PAGE_SIZE, &mut |_, found| {
        permits = found.present
            && match access {
                Access::Read => true,
                Access::Write => found.writable,
                Access::Execute => found.executable,
            };
    });
    permits
}

/// Does what a processor does: looks into the page tables, faults where they do not allow, tries again.
pub fn touch<P: Pages>(space: &AddressSpace<P>, address: usize, access: Access) -> Result<Frame, FaultError> {
    let page = address & !(PAGE_SIZE - 1);
    for _ in 0..4 {
        if permits(space, page, access)
            && let Found::Allowed(frame) = space.pages().resolve(page, false)
        {
            return Ok(frame);
        }
        space.fault(address, access, || LIMITS)?;
    }
    panic!("faults at {address:#x} for ever");
}

pub fn store<P: Pages>(space: &AddressSpace<P>, address: usize, value: u8) -> Result<(), FaultError> {
    touch(space, address, Access::Write).map(|frame| frame.write(address % PAGE_SIZE, &[value]))
}

pub fn load<P: Pages>(space: &AddressSpace<P>, address: usize) -> Result<u8, FaultError> {
    let mut value = [0];
    touch(space, address, Access::Read)?.read(address % PAGE_SIZE, &mut value);
    Ok(value[0])
}

/// Pages whose first byte is the file's letter; where it is 0, memory that lives nowhere else.
struct Store(u8);

impl cache::Backing for Store {
    fn behaviour(&self) -> Behaviour {
        Behaviour { absent_is_zero: self.0 == 0, write_back: self.0 != 0 }
    }

    fn load(&self, _: u64) -> Result<Frame, Errno> {
        let frame = Frame::allocate_zeroed().ok_or(Errno::ENOMEM)?;
        frame.write(0, &[self.0]);
        Ok(frame)
    }
}

/// Memory of `pages` pages that all who map it share.
pub fn shared_memory(pages: usize) -> Backing {
    Backing::file(TestFile::new(0, pages), 0)
}

/// A file of which every page starts with one letter.
pub struct TestFile {
    pub cache: Arc<PageCache>,
    pub letter: u8,
}

impl TestFile {
    pub fn new(letter: u8, pages: usize) -> Arc<Self> {
        let cache = Arc::new(PageCache::new(Arc::new(Store(letter)), (pages * PAGE_SIZE) as u64));
        Arc::new(Self { cache, letter })
    }
}

impl MappedFile for TestFile {
    fn cache(&self) -> &Arc<PageCache> {
        &self.cache
    }
    fn numbers(&self) -> (u64, u64) {
        (0x801, u64::from(self.letter))
    }
    fn path(&self, output: &mut dyn fmt::Write) -> fmt::Result {
        write!(output, "/file-{}", self.letter as char)
    }
}
