//! Checked segments, and what to map for each.
use crate::program::{Kind, Program, Protection, Role, Segment};
use crate::{PAGE, USER_END, page_end, page_start};
use abi::Errno;
use core::ops::Range;

/// A private mapping of the file: whole pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePart {
    pub addresses: Range<u64>,
    /// Position in the file, a multiple of the page size. The file may end earlier: SIGBUS when touched.
    pub offset: u64,
}

/// What one segment wants in the address space, in this order, over whatever earlier segments put there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Protection of the file's pages.
    pub protection: Protection,
    pub file: Option<FilePart>,
    /// The rest of the last file page, to be cleared. Fails without consequence where the segment is not writable.
    pub clear: Option<Range<u64>>,
    /// Zero pages: readable, writable, and executable if the segment is, whatever else it says.
    pub anonymous: Option<Range<u64>>,
}

impl Mapping {
    /// Protection of the zero pages.
    pub fn anonymous_protection(&self) -> Protection {
        Protection::READ | Protection::WRITE | (self.protection & Protection::EXECUTE)
    }
}

/// A program whose segments were checked. Addresses are as linked until a bias is added.
#[derive(Debug)]
pub struct Layout<'a> {
    program: &'a Program,
    /// Page where the lowest segment starts.
    pub start: u64,
    /// Bytes from there to the end of the highest, whole pages.
    pub span: u64,
    /// Where the heap starts: the page boundary after the last byte.
    pub brk: u64,
    /// Code and initialised data as `/proc/PID/stat` shows them; empty at 0 where there is none.
    pub code: Range<u64>,
    pub data: Range<u64>,
    headers: Option<u64>,
}

impl Program {
    /// Checks every segment. Linux meets these errors when the old program is gone already, and ends the new one by SIGSEGV.
    ///
    /// EINVAL (ENOMEM for an interpreter) for a segment with more file than memory or beyond `USER_END`; EINVAL for an offset that
    /// does not agree with its address, or an interpreter without segments; EOVERFLOW for an offset that no file has.
    pub fn layout(&self) -> Result<Layout<'_>, Errno> {
        if self.role == Role::Interpreter && self.segments.is_empty() {
            return Err(Errno::EINVAL);
        }
        self.segments.iter().try_for_each(|segment| segment.check(self.role))?;
        let lowest = self.segments.iter().map(|segment| page_start(segment.address)).min().unwrap_or(0);
        let highest = self.segments.iter().map(Segment::end).max().unwrap_or(0);
        let code = || self.segments.iter().filter(|segment| segment.protection.contains(Protection::EXECUTE));
        Ok(Layout {
            program: self,
            start: lowest,
            span: page_end(highest) - lowest,
            brk: page_end(highest),
            code: code().map(|segment| segment.address).min().unwrap_or(0)
                ..code().map(Segment::file_end).max().unwrap_or(0),
            data: self.segments.iter().map(|segment| segment.address).max().unwrap_or(0)
                ..self.segments.iter().map(Segment::file_end).max().unwrap_or(0),
            headers: self.segments.iter().rev().find_map(|segment| segment.address_of(self.header_offset)),
        })
    }
}

impl Layout<'_> {
    /// What to add to every address when the lowest page goes to `base`, which is page-aligned and for which
    /// `base + span` does not exceed `USER_END`. Zero for a fixed program.
    pub fn bias(&self, base: u64) -> u64 {
        match self.program.kind {
            Kind::Fixed => 0,
            Kind::Relocatable => base.wrapping_sub(self.start),
        }
    }

    /// The entry point (AT_ENTRY). EINVAL beyond `USER_END`.
    pub fn entry(&self, bias: u64) -> Result<u64, Errno> {
        let entry = self.program.entry.wrapping_add(bias);
        if entry < USER_END { Ok(entry) } else { Err(Errno::EINVAL) }
    }

    /// Where the program headers are in memory (AT_PHDR); the bias itself when no segment holds them, as on Linux.
    pub fn program_headers(&self, bias: u64) -> u64 {
        self.headers.unwrap_or(0).wrapping_add(bias)
    }

    /// What to map, in order.
    pub fn mappings(&self, bias: u64) -> impl Iterator<Item = Mapping> {
        self.program.segments.iter().map(move |segment| segment.mapping(bias))
    }
}

impl Segment {
    fn check(&self, role: Role) -> Result<(), Errno> {
        let fits = self.file_size <= self.memory_size
            && self.memory_size <= USER_END
            && self.address < USER_END
            && self.address <= USER_END - self.memory_size;
        if !fits {
            return Err(if role == Role::Program { Errno::EINVAL } else { Errno::ENOMEM });
        }
        if self.file_size == 0 {
            return Ok(());
        }
        if self.offset % PAGE != self.address % PAGE {
            return Err(Errno::EINVAL);
        }
        // A position in a file is a signed number; `file_size` is below USER_END by now.
        if self.offset > i64::MAX as u64 - USER_END {
            return Err(Errno::EOVERFLOW);
        }
        Ok(())
    }

    fn end(&self) -> u64 {
        self.address.saturating_add(self.memory_size)
    }

    fn file_end(&self) -> u64 {
        self.address.saturating_add(self.file_size)
    }

    /// Where in memory the byte at `offset` of the file is.
    fn address_of(&self, offset: u64) -> Option<u64> {
        let inside = offset.checked_sub(self.offset)?;
        (inside < self.file_size).then(|| self.address.wrapping_add(inside))
    }

    /// Only after [`check`](Self::check): nothing wraps but by the bias.
    fn mapping(&self, bias: u64) -> Mapping {
        let at = |range: Range<u64>| range.start.wrapping_add(bias)..range.end.wrapping_add(bias);
        let first = page_start(self.address);
        let file_pages = if self.file_size == 0 { first..first } else { first..page_end(self.file_end()) };
        let zeroed = self.memory_size > self.file_size;
        let tail = self.file_end()..file_pages.end;
        let bss = file_pages.end..page_end(self.end());
        Mapping {
            protection: self.protection,
            file: (self.file_size != 0)
                .then(|| FilePart { addresses: at(file_pages), offset: page_start(self.offset) }),
            clear: (zeroed && self.file_size != 0 && !tail.is_empty()).then(|| at(tail)),
            anonymous: (zeroed && !bss.is_empty()).then(|| at(bss)),
        }
    }
}
