//! The first stack, read back the way a libc reads it.
use abi::Errno;
use abi::raw::auxvec as at;
use exec::{Arguments, AuxiliaryValues, MAX_STRING, Script, StackImage, StringTable};
use proptest::prelude::*;
use std::collections::BTreeMap;

const TOP: u64 = 0x7fff_ffff_f000;
const UNLIMITED: u64 = u64::MAX;

#[derive(Default)]
struct Memory(BTreeMap<u64, u8>);

impl Memory {
    fn write(&mut self, address: u64, bytes: &[u8]) {
        for (index, &byte) in bytes.iter().enumerate() {
            assert!(self.0.insert(address + index as u64, byte).is_none(), "written twice");
        }
    }

    fn byte(&self, address: u64) -> u8 {
        self.0.get(&address).copied().unwrap_or(0)
    }

    fn word(&self, address: u64) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|index| self.byte(address + index as u64)))
    }

    fn string(&self, address: u64) -> Vec<u8> {
        (address..).map(|at| self.byte(at)).take_while(|&byte| byte != 0).collect()
    }

    /// Strings at the pointers from `address` on, and the address after the null pointer.
    fn list(&self, mut address: u64) -> (Vec<Vec<u8>>, u64) {
        let mut strings = Vec::new();
        while self.word(address) != 0 {
            strings.push(self.string(self.word(address)));
            address += 8;
        }
        (strings, address + 8)
    }
}

fn collect(arguments: &[Vec<u8>], environment: &[Vec<u8>], name: &[u8]) -> Result<Arguments, Errno> {
    let mut all = Arguments::new(UNLIMITED, arguments.len(), environment.len(), name)?;
    arguments.iter().try_for_each(|string| all.push(StringTable::Arguments, string))?;
    environment.iter().try_for_each(|string| all.push(StringTable::Environment, string))?;
    Ok(all)
}

fn strings() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let string =
        prop_oneof![8 => prop::collection::vec(1..=255_u8, 0..20), 1 => prop::collection::vec(1..=255_u8, 0..6000)];
    prop::collection::vec(string, 0..12)
}

proptest! {
    #[test]
    fn a_libc_finds_everything(
        arguments in strings(), environment in strings(), name in prop::collection::vec(1..=255_u8, 0..50),
        jitter in 0..8192_u64, scripts in 0..3_usize, random: [u8; 16],
    ) {
        let mut all = collect(&arguments, &environment, &name).unwrap();
        let mut expected = if arguments.is_empty() { vec![vec![]] } else { arguments };
        for depth in 0..scripts {
            let argument = (depth != 1).then_some(b"-x".as_slice());
            all.interpret(&Script { interpreter: b"/bin/sh", argument }, b"/script").unwrap();
            let front = [Some(b"/bin/sh".as_slice()), argument, Some(b"/script")];
            expected.splice(0..1, front.into_iter().flatten().map(<[u8]>::to_vec));
        }
        let values = AuxiliaryValues { entry: 0x1234, secure: true, vdso: Some(0x5000), ..Default::default() };
        let image = StackImage::new(&all, &values, random, TOP, jitter).unwrap();
        let mut memory = Memory::default();
        let mut end = 0;
        image.write_to(|address, bytes| {
            assert!(end <= address && bytes.len() as u64 <= 4096 - address % 4096 && !bytes.is_empty());
            end = address + bytes.len() as u64;
            memory.write(address, bytes);
            Ok(())
        }).unwrap();
        prop_assert_eq!(end, TOP - 8);

        let layout = image.layout();
        prop_assert_eq!(layout.stack_pointer % 16, 0);
        prop_assert_eq!(memory.word(layout.stack_pointer), expected.len() as u64);
        let (found, next) = memory.list(layout.stack_pointer + 8);
        prop_assert_eq!(&found, &expected);
        let (found, mut next) = memory.list(next);
        prop_assert_eq!(&found, &environment);
        let mut vector = BTreeMap::new();
        let first = memory.word(next) as u32;
        prop_assert_eq!(first, at::AT_SYSINFO_EHDR);
        while memory.word(next) != 0 {
            prop_assert!(vector.insert(memory.word(next) as u32, memory.word(next + 8)).is_none());
            next += 16;
        }
        prop_assert_eq!(vector[&at::AT_ENTRY], 0x1234);
        prop_assert_eq!(vector[&at::AT_SECURE], 1);
        prop_assert_eq!(vector[&at::AT_CLKTCK], 100);
        prop_assert_eq!(vector[&at::AT_PAGESZ], 4096);
        prop_assert_eq!(memory.string(vector[&at::AT_EXECFN]), name);
        prop_assert_eq!(memory.string(vector[&at::AT_PLATFORM]), b"x86_64".to_vec());
        let bytes: Vec<u8> = (0..16).map(|index| memory.byte(vector[&at::AT_RANDOM] + index)).collect();
        prop_assert_eq!(bytes, random.to_vec());
        let block = |from: u64, to: u64| (from..to).map(|at| memory.byte(at)).collect::<Vec<_>>();
        let joined = |list: &[Vec<u8>]| list.iter().flat_map(|s| s.iter().copied().chain([0])).collect::<Vec<_>>();
        prop_assert_eq!(block(layout.argument_start, layout.argument_end), joined(&expected));
        prop_assert_eq!(block(layout.environment_start, layout.environment_end), joined(&environment));
    }
}

/// What the kernel of this machine laid out for this very process follows the same order.
#[test]
fn the_vector_is_in_linux_order() {
    let bytes = std::fs::read("/proc/self/auxv").unwrap();
    let host: Vec<u64> = bytes.chunks_exact(16).map(|pair| u64::from_ne_bytes(pair[..8].try_into().unwrap())).collect();
    let all = collect(&[], &[], b"x").unwrap();
    let values = AuxiliaryValues { vdso: Some(1), rseq: Some((32, 32)), ..Default::default() };
    let image = StackImage::new(&all, &values, [0; 16], TOP, 0).unwrap();
    let ours: Vec<u64> = image.auxiliary_vector().chunks(2).map(|pair| pair[0]).collect();
    let shared: Vec<u64> = host.iter().copied().filter(|kind| ours.contains(kind)).collect();
    let present: Vec<u64> = ours.iter().copied().filter(|kind| host.contains(kind)).collect();
    // Newer kernels moved the two entries for rseq.
    let settled = |list: Vec<u64>| list.into_iter().filter(|&kind| !(27..=28).contains(&kind)).collect::<Vec<_>>();
    assert!(present.len() > 18);
    assert_eq!(settled(present), settled(shared));
}

#[test]
fn strings_have_limits() {
    let longest = vec![b'x'; MAX_STRING - 1];
    let mut all = Arguments::new(8 << 20, 3, 0, b"name").unwrap();
    assert_eq!(all.push(StringTable::Arguments, &longest), Ok(()));
    assert_eq!(all.append(StringTable::Arguments, &longest), Ok(()));
    assert_eq!(all.append(StringTable::Arguments, b"x"), Err(Errno::E2BIG));
}

#[test]
fn the_whole_has_limits() {
    // A quarter of the stack, but never less than 128 KiB nor more than 6 MiB.
    for (stack, room) in [(8 << 20, 2 << 20), (4096, 131072), (u64::MAX, 6 << 20)] {
        let mut all = Arguments::new(stack, 1, 1, b"name").unwrap();
        let mut left = room - 16 - 5;
        while left > 100_000 {
            all.push(StringTable::Environment, &[b'x'; 99_999]).unwrap();
            left -= 100_000;
        }
        assert_eq!(all.push(StringTable::Environment, &vec![b'x'; left]), Err(Errno::E2BIG));
        let mut all = Arguments::new(stack, room / 8 - 1, 0, b"").unwrap();
        assert_eq!(all.push(StringTable::Arguments, &[b'x'; 8]), Err(Errno::E2BIG));
        assert_eq!(Arguments::new(stack, room / 8, 0, b"").err(), Some(Errno::E2BIG));
        assert_eq!(Arguments::new(stack, usize::MAX, usize::MAX, b"").err(), Some(Errno::E2BIG));
    }
}
