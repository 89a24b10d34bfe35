//! Executable files: ELF64's headers (`elf(5)`, System V gABI).
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `Elf64_Ehdr`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ElfHeader {
    pub identification: [u8; 16],
    pub kind: u16,
    pub machine: u16,
    pub version: u32,
    pub entry: u64,
    pub program_header_offset: u64,
    pub section_header_offset: u64,
    pub flags: u32,
    pub header_size: u16,
    pub program_header_size: u16,
    pub program_header_count: u16,
    pub section_header_size: u16,
    pub section_header_count: u16,
    pub section_names: u16,
}

/// `Elf64_Phdr`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ProgramHeader {
    pub kind: u32,
    pub flags: u32,
    pub offset: u64,
    pub virtual_address: u64,
    pub physical_address: u64,
    pub file_size: u64,
    pub memory_size: u64,
    pub alignment: u64,
}

/// First bytes of every ELF file.
pub const MAGIC: [u8; 4] = *b"\x7fELF";
/// `ET_EXEC`: linked to run at its own addresses.
pub const KIND_EXECUTABLE: u16 = 2;
/// `ET_DYN`: position-independent.
pub const KIND_DYNAMIC: u16 = 3;
/// `EM_X86_64`.
pub const MACHINE_X86_64: u16 = 62;

/// `PT_LOAD`.
pub const SEGMENT_LOAD: u32 = 1;
/// `PT_INTERP`.
pub const SEGMENT_INTERPRETER: u32 = 3;
/// `PT_GNU_STACK`.
pub const SEGMENT_STACK: u32 = 0x6474_e551;

/// `PF_X`, `PF_W`, `PF_R`.
pub const FLAG_EXECUTE: u32 = 1;
pub const FLAG_WRITE: u32 = 2;
pub const FLAG_READ: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_specification() {
        assert_eq!(size_of::<ElfHeader>(), 64);
        assert_eq!(size_of::<ProgramHeader>(), 56);
    }
}
