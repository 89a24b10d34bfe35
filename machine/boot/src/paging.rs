//! The final kernel mappings.
use crate::information::Information;
use crate::layout::{self, IMAGE_BASE};
use arch::features::{self, Feature};
use core::ops::Range;
use memory::PhysicalAddress;
use memory::physical::{DIRECT_MAP, to_virtual};

const PRESENT: u64 = 1;
const WRITE: u64 = 2;
const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const MEBIBYTES_2: u64 = 1 << 21;
const GIBIBYTE: u64 = 1 << 30;
/// Where kernel memory that is only virtually contiguous goes; its top-level entry is made here, as all others of the kernel
/// half are, so that every address space can copy them once.
const VMALLOC: usize = 0xffff_c900_0000_0000;

/// Builds tables out of pages taken one by one below 1 GiB, where the start-up mapping reaches them.
pub(crate) struct Builder<'a> {
    information: &'a mut Information,
    top: u64,
    no_execute: u64,
}

impl<'a> Builder<'a> {
    pub fn new(information: &'a mut Information) -> Option<Self> {
        let no_execute = if features::has(Feature::NoExecute) { NO_EXECUTE } else { 0 };
        let mut builder = Self { information, top: 0, no_execute };
        builder.top = builder.page()?;
        Some(builder)
    }

    fn page(&mut self) -> Option<u64> {
        let page = self.information.take(4096, 4096, GIBIBYTE)?;
        // One list entry for a run of pages, not one for each.
        let taken = &mut self.information.taken;
        if let [.., before, last] = taken.as_mut_slice()
            && before.end == last.start
        {
            before.end = last.end;
            taken.pop();
        }
        // SAFETY: RAM that nobody uses, below 1 GiB.
        unsafe { to_virtual(PhysicalAddress(page)).write_bytes(0, 4096) };
        Some(page)
    }

    /// The entry for `address` at `level` (4 is the top), with the tables above it.
    fn entry(&mut self, address: usize, level: u32) -> Option<*mut u64> {
        let mut table = self.top;
        for at in (level..=4).rev() {
            let index = address >> (12 + 9 * (at - 1)) & 511;
            // SAFETY: a table of ours, below 1 GiB.
            let entry = unsafe { to_virtual(PhysicalAddress(table)).cast::<u64>().add(index) };
            if at == level {
                return Some(entry);
            }
            // SAFETY: as above.
            unsafe {
                if *entry & PRESENT == 0 {
                    *entry = self.page()? | PRESENT | WRITE;
                }
                table = *entry & ADDRESS;
            }
        }
        None
    }

    fn map(&mut self, address: usize, physical: u64, level: u32, flags: u64) -> Option<()> {
        let entry = self.entry(address, level)?;
        // SAFETY: an entry of ours.
        unsafe { *entry = physical | flags | PRESENT | GLOBAL | if level > 1 { LARGE } else { 0 } };
        Some(())
    }

    /// Maps RAM into the direct map, in the largest pages that fit; `fine` is cut into small ones.
    pub fn direct(&mut self, range: Range<u64>, fine: &Range<u64>, read_only: &Range<u64>) -> Option<()> {
        let mut at = range.start & !(MEBIBYTES_2 - 1);
        let end = range.end.next_multiple_of(MEBIBYTES_2);
        while at < end {
            let overlaps = |size: u64| fine.start < at + size && at < fine.end;
            let address = DIRECT_MAP + at as usize;
            if features::has(Feature::GigabytePages)
                && at.is_multiple_of(GIBIBYTE)
                && at + GIBIBYTE <= range.end
                && !overlaps(GIBIBYTE)
            {
                self.map(address, at, 3, WRITE | self.no_execute)?;
                at += GIBIBYTE;
            } else if !overlaps(MEBIBYTES_2) {
                self.map(address, at, 2, WRITE | self.no_execute)?;
                at += MEBIBYTES_2;
            } else {
                let write = if read_only.contains(&at) { 0 } else { WRITE };
                self.map(address, at, 1, write | self.no_execute)?;
                at += 4096;
                // Pages of a finely cut stretch go one by one to its end.
                while !at.is_multiple_of(MEBIBYTES_2) {
                    let write = if read_only.contains(&at) { 0 } else { WRITE };
                    self.map(DIRECT_MAP + at as usize, at, 1, write | self.no_execute)?;
                    at += 4096;
                }
            }
        }
        Some(())
    }

    /// Maps the image where it was linked.
    pub fn image(&mut self) -> Option<()> {
        let (text, constants, image) = (layout::text_range(), layout::constants_range(), layout::image_range());
        for at in (text.start..image.end).step_by(4096) {
            let flags = match at {
                at if text.contains(&at) => 0,
                at if constants.contains(&at) => self.no_execute,
                _ => WRITE | self.no_execute,
            };
            self.map(IMAGE_BASE + at as usize, at, 1, flags)?;
        }
        Some(())
    }

    /// Makes the top-level entry of the vmalloc range, and answers the physical address of the top table.
    pub fn finish(mut self) -> Option<u64> {
        self.entry(VMALLOC, 3)?;
        Some(self.top)
    }
}
