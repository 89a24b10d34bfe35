//! What /proc/PID/{maps,smaps,status,statm} say.
use crate::MappedFile;
use crate::area::{Area, AreaFlags, Backing};
use crate::map::Map;
use crate::pages::Pages;
use crate::{AddressSpace, pages_in};
use abi::{Errno, PAGE_SIZE};
use core::fmt;
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;
use memory::page_table::{PageKind, Rights};

/// What an area is called.
#[derive(Clone, Copy)]
pub enum Name<'a> {
    None,
    Heap,
    Stack,
    /// The kernel's own: `[vdso]`, `[vvar]`.
    Special(&'static str),
    File(&'a dyn MappedFile),
}

/// One line of /proc/PID/maps.
#[derive(Clone)]
pub struct AreaView<'a> {
    pub range: Range<usize>,
    pub rights: Rights,
    pub flags: AreaFlags,
    /// Into the file, in bytes.
    pub offset: u64,
    pub name: Name<'a>,
}

/// The line as Linux prints it, without its end.
impl fmt::Display for AreaView<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let right = |bit, letter| if self.rights.contains(bit) { letter } else { '-' };
        let shared = if self.flags.contains(AreaFlags::SHARED) { 's' } else { 'p' };
        let (device, inode) = match self.name {
            Name::File(file) => file.numbers(),
            _ => (0, 0),
        };
        let mut line = Column { formatter, width: 0 };
        fmt::write(
            &mut line,
            format_args!(
                "{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ",
                self.range.start,
                self.range.end,
                right(Rights::READ, 'r'),
                right(Rights::WRITE, 'w'),
                right(Rights::EXECUTE, 'x'),
                shared,
                self.offset,
                device >> 8,
                device & 0xff,
                inode
            ),
        )?;
        let name = |line: &mut Column<'_, '_>, text: &str| {
            line.pad()?;
            line.formatter.write_str(text)
        };
        match self.name {
            Name::None => Ok(()),
            Name::Heap => name(&mut line, "[heap]"),
            Name::Stack => name(&mut line, "[stack]"),
            Name::Special(text) => name(&mut line, text),
            Name::File(file) => {
                line.pad()?;
                file.path(line.formatter)
            }
        }
    }
}

/// Counts what is written, so that names stand below each other.
struct Column<'a, 'b> {
    formatter: &'a mut fmt::Formatter<'b>,
    width: usize,
}

impl Column<'_, '_> {
    /// Names start at the same place as Linux's (`seq_pad` to 25 + 6 * 8 - 1).
    fn pad(&mut self) -> fmt::Result {
        const NAMES: usize = 25 + 6 * 8;
        (self.width..NAMES).try_for_each(|_| self.formatter.write_char(' '))
    }
}

use fmt::Write as _;

impl fmt::Write for Column<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.width = self.width.saturating_add(text.len());
        self.formatter.write_str(text)
    }
}

/// Pages of an area by what they are (/proc/PID/smaps).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Residence {
    /// Present in all.
    pub resident: usize,
    pub anonymous: usize,
    pub referenced: usize,
    pub shared_clean: usize,
    pub shared_dirty: usize,
    pub private_clean: usize,
    pub private_dirty: usize,
    /// Each page divided by how many share it, in units of 1/4096 page: PSS in bytes.
    pub proportional: u64,
}

/// Numbers of a whole address space, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// VmSize, VmPeak.
    pub total: usize,
    pub peak: usize,
    /// RssAnon, RssFile, RssShmem, VmHWM.
    pub anonymous: usize,
    pub file: usize,
    pub memory: usize,
    pub resident_peak: usize,
    /// VmData, VmStk, VmExe with VmLib, VmLck.
    pub data: usize,
    pub stack: usize,
    pub code: usize,
    pub locked: usize,
    /// Number of areas.
    pub areas: usize,
    /// Where the heap starts.
    pub heap_start: usize,
}

impl Residence {
    /// Adds another area's numbers.
    pub fn add(&mut self, other: &Self) {
        self.resident = self.resident.saturating_add(other.resident);
        self.anonymous = self.anonymous.saturating_add(other.anonymous);
        self.referenced = self.referenced.saturating_add(other.referenced);
        self.shared_clean = self.shared_clean.saturating_add(other.shared_clean);
        self.shared_dirty = self.shared_dirty.saturating_add(other.shared_dirty);
        self.private_clean = self.private_clean.saturating_add(other.private_clean);
        self.private_dirty = self.private_dirty.saturating_add(other.private_dirty);
        self.proportional = self.proportional.saturating_add(other.proportional);
    }
}

impl Usage {
    /// VmRSS.
    pub fn resident(&self) -> usize {
        self.anonymous.saturating_add(self.file).saturating_add(self.memory)
    }
}

fn name<'a>(map: &Map, range: &Range<usize>, area: &'a Area) -> Name<'a> {
    match &area.backing {
        Backing::Special { special, .. } => Name::Special(special.name),
        Backing::File { file, .. } => Name::File(&**file.file()),
        Backing::Anonymous if area.flags.contains(AreaFlags::GROWS_DOWN) && range.end >= map.layout.stack_top => {
            Name::Stack
        }
        Backing::Anonymous if range.start <= map.heap.end && range.end >= map.heap.start && !map.heap.is_empty() => {
            Name::Heap
        }
        Backing::Anonymous => Name::None,
    }
}

fn view<'a>(map: &Map, range: Range<usize>, area: &'a Area) -> AreaView<'a> {
    let page = match &area.backing {
        Backing::Anonymous | Backing::Special { .. } => 0,
        Backing::File { page, .. } => *page,
    };
    let offset = page.wrapping_mul(PAGE_SIZE as u64);
    AreaView { name: name(map, &range, area), range, rights: area.rights, flags: area.flags, offset }
}

impl<P: Pages> AddressSpace<P> {
    /// What a shared word at `address` is known by in every space that maps it: a number for the object, and the offset in
    /// bytes. `None` where the word is this space's own. EFAULT where nothing is mapped.
    pub fn shared_object(&self, address: usize) -> Result<Option<(u64, u64)>, Errno> {
        let mut found = Err(Errno::EFAULT);
        self.for_each_area(address, |view| {
            if view.range.contains(&address) {
                found = Ok(match view.name {
                    Name::File(file) if view.flags.contains(AreaFlags::SHARED) => {
                        let (device, inode) = file.numbers();
                        let within = address.wrapping_sub(view.range.start) as u64;
                        Some((device.rotate_left(40) ^ inode, view.offset.wrapping_add(within)))
                    }
                    _ => None,
                });
            }
            false
        });
        found
    }

    /// Shows the areas that end beyond `address` in ascending order, until `body` answers false. The map is held for reading:
    /// `body` must not touch user memory.
    pub fn for_each_area(&self, address: usize, mut body: impl FnMut(&AreaView<'_>) -> bool) {
        let map = self.map.read();
        for (range, area) in map.areas.iter_from(address) {
            if !body(&view(&map, range, area)) {
                break;
            }
        }
    }

    /// What is present in a range.
    pub fn residence(&self, range: Range<usize>) -> Residence {
        let mut sums = Residence::default();
        let one = |count: &mut usize| *count = count.saturating_add(1);
        self.pages().scan(range, &mut |_, page| {
            if page.kind == PageKind::Zero {
                return;
            }
            let anonymous = page.kind == PageKind::Anonymous;
            // A page of a file has one reference of its cache's.
            let users = page.references.saturating_sub(u32::from(!anonymous)).max(1);
            one(&mut sums.resident);
            if anonymous {
                one(&mut sums.anonymous);
            }
            if page.accessed {
                one(&mut sums.referenced);
            }
            match (users > 1, page.dirty || anonymous) {
                (true, false) => one(&mut sums.shared_clean),
                (true, true) => one(&mut sums.shared_dirty),
                (false, false) => one(&mut sums.private_clean),
                (false, true) => one(&mut sums.private_dirty),
            }
            let part = (PAGE_SIZE as u64).checked_div(u64::from(users)).unwrap_or(0);
            sums.proportional = sums.proportional.saturating_add(part);
        });
        sums
    }

    /// Pages present, without a lock: for choosing who has most.
    pub fn resident_pages(&self) -> usize {
        self.resident.total()
    }

    /// Numbers for /proc/PID/status and statm.
    pub fn usage(&self) -> Usage {
        let map = self.map.read();
        let (totals, resident) = (map.totals, &self.resident);
        resident.peak.fetch_max(resident.total(), Relaxed);
        Usage {
            total: totals.all,
            peak: map.peak,
            anonymous: resident.anonymous.load(Relaxed),
            file: resident.file.load(Relaxed),
            memory: resident.memory.load(Relaxed),
            resident_peak: resident.peak.load(Relaxed),
            data: totals.data,
            stack: totals.stack,
            code: totals.code,
            locked: totals.locked,
            areas: map.areas.len(),
            heap_start: map.heap.start,
        }
    }

    /// Writes every area and what is present of it, for panic reports and debugging.
    pub fn dump(&self, output: &mut dyn fmt::Write) -> fmt::Result {
        let map = self.map.read();
        map.areas.iter().try_for_each(|(range, area)| {
            let residence = self.residence(range.clone());
            let pages = pages_in(&range);
            writeln!(output, "{} ({} of {pages} pages)", view(&map, range, area), residence.resident)
        })
    }
}
