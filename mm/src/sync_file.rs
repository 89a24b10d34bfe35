//! msync(2).
use crate::area::{AreaFlags, Backing};
use crate::mmap::overlaps;
use crate::pages::Pages;
use crate::{AddressSpace, page_range};
use abi::Errno;
use alloc::sync::Arc;

bitflags::bitflags! {
    /// MS_ flags, with Linux's values.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SyncFlags: u32 {
        const ASYNC = 1;
        const INVALIDATE = 2;
        const SYNC = 4;
    }
}

impl<P: Pages> AddressSpace<P> {
    /// msync(2). EINVAL; ENOMEM where a part is not mapped (the rest was done); EBUSY to invalidate locked pages; EIO.
    pub fn msync(&self, start: usize, length: usize, flags: SyncFlags) -> Result<(), Errno> {
        if flags.contains(SyncFlags::ASYNC | SyncFlags::SYNC) {
            return Err(Errno::EINVAL);
        }
        let range = page_range(start, length, Errno::ENOMEM)?;
        let mut address = range.start;
        while address < range.end {
            // The map is free while a file is written back, and looked at anew afterwards.
            let map = self.map.read();
            let Some(part) = overlaps(&map, &(address..range.end)).next() else { break };
            let Some((_, area)) = map.areas.get(part.start) else { break };
            if flags.contains(SyncFlags::INVALIDATE) && area.flags.contains(AreaFlags::LOCKED) {
                return Err(Errno::EBUSY);
            }
            address = part.end;
            if let (true, true, Backing::File { file, .. }) =
                (flags.contains(SyncFlags::SYNC), area.is_shared(), &area.backing)
            {
                let file = Arc::clone(file);
                drop(map);
                file.cache().write_back()?;
            }
        }
        if self.map.read().covers(&range) { Ok(()) } else { Err(Errno::ENOMEM) }
    }
}
