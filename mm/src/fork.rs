//! fork(2): areas are copied, pages are shared until somebody writes.
use crate::area::{Area, AreaFlags, Backing};
use crate::file::{self, FileMapping};
use crate::map::Map;
use crate::pages::Pages;
use crate::{AddressSpace, NoMemory, pages_in};
use abi::Errno;
use alloc::sync::Arc;
use core::ops::Range;
use memory::USER_END;
use range_tree::RangeTree;

/// Pages of files are copied along with areas up to one leaf table's size: cheaper than the faults that would bring the few
/// that matter back. Larger areas are left to faults.
const FILE_PAGES: usize = 512;

impl<P: Pages + 'static> AddressSpace<P> {
    /// A copy, as a fork's child sees it. Threads of this one that fault meanwhile wait. ENOMEM.
    pub fn fork(&self) -> Result<Arc<Self>, Errno> {
        let map = self.map.write();
        let child = Self::with_map(child_map(&map)?)?;
        // A truncation that finds the child before its pages are there waits for them.
        let child_areas = child.map.write_nested();
        child_areas.areas.iter().try_for_each(|(_, area)| file::register(&child, area))?;
        let mut protected = false;
        let result = self.copy_areas(&map, &child, &mut protected);
        if protected {
            // Before anybody can read the child's pages, no CPU may still write to ours.
            self.pages().flush(0..USER_END);
        }
        drop(child_areas);
        result.map(|()| child)
    }

    fn copy_areas(&self, map: &Map, child: &Self, protected: &mut bool) -> Result<(), Errno> {
        for (range, area) in map.areas.iter().filter(|(_, area)| is_copied(area)) {
            let (skip, files) = how(&range, area);
            if skip {
                continue;
            }
            let copied = self.pages().copy(child.pages(), range, files).map_err(NoMemory::from);
            // What was copied before memory ran out may be protected too.
            *protected |= copied.as_ref().map_or(true, |copied| copied.protected);
            child.resident.add(area, copied?.counts);
        }
        Ok(())
    }
}

fn is_copied(area: &Area) -> bool {
    !area.flags.contains(AreaFlags::DONT_FORK)
}

/// Whether an area's pages are left out altogether, and whether pages of files come along.
fn how(range: &Range<usize>, area: &Area) -> (bool, bool) {
    let files = pages_in(range) <= FILE_PAGES;
    (area.flags.contains(AreaFlags::WIPE_ON_FORK) || area.is_shared() && !files, files)
}

/// The child's areas: without those that are not inherited, and without locks (mlock(2)).
fn child_map(map: &Map) -> Result<Map, Errno> {
    let mut child = Map::new(map.layout);
    let count = map.areas.iter().filter(|(_, area)| is_copied(area)).count();
    let mut files = Renewed(None);
    let mut copies = map.areas.iter().filter(|(_, area)| is_copied(area)).map(|(range, area)| {
        let mut area = area.clone();
        area.flags.remove(AreaFlags::LOCKED | AreaFlags::LOCK_ON_FAULT);
        files.renew(&mut area);
        child.count(&area, &range);
        (range, area)
    });
    let areas: RangeTree<Area> = RangeTree::from_sorted(count, &mut copies).map_err(NoMemory::from)?;
    child.areas = areas;
    child.heap = map.heap.clone();
    Ok(child)
}

/// File mappings of the child: one for each of the parent's, which mostly come in a row.
struct Renewed(Option<(Arc<FileMapping>, Arc<FileMapping>)>);

impl Renewed {
    fn renew(&mut self, area: &mut Area) {
        let Backing::File { file, .. } = &mut area.backing else { return };
        let known = self.0.take().filter(|(old, _)| Arc::ptr_eq(old, file));
        let (old, new) = known.unwrap_or_else(|| {
            let new = Arc::new(FileMapping::new(file.file().clone()));
            (file.clone(), new)
        });
        *file = new.clone();
        self.0 = Some((old, new));
    }
}
