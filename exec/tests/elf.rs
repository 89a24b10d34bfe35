//! ELF files, honest and hostile. The errors are those that Linux answered to the same files.
use abi::elf::{self, ElfHeader, ProgramHeader};
use abi::{Errno, USER_END};
use exec::{Image, Kind, Layout, Program, Protection, Role};
use proptest::prelude::*;
use std::collections::BTreeMap;
use zerocopy::IntoBytes;

const PAGE: u64 = 4096;

struct Bytes<'a>(&'a [u8]);

impl Image for Bytes<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        let rest = usize::try_from(offset).ok().and_then(|start| self.0.get(start..)).unwrap_or(&[]);
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

fn file(kind: u16, headers: &[ProgramHeader]) -> Vec<u8> {
    let header = ElfHeader {
        identification: *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0",
        kind,
        machine: elf::MACHINE_X86_64,
        version: 1,
        entry: 0x40_1000,
        program_header_offset: 64,
        header_size: 64,
        program_header_size: 56,
        program_header_count: headers.len() as u16,
        ..Default::default()
    };
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(headers.as_bytes());
    bytes.resize(bytes.len().max(0x3000), 0xaa);
    bytes
}

fn load(address: u64, memory_size: u64, offset: u64, file_size: u64) -> ProgramHeader {
    ProgramHeader {
        kind: elf::SEGMENT_LOAD,
        flags: elf::FLAG_READ | elf::FLAG_WRITE,
        offset,
        virtual_address: address,
        file_size,
        memory_size,
        alignment: PAGE,
        ..Default::default()
    }
}

fn interpreter(offset: u64, file_size: u64) -> ProgramHeader {
    ProgramHeader { kind: elf::SEGMENT_INTERPRETER, offset, file_size, ..Default::default() }
}

fn parse(bytes: &[u8], role: Role) -> Result<Program, Errno> {
    Program::parse(&Bytes(bytes), &bytes[..bytes.len().min(256)], role)
}

fn layout_error(headers: &[ProgramHeader], role: Role) -> Option<Errno> {
    parse(&file(elf::KIND_DYNAMIC, headers), role).unwrap().layout().err()
}

#[test]
fn the_programs_of_this_machine() {
    for name in ["/bin/true", "/bin/sh", "/proc/self/exe"] {
        let bytes = std::fs::read(name).unwrap();
        let program = parse(&bytes, Role::Program).unwrap();
        let layout = program.layout().unwrap();
        assert_eq!(program.kind, Kind::Relocatable, "{name}");
        assert_eq!(program.interpreter.as_deref(), Some(b"/lib64/ld-linux-x86-64.so.2".as_slice()));
        assert!(!program.executable_stack);
        assert_eq!(layout.program_headers(0x1000), 0x1040);
        check_bytes(&layout, &program, &bytes, 0x5555_5555_4000);
    }
}

#[test]
fn what_is_not_for_this_machine() {
    let good = file(elf::KIND_EXECUTABLE, &[load(0x40_0000, 0x1000, 0, 0x1000)]);
    assert!(parse(&good, Role::Program).is_ok());
    let broken: [(usize, &[u8], Errno); 7] = [
        (0, b"MZ", Errno::ELIBBAD),
        (18, &[3, 0], Errno::ELIBBAD),
        (54, &[32, 0], Errno::ELIBBAD),
        (56, &[0, 0], Errno::ELIBBAD),
        (56, &[0xff, 0xff], Errno::ELIBBAD),
        (32, &[0xff; 8], Errno::ELIBBAD),
        (32, &[0, 0, 1], Errno::ELIBBAD),
    ];
    for (at, patch, for_interpreter) in broken {
        let mut bytes = good.clone();
        bytes[at..at + patch.len()].copy_from_slice(patch);
        assert_eq!(parse(&bytes, Role::Program).err(), Some(Errno::ENOEXEC), "at {at}");
        assert_eq!(parse(&bytes, Role::Interpreter).err(), Some(for_interpreter), "at {at}");
    }
    for length in [0, 1, 4, 63, 64, 100] {
        let cut = &good[..length];
        assert_eq!(parse(cut, Role::Program).err(), Some(Errno::ENOEXEC));
        let error = if length < 64 { Errno::EIO } else { Errno::ELIBBAD };
        assert_eq!(parse(cut, Role::Interpreter).err(), Some(error));
    }
    let mut class = good.clone();
    class[4] = 1;
    assert!(parse(&class, Role::Program).is_ok(), "Linux does not look");
    let object = file(1, &[load(0x40_0000, 0x1000, 0, 0x1000)]);
    assert_eq!(parse(&object, Role::Program).err(), Some(Errno::ENOEXEC));
    assert_eq!(parse(&object, Role::Interpreter).unwrap().layout().err(), Some(Errno::EINVAL));
}

#[test]
fn a_table_of_64_kib_is_the_longest() {
    let mut headers = vec![ProgramHeader::default(); 1170];
    headers[1169] = load(0, 1, 0, 1);
    assert_eq!(parse(&file(elf::KIND_DYNAMIC, &headers), Role::Program).unwrap().segments.len(), 1);
    headers.push(ProgramHeader::default());
    assert_eq!(parse(&file(elf::KIND_DYNAMIC, &headers), Role::Program).err(), Some(Errno::ENOEXEC));
}

#[test]
fn interpreters() {
    let with = |entry, path: &[u8]| {
        let mut bytes = file(elf::KIND_DYNAMIC, &[load(0, 0x1000, 0, 0x1000), entry]);
        bytes[0x300..0x300 + path.len()].copy_from_slice(path);
        parse(&bytes, Role::Program).map(|program| program.interpreter.unwrap())
    };
    assert_eq!(with(interpreter(0x300, 5), b"/ld\0\0"), Ok(b"/ld".to_vec()));
    assert_eq!(with(interpreter(0x300, 2), b"\0\0"), Ok(vec![]));
    for (entry, error) in [
        (interpreter(0x300, 1), Errno::ENOEXEC),
        (interpreter(0x300, 0), Errno::ENOEXEC),
        (interpreter(0x300, 4097), Errno::ENOEXEC),
        (interpreter(0x300, u64::MAX), Errno::ENOEXEC),
        (interpreter(0x300, 3), Errno::ENOEXEC),
        (interpreter(1 << 20, 4), Errno::EIO),
        (interpreter(1 << 63, 4), Errno::EINVAL),
        (interpreter(u64::MAX, 4), Errno::EINVAL),
    ] {
        assert_eq!(with(entry, b"/ld\0"), Err(error), "{entry:?}");
    }
}

#[test]
fn segments_that_cannot_be_mapped() {
    let end = USER_END as u64;
    for (segment, program, interpreter) in [
        (load(0, 0x100, 0, 0x200), Errno::EINVAL, Errno::ENOMEM),
        (load(end, 1, 0, 1), Errno::EINVAL, Errno::ENOMEM),
        (load(end - PAGE, PAGE + 1, 0, 1), Errno::EINVAL, Errno::ENOMEM),
        (load(u64::MAX, 1, 0xfff, 1), Errno::EINVAL, Errno::ENOMEM),
        (load(0x1000, u64::MAX, 0, 1), Errno::EINVAL, Errno::ENOMEM),
        (load(0x1000, 0x100, 0x10, 0x100), Errno::EINVAL, Errno::EINVAL),
        (load(0, 0x100, !0xfff, 0x100), Errno::EOVERFLOW, Errno::EOVERFLOW),
    ] {
        assert_eq!(layout_error(&[segment], Role::Program), Some(program), "{segment:?}");
        assert_eq!(layout_error(&[segment], Role::Interpreter), Some(interpreter), "{segment:?}");
    }
    assert_eq!(layout_error(&[load(end - PAGE, PAGE, 0, 1)], Role::Program), None);
    assert_eq!(layout_error(&[load(0x10, 0x100, 0x33, 0)], Role::Program), None, "no file, no agreement needed");
    assert_eq!(layout_error(&[interpreter(0, 1)], Role::Interpreter), Some(Errno::EINVAL));
}

#[test]
fn a_data_segment_with_bss() {
    let bytes = file(elf::KIND_EXECUTABLE, &[load(0x40_1010, 0x3000, 0x1010, 0x800)]);
    let program = parse(&bytes, Role::Program).unwrap();
    let layout = program.layout().unwrap();
    assert_eq!((layout.start, layout.span, layout.brk), (0x40_1000, 0x4000, 0x40_5000));
    assert_eq!(layout.bias(0x1234_5000), 0);
    let mapping = layout.mappings(0).next().unwrap();
    assert_eq!(mapping.file.as_ref().unwrap().addresses, 0x40_1000..0x40_2000);
    assert_eq!(mapping.file.as_ref().unwrap().offset, 0x1000);
    assert_eq!(mapping.clear, Some(0x40_1810..0x40_2000));
    assert_eq!(mapping.anonymous, Some(0x40_2000..0x40_5000));
    assert_eq!(mapping.anonymous_protection(), Protection::READ | Protection::WRITE);
}

/// Applies the plan byte by byte and compares with what the program header promises. Segments must not share pages.
fn check_bytes(layout: &Layout<'_>, program: &Program, file: &[u8], base: u64) {
    let bias = layout.bias(base);
    let mut memory = BTreeMap::new();
    let file_byte = |at: u64| file.get(at as usize).copied().unwrap_or(0);
    for mapping in layout.mappings(bias) {
        if let Some(part) = mapping.file {
            assert_eq!((part.addresses.start | part.addresses.end | part.offset) % PAGE, 0);
            memory.extend(part.addresses.clone().map(|at| (at, file_byte(part.offset + (at - part.addresses.start)))));
        }
        for range in [mapping.clear, mapping.anonymous].into_iter().flatten() {
            memory.extend(range.map(|at| (at, 0)));
        }
    }
    let low = layout.start.wrapping_add(bias);
    assert!(memory.keys().all(|&at| (low..low + layout.span).contains(&at)));
    for segment in &program.segments {
        for inside in 0..segment.memory_size {
            let expected = if inside < segment.file_size { file_byte(segment.offset + inside) } else { 0 };
            let at = segment.address.wrapping_add(inside).wrapping_add(bias);
            assert_eq!(memory.get(&at), Some(&expected), "{segment:x?} at {inside:#x}");
        }
    }
}

/// Whatever the file says, what is asked of the address space lies where it may.
fn check_bounds(program: &Program) -> Result<(), TestCaseError> {
    let Ok(layout) = program.layout() else { return Ok(()) };
    prop_assert!(layout.start + layout.span <= USER_END as u64);
    prop_assert_eq!(layout.start % PAGE, 0);
    let base = if program.kind == Kind::Fixed { layout.start } else { 0 };
    let bias = layout.bias(base);
    for mapping in layout.mappings(bias) {
        let file = mapping.file.map(|part| part.addresses);
        for range in [file, mapping.clear, mapping.anonymous].into_iter().flatten() {
            prop_assert!(range.start < range.end && base <= range.start && range.end <= base + layout.span);
        }
    }
    let _ = (layout.entry(bias), layout.program_headers(bias));
    Ok(())
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..0x6000_u64,
        Just(USER_END as u64).prop_flat_map(|end| end - 0x2000..end + 0x2000),
        any::<u64>(),
        (u64::MAX - 0x2000)..=u64::MAX,
    ]
}

fn any_header() -> impl Strategy<Value = ProgramHeader> {
    let kind = prop_oneof![4 => Just(1_u32), 1 => Just(3), 1 => Just(elf::SEGMENT_STACK), 1 => any::<u32>()];
    (kind, 0..8_u32, number(), number(), number(), number(), number()).prop_map(
        |(kind, flags, offset, virtual_address, file_size, memory_size, alignment)| ProgramHeader {
            kind,
            flags,
            offset,
            virtual_address,
            physical_address: 0,
            file_size,
            memory_size,
            alignment,
        },
    )
}

proptest! {
    #[test]
    fn honest_files_come_out_byte_for_byte(
        parts in prop::collection::vec((0..PAGE, 0..0x1800_u64, 0..0x1800_u64, 0..3_u64, 0..2_u64), 1..5)
    ) {
        let mut address = 0x1_0000;
        let mut headers = Vec::new();
        for (inside, file_size, more, gap, page) in parts {
            address += gap * PAGE;
            headers.push(load(address + inside, file_size + more, page * PAGE + inside, file_size));
            address = (address + inside + file_size + more).next_multiple_of(PAGE);
        }
        let bytes = file(elf::KIND_DYNAMIC, &headers);
        let program = parse(&bytes, Role::Program).unwrap();
        check_bytes(&program.layout().unwrap(), &program, &bytes, 0x7000_0000);
    }

    #[test]
    fn hostile_headers_stay_in_bounds(headers in prop::collection::vec(any_header(), 1..6), kind in 2..4_u16) {
        let bytes = file(kind, &headers);
        for role in [Role::Program, Role::Interpreter] {
            if let Ok(program) = parse(&bytes, role) {
                check_bounds(&program)?;
            }
        }
    }

    #[test]
    fn mutated_programs_stay_in_bounds(
        patches in prop::collection::vec((0..900_usize, any::<u8>()), 0..12), cut in 0..4096_usize, truncate: bool
    ) {
        let mut bytes = std::fs::read("/bin/true").unwrap();
        for (at, value) in patches {
            bytes[at] = value;
        }
        if truncate {
            bytes.truncate(cut);
        }
        for role in [Role::Program, Role::Interpreter] {
            if let Ok(program) = parse(&bytes, role) {
                check_bounds(&program)?;
            }
        }
    }
}
