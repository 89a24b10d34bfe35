//! The image as a dynamic linker reads it.

use object::read::elf::{ElfFile64, ProgramHeader, Sym, Version};
use object::{Endianness, Object, ObjectSegment, ObjectSymbol, elf};
use std::collections::{BTreeMap, BTreeSet};
use vdso_image::{IMAGE, IMAGE_PAGES};

const LITTLE: Endianness = Endianness::Little;
const NAMES: [&str; 5] = ["clock_getres", "clock_gettime", "getcpu", "gettimeofday", "time"];

// Tags of the dynamic section (ELF specification, "Dynamic Section").
const NEEDED: u64 = 1;
const PLT_RELOCATIONS_SIZE: u64 = 2;
const HASH: u64 = 4;
const STRINGS: u64 = 5;
const RELA: u64 = 7;
const SONAME: u64 = 14;
const REL: u64 = 17;
const TEXT_RELOCATIONS: u64 = 22;
const PLT_RELOCATIONS: u64 = 23;
const RELR: u64 = 36;
const GNU_HASH: u64 = 0x6fff_fef5;
const VERSION_DEFINITIONS: u64 = 0x6fff_fffc;

fn file() -> ElfFile64<'static, Endianness> {
    ElfFile64::parse(IMAGE).unwrap()
}

/// Tags and values, found as a dynamic linker finds them: by the program header.
fn dynamic() -> BTreeMap<u64, u64> {
    let file = file();
    let header = file.elf_program_headers().iter().find(|header| header.p_type(LITTLE) == elf::PT_DYNAMIC).unwrap();
    let entries = header.data(LITTLE, IMAGE).unwrap().chunks_exact(16).map(|entry| {
        let (tag, value) = entry.split_at(8);
        (u64::from_le_bytes(tag.try_into().unwrap()), u64::from_le_bytes(value.try_into().unwrap()))
    });
    entries.take_while(|&(tag, _)| tag != 0).collect()
}

fn string(address: u64) -> &'static str {
    std::ffi::CStr::from_bytes_until_nul(&IMAGE[address as usize..]).unwrap().to_str().unwrap()
}

#[test]
fn nothing_is_relocated_and_nothing_else_is_needed() {
    let dynamic = dynamic();
    for tag in [NEEDED, PLT_RELOCATIONS_SIZE, RELA, REL, TEXT_RELOCATIONS, PLT_RELOCATIONS, RELR] {
        assert_eq!(dynamic.get(&tag), None, "tag {tag}");
    }
    assert!(file().dynamic_relocations().is_none_or(|mut relocations| relocations.next().is_none()));
}

#[test]
fn it_has_its_name_and_both_hash_tables() {
    let dynamic = dynamic();
    assert_eq!(string(dynamic[&STRINGS] + dynamic[&SONAME]), "linux-vdso.so.1");
    for tag in [HASH, GNU_HASH, VERSION_DEFINITIONS] {
        assert!(dynamic.contains_key(&tag), "tag {tag:#x}");
    }
}

#[test]
fn one_segment_is_loaded_at_zero_and_never_written() {
    let file = file();
    let segments: Vec<_> = file.segments().collect();
    assert_eq!(segments.len(), 1);
    let permissions = segments[0].permissions();
    assert!(permissions.readable() && permissions.executable() && !permissions.writable());
    assert_eq!((segments[0].address(), segments[0].file_range().0), (0, 0));
    assert_eq!(segments[0].file_range().1, segments[0].size(), "no memory beyond the file");
    assert!(segments[0].size() <= IMAGE.len() as u64);
    assert_eq!(IMAGE_PAGES * 4096, IMAGE.len());
}

#[test]
fn exactly_the_functions_are_exported_under_both_names() {
    let file = file();
    let found: BTreeMap<&str, (u64, bool)> =
        file.dynamic_symbols().map(|symbol| (symbol.name().unwrap(), (symbol.address(), symbol.is_weak()))).collect();
    let expected: BTreeSet<String> =
        NAMES.iter().flat_map(|name| [name.to_string(), format!("__vdso_{name}")]).collect();
    assert_eq!(found.keys().map(ToString::to_string).collect::<BTreeSet<_>>(), expected);
    for name in NAMES {
        let (address, weak) = found[format!("__vdso_{name}").as_str()];
        assert!(!weak && address != 0, "{name}");
        assert_eq!(found[name], (address, true), "{name}");
    }
    assert!(file.dynamic_symbols().all(|symbol| symbol.kind() == object::SymbolKind::Text && symbol.size() > 0));
}

#[test]
fn both_hash_tables_find_every_function_in_version_linux_2_6_only() {
    let file = file();
    let (sections, symbols) = (file.elf_section_table(), file.elf_dynamic_symbol_table());
    let versions = sections.versions(LITTLE, IMAGE).unwrap().unwrap();
    let defined = (0..16).filter_map(|index| versions.version(elf::VersionIndex(index)).ok().flatten());
    let defined: Vec<Version<'_>> = defined.cloned().collect();
    let version = defined.iter().find(|version| version.name() == b"LINUX_2.6").expect("the version");
    let other = defined.iter().find(|version| version.name() != b"LINUX_2.6");
    let (hash, _) = sections.hash(LITTLE, IMAGE).unwrap().unwrap();
    let (gnu_hash, _) = sections.gnu_hash(LITTLE, IMAGE).unwrap().unwrap();
    for name in NAMES.iter().flat_map(|name| [name.to_string(), format!("__vdso_{name}")]) {
        let name = name.as_bytes();
        let by_hash = |version| hash.find(LITTLE, name, elf::hash(name), Some(version), symbols, &versions);
        let by_gnu_hash = |version| gnu_hash.find(LITTLE, name, elf::gnu_hash(name), Some(version), symbols, &versions);
        let (index, symbol) = by_hash(version).expect("by DT_HASH");
        assert_eq!(by_gnu_hash(version).expect("by DT_GNU_HASH").0, index);
        assert_ne!(symbol.st_value(LITTLE), 0);
        assert!(other.is_none_or(|other| by_hash(other).is_none()));
    }
}
