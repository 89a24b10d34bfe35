//! What the loader left for the kernel, in one form for all boot protocols.
use core::ops::Range;
use smallvec::SmallVec;

/// What a region of the memory map is, by its e820 type (ACPI 6.5, table 15-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionKind {
    Ram,
    Reserved,
    AcpiTables,
    AcpiStorage,
    Other,
}

impl RegionKind {
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Ram,
            2 => Self::Reserved,
            3 => Self::AcpiTables,
            4 => Self::AcpiStorage,
            _ => Self::Other,
        }
    }
}

/// A region of physical memory, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    pub range: Range<u64>,
    pub kind: RegionKind,
}

/// The most entries that an e820 map has (x86 boot protocol); what goes beyond them is left out.
pub const MAX_REGIONS: usize = 128;

/// Everything that boot found out.
#[derive(Clone, Debug, Default)]
pub struct Information {
    pub regions: SmallVec<[Region; MAX_REGIONS]>,
    pub command_line: &'static [u8],
    /// The initial RAM disk, in physical memory.
    pub initial_ram_disk: Option<Range<u64>>,
    /// Where the loader says the RSDP is.
    pub rsdp: Option<u64>,
    /// TSC at the first instruction.
    pub entry_tsc: u64,
    /// Ranges that hold what boot itself still needs.
    pub taken: SmallVec<[Range<u64>; 16]>,
    /// A page below 640 KiB for start-up code of other CPUs.
    pub low_page: Option<u64>,
}

impl Information {
    /// RAM, cut at `mem=` bytes where that is given.
    pub fn ram(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.regions.iter().filter(|region| region.kind == RegionKind::Ram).map(|region| region.range.clone())
    }

    /// `length` bytes of RAM at a multiple of `align`, below `limit`, clear of all that is taken; and takes them.
    pub fn take(&mut self, length: u64, align: u64, limit: u64) -> Option<u64> {
        self.take_from(0x10_0000, length, align, limit)
    }

    /// A page of RAM below 640 KiB, for start-up code of other CPUs; and takes it.
    pub fn take_low_page(&mut self) -> Option<u64> {
        self.take_from(0x1000, 4096, 4096, 0xa_0000)
    }

    fn take_from(&mut self, lowest: u64, length: u64, align: u64, limit: u64) -> Option<u64> {
        let start = self.ram().find_map(|range| self.fit(range.start.max(lowest)..range.end, length, align, limit))?;
        self.taken.push(start..start + length);
        Some(start)
    }

    fn fit(&self, range: Range<u64>, length: u64, align: u64, limit: u64) -> Option<u64> {
        let mut start = range.start.next_multiple_of(align);
        loop {
            let end = start.checked_add(length)?;
            if end > range.end.min(limit) {
                return None;
            }
            match self.taken.iter().filter(|taken| taken.start < end && start < taken.end).map(|taken| taken.end).max()
            {
                None => return Some(start),
                Some(after) => start = after.next_multiple_of(align),
            }
        }
    }
}

/// The value of `mem=` in bytes, with the suffixes K, M, G and T.
pub fn memory_limit(command_line: &[u8]) -> Option<u64> {
    let words = command_line.split(|&byte| byte == b' ');
    let value = words.filter_map(|word| word.strip_prefix(b"mem=")).next_back()?;
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number: u64 = core::str::from_utf8(&value[..digits]).ok()?.parse().ok()?;
    let shift = match &value[digits..] {
        b"" => 0,
        b"K" | b"k" => 10,
        b"M" | b"m" => 20,
        b"G" | b"g" => 30,
        b"T" | b"t" => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_can_be_limited() {
        assert_eq!(memory_limit(b"quiet mem=64M root=/dev/vda"), Some(64 << 20));
        assert_eq!(memory_limit(b"mem=64Q"), None);
        assert_eq!(memory_limit(b"mem=99999999999999999999"), None);
        assert_eq!(memory_limit(b""), None);
    }

    #[test]
    fn takes_what_is_free() {
        let mut information = Information::default();
        information.regions.push(Region { range: 0..0x9_fc00, kind: RegionKind::Ram });
        information.regions.push(Region { range: 0x10_0000..0x100_0000, kind: RegionKind::Ram });
        information.taken.push(0x10_0000..0x20_1000);
        information.taken.push(0x40_0000..0x40_0001);
        assert_eq!(information.take(0x1000, 0x1000, u64::MAX), Some(0x20_1000));
        assert_eq!(information.take(0x30_0000, 0x20_0000, u64::MAX), Some(0x60_0000));
        assert_eq!(information.take(0x200_0000, 1, u64::MAX), None);
        assert_eq!(information.take(0x1000, 0x1000, 0x20_2000), None, "below the limit or not at all");
    }
}
