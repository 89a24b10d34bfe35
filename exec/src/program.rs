//! Reading an ELF file: what `execve` can still refuse.
use crate::table::{self, Image, read_exact};
use abi::elf::{self, ElfHeader, ProgramHeader};
use abi::{Errno, PATH_MAX};
use alloc::vec::Vec;
use smallvec::SmallVec;
use zerocopy::FromBytes;

bitflags::bitflags! {
    /// Access to a mapping; the bits are those of `PROT_*` in `mmap(2)`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Protection: u32 {
        const READ = 1;
        const WRITE = 2;
        const EXECUTE = 4;
    }
}

/// What the file is wanted for, which decides about error numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The file named in `execve`.
    Program,
    /// The file that the program's PT_INTERP names.
    Interpreter,
}

/// Whether the file runs at the addresses that it was linked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Fixed,
    Relocatable,
}

/// A PT_LOAD entry as the file has it, unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub address: u64,
    pub memory_size: u64,
    pub offset: u64,
    pub file_size: u64,
    pub protection: Protection,
}

/// What the headers of an ELF file say.
#[derive(Debug)]
pub struct Program {
    pub kind: Kind,
    pub role: Role,
    /// As linked; [`Layout::entry`](crate::Layout::entry) adds the bias and checks.
    pub entry: u64,
    /// Where the program header table is in the file, and how many entries it has (AT_PHNUM).
    pub header_offset: u64,
    pub header_count: u16,
    pub segments: SmallVec<[Segment; 6]>,
    /// Path of the first PT_INTERP, without its NUL.
    pub interpreter: Option<Vec<u8>>,
    /// Whether PT_GNU_STACK asks for an executable stack. Without one x86-64 gives none.
    pub executable_stack: bool,
    /// Largest power of two among the segments' alignments, at least a page.
    pub alignment: u64,
}

impl Program {
    /// Reads the headers. `head` is the start of the file, as much as is at hand (a page at best); `image` is asked for the
    /// rest. May sleep.
    ///
    /// A program: ENOEXEC where it is none for this machine or its table or PT_INTERP is malformed; EIO for a
    /// PT_INTERP beyond the end. An interpreter: ELIBBAD, or EIO when shorter than a header. ENOMEM.
    pub fn parse(image: &dyn Image, head: &[u8], role: Role) -> Result<Self, Errno> {
        let refused = match role {
            Role::Program => Errno::ENOEXEC,
            Role::Interpreter => Errno::ELIBBAD,
        };
        let header = read_header(image, head, role)?;
        let known_kind = matches!(header.kind, elf::KIND_EXECUTABLE | elf::KIND_DYNAMIC);
        // Neither class nor byte order: Linux does not look at them.
        if header.identification[..4] != elf::MAGIC || header.machine != elf::MACHINE_X86_64 {
            return Err(refused);
        }
        if !known_kind && role == Role::Program {
            return Err(refused);
        }
        let mut program = Self::empty(&header, role);
        let mut interpreter = None;
        table::for_each(image, head, &header, &mut |entry| program.note(entry, &mut interpreter))
            .map_err(|error| error.unwrap_or(refused))?;
        if role == Role::Interpreter && !known_kind {
            // Linux notices only when it maps it: nothing to map fails there too.
            program.segments.clear();
        }
        if let (Some(entry), Role::Program) = (interpreter, role) {
            program.interpreter = Some(read_interpreter(image, head, &entry)?);
        }
        Ok(program)
    }

    fn empty(header: &ElfHeader, role: Role) -> Self {
        let kind = if header.kind == elf::KIND_DYNAMIC { Kind::Relocatable } else { Kind::Fixed };
        Self {
            kind,
            role,
            entry: header.entry,
            header_offset: header.program_header_offset,
            header_count: header.program_header_count,
            segments: SmallVec::new(),
            interpreter: None,
            executable_stack: false,
            alignment: crate::PAGE,
        }
    }

    fn note(&mut self, entry: &ProgramHeader, interpreter: &mut Option<ProgramHeader>) -> Result<(), Errno> {
        match entry.kind {
            elf::SEGMENT_LOAD => {
                self.segments.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                self.segments.push(Segment::new(entry));
                if entry.alignment.is_power_of_two() {
                    self.alignment = self.alignment.max(entry.alignment);
                }
            }
            // The last one counts.
            elf::SEGMENT_STACK => self.executable_stack = entry.flags & elf::FLAG_EXECUTE != 0,
            // The first one counts.
            elf::SEGMENT_INTERPRETER => {
                interpreter.get_or_insert(*entry);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Segment {
    fn new(entry: &ProgramHeader) -> Self {
        let mut protection = Protection::empty();
        protection.set(Protection::READ, entry.flags & elf::FLAG_READ != 0);
        protection.set(Protection::WRITE, entry.flags & elf::FLAG_WRITE != 0);
        protection.set(Protection::EXECUTE, entry.flags & elf::FLAG_EXECUTE != 0);
        Self {
            address: entry.virtual_address,
            memory_size: entry.memory_size,
            offset: entry.offset,
            file_size: entry.file_size,
            protection,
        }
    }
}

fn read_header(image: &dyn Image, head: &[u8], role: Role) -> Result<ElfHeader, Errno> {
    let mut bytes = [0; size_of::<ElfHeader>()];
    match role {
        // What a short file lacks counts as zero.
        Role::Program if head.len() < bytes.len() => {
            image.read_at(0, &mut bytes)?;
        }
        _ => read_exact(image, head, 0, &mut bytes)?,
    }
    ElfHeader::read_from_bytes(&bytes).map_err(|_| Errno::ENOEXEC)
}

fn read_interpreter(image: &dyn Image, head: &[u8], entry: &ProgramHeader) -> Result<Vec<u8>, Errno> {
    if entry.file_size < 2 || entry.file_size > PATH_MAX as u64 {
        return Err(Errno::ENOEXEC);
    }
    let length = entry.file_size as usize;
    let mut path = Vec::new();
    path.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
    path.resize(length, 0);
    read_exact(image, head, entry.offset, &mut path)?;
    if path.last() != Some(&0) {
        return Err(Errno::ENOEXEC);
    }
    let end = path.iter().position(|&byte| byte == 0).unwrap_or(length);
    path.truncate(end);
    Ok(path)
}
