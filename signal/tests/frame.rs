//! Signal frames: against frames that Linux built, and back again.
use abi::Errno;
use abi::signal::{SignalStack, UC_STRICT_RESTORE_SS};
use proptest::prelude::*;
use signal::*;
use std::collections::BTreeMap;

/// User memory, byte by byte; what was never written cannot be read.
#[derive(Clone, Default)]
struct Memory(BTreeMap<u64, u8>);

impl Memory {
    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.0.extend((address..).zip(bytes.iter().copied()));
        Ok(())
    }

    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Errno> {
        for (at, byte) in (address..).zip(bytes) {
            *byte = *self.0.get(&at).ok_or(Errno::EFAULT)?;
        }
        Ok(())
    }
}

struct Recorded {
    rsp: u64,
    frame: u64,
    alternate: (u64, u64),
    bytes: Vec<u8>,
}

fn recorded(text: &str) -> Recorded {
    let mut words = text.split_whitespace();
    let mut word = |name: &str| {
        assert_eq!(words.next(), Some(name));
        words.next().unwrap().to_owned()
    };
    let number = |word: &str| u64::from_str_radix(word, 16).unwrap();
    let (rsp, frame) = (number(&word("rsp")), number(&word("frame")));
    let address = number(&word("alternate"));
    let rest: Vec<&str> = text.split_whitespace().skip(6).collect();
    let bytes = rest[4].as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    Recorded {
        rsp,
        frame,
        alternate: (address, number(rest[0])),
        bytes: bytes.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect(),
    }
}

fn alternate(address: u64, size: u64, flags: u32) -> AlternateStack {
    let mut stack = AlternateStack::default();
    stack.set(0, &SignalStack { address, flags, padding: 0, size }).unwrap();
    stack
}

fn deliver(flags: ActionFlags, restorer: Option<u64>) -> Deliver {
    Deliver { handler: 0x40_1000, restorer, flags, mask: SignalSet::EMPTY }
}

/// Reads Linux's frame, builds one out of what was read, and expects the same bytes at the same addresses.
fn rebuild(text: &str) {
    let linux = recorded(text);
    let mut memory = Memory::default();
    memory.write(linux.frame, &linux.bytes).unwrap();
    let saved = SavedContext::read(linux.frame + 8, |at, bytes| memory.read(at, bytes)).unwrap();
    assert_eq!(saved.registers.rsp, linux.rsp);
    assert_eq!((saved.registers.cs, saved.registers.ss), (0x33, 0x2b));
    assert_eq!(saved.mask, SignalSet::of(&[Signal::TERM, Signal::new(64).unwrap()]));
    assert!(saved.strict_stack_segment);

    let vector = (saved.vector - linux.frame) as usize;
    let mut area = vec![0; linux.bytes.len() - vector - 4];
    let components = u64::from_le_bytes(linux.bytes[vector + 472..][..8].try_into().unwrap());
    let read = restore_vector_state(saved.vector, &mut area, components, 0xffff, |at, bytes| memory.read(at, bytes));
    assert_eq!(read, Ok(true));

    let stack = match linux.alternate {
        (_, 0) => AlternateStack::default(),
        (address, size) => alternate(address, size, 0),
    };
    assert_eq!(saved.stack, stack.saved());
    let mut flags = ActionFlags::INFORMATION | ActionFlags::RESTORER;
    flags.set(ActionFlags::ON_STACK, linux.alternate.1 != 0);
    let restorer = u64::from_le_bytes(linux.bytes[..8].try_into().unwrap());
    let request = FrameRequest {
        signal: Signal::USR1,
        information: &Information::Queue { process: 1234, user: 77, value: 0x1122_3344_5566_7788, code: -1 },
        deliver: &deliver(flags, Some(restorer)),
        registers: &saved.registers,
        mask: saved.mask,
        stack: &stack,
    };
    let mut ours = Memory::default();
    let entry =
        request.write(VectorState { image: &mut area.clone(), components }, |at, bytes| ours.write(at, bytes)).unwrap();
    assert_eq!(entry.rsp, linux.frame);
    // Linux leaves the gap and the reserved words of `sigcontext` as they were.
    let reserved = 8 + 40 + 192..8 + 40 + 256;
    for (&at, &byte) in ours.0.iter().filter(|&(&at, _)| !reserved.contains(&((at - linux.frame) as usize))) {
        let offset = (at - linux.frame) as usize;
        assert_eq!(linux.bytes[offset], byte, "offset {offset}");
    }
    assert_eq!(ours.0.last_key_value().map(|(&at, _)| at), Some(linux.frame + linux.bytes.len() as u64 - 1));
}

#[test]
fn a_frame_on_the_same_stack_is_linux_s() {
    rebuild(include_str!("linux/frame-same-stack.txt"));
}

#[test]
fn a_frame_on_the_alternate_stack_is_linux_s() {
    rebuild(include_str!("linux/frame-alternate-stack.txt"));
}

fn registers() -> impl Strategy<Value = Registers> {
    (any::<[u64; 20]>(), 0x1_0000..0x7fff_ffff_0000_u64, any::<[u16; 2]>()).prop_map(|(r, rsp, [cs, ss])| Registers {
        r8: r[0],
        r9: r[1],
        r10: r[2],
        r11: r[3],
        r12: r[4],
        r13: r[5],
        r14: r[6],
        r15: r[7],
        rdi: r[8],
        rsi: r[9],
        rbp: r[10],
        rbx: r[11],
        rdx: r[12],
        rax: r[13],
        rcx: r[14],
        rsp,
        rip: r[15],
        eflags: r[16],
        cs,
        ss,
        error: r[17],
        trap: r[18],
        cr2: r[19],
    })
}

fn information() -> Information {
    Information::Fault { code: 1, address: 0xdead }
}

fn area(length: usize, seed: u8, components: u64) -> Vec<u8> {
    let mut area: Vec<u8> = (0..length).map(|index| (index as u8).wrapping_mul(seed)).collect();
    area[24..28].copy_from_slice(&0x1f80_u32.to_le_bytes());
    area[464..512].fill(0);
    if length > 512 {
        area[512..576].fill(0);
        area[512..520].copy_from_slice(&components.to_le_bytes());
    }
    area
}

proptest! {
    #[test]
    fn what_is_saved_comes_back(
        registers in registers(), mask: u64, length in prop_oneof![Just(512_usize), Just(832), Just(2696)], seed: u8,
        with_information: bool, on_stack: bool,
    ) {
        let components = if length == 512 { 0 } else { 0b111 };
        let image = area(length, seed, components);
        let stack = alternate(0x5555_0000_0000, 16384, 0);
        let mut flags = ActionFlags::empty();
        flags.set(ActionFlags::INFORMATION, with_information);
        flags.set(ActionFlags::ON_STACK, on_stack);
        let request = FrameRequest {
            signal: Signal::SEGV, information: &information(), deliver: &deliver(flags, Some(0x1234)),
            registers: &registers, mask: SignalSet::mask_from_bits(mask), stack: &stack,
        };
        let mut memory = Memory::default();
        let entry = request.write(VectorState { image: &mut image.clone(), components }, |at, bytes| memory.write(at, bytes)).unwrap();
        prop_assert_eq!(entry.rsp % 16, 8);
        prop_assert_eq!((entry.rdi, entry.rdx, entry.rsi), (11, entry.rsp + 8, entry.rsp + 312));
        prop_assert_eq!(entry.eflags, registers.eflags & !0x1_0500);
        let (&low, &high) = (memory.0.keys().next().unwrap(), memory.0.keys().last().unwrap());
        prop_assert_eq!(low, entry.rsp);
        let limit = if on_stack { 0x5555_0000_0000 + 16384 } else { registers.rsp - 128 };
        prop_assert!(high < limit);
        prop_assert!(limit - low <= minimum_stack_size(length, components != 0));
        prop_assert_eq!(memory.0.contains_key(&entry.rsi), with_information);

        let saved = SavedContext::read(entry.rsp + 8, |at, bytes| memory.read(at, bytes)).unwrap();
        prop_assert_eq!(saved.registers, registers);
        prop_assert_eq!(saved.mask.bits(), mask & !(1 << 8 | 1 << 18));
        prop_assert_eq!(saved.stack, stack.saved());
        let mut back = vec![0xff; length];
        let read = restore_vector_state(saved.vector, &mut back, components, 0xffff, |at, bytes| memory.read(at, bytes));
        prop_assert_eq!(read, Ok(true));
        back[464..512].fill(0);
        prop_assert!(back == image);
    }

    #[test]
    fn any_frame_is_read_without_harm(
        bytes in prop::collection::vec(any::<u8>(), 832 + 4), magic: bool, size in 0..1000_u32, extended in 0..1000_u32,
        end: bool, address in prop_oneof![Just(64_u64), any::<u64>()], clean: bool, present in 0..9_u64,
    ) {
        let mut bytes = bytes;
        if magic {
            bytes[464..468].copy_from_slice(&0x4650_5853_u32.to_le_bytes());
            bytes[468..472].copy_from_slice(&extended.to_le_bytes());
            bytes[480..484].copy_from_slice(&size.to_le_bytes());
        }
        let at = (size as usize).min(832);
        if end {
            bytes[at..at + 4].copy_from_slice(&0x4650_5845_u32.to_le_bytes());
        }
        if clean {
            bytes[512..576].fill(0);
            bytes[512] = present as u8;
        }
        let mut area = vec![0; 832];
        let result = restore_vector_state(address, &mut area, 0b111, 0xffff_ffff, |from, target| {
            let start = from.wrapping_sub(address) as usize;
            target.copy_from_slice(bytes.get(start..start + target.len()).ok_or(Errno::EFAULT)?);
            Ok(())
        });
        if result == Ok(true) {
            let header = u64::from_le_bytes(area[512..520].try_into().unwrap());
            prop_assert_eq!(header & !0b111, 0);
            prop_assert!(area[520..576].iter().all(|&byte| byte == 0));
        }
    }
}

fn restored(image: &[u8], components: u64, mask: u32) -> (Result<bool, Errno>, Vec<u8>) {
    let mut area = vec![0xff; 832];
    let result = restore_vector_state(64, &mut area, components, mask, |from, target| {
        let start = from as usize - 64;
        target.copy_from_slice(image.get(start..start + target.len()).ok_or(Errno::EFAULT)?);
        Ok(())
    });
    (result, area)
}

fn framed() -> Vec<u8> {
    let image = area(832, 7, 0b111);
    let request = FrameRequest {
        signal: Signal::SEGV,
        information: &information(),
        deliver: &deliver(ActionFlags::empty(), Some(1)),
        registers: &Registers { rsp: 0x10000, ..Default::default() },
        mask: SignalSet::EMPTY,
        stack: &AlternateStack::default(),
    };
    let mut memory = Memory::default();
    let entry = request
        .write(VectorState { image: &mut image.clone(), components: 0b111 }, |at, bytes| memory.write(at, bytes))
        .unwrap();
    let saved = SavedContext::read(entry.rsp + 8, |at, bytes| memory.read(at, bytes)).unwrap();
    memory.0.range(saved.vector..).map(|(_, &byte)| byte).collect()
}

#[test]
fn malformed_vector_state() {
    let good = framed();
    assert_eq!(restored(&good, 0b111, 0xffff).0, Ok(true));
    let patched = |at: usize, bytes: &[u8]| {
        let mut copy = good.clone();
        copy[at..at + bytes.len()].copy_from_slice(bytes);
        restored(&copy, 0b111, 0xffff)
    };
    // Magic numbers or sizes that are not right: the legacy part counts, and all else is initial.
    for (at, bytes) in
        [(464, [0; 4]), (832, [0; 4]), (480, 833_u32.to_le_bytes()), (480, 575_u32.to_le_bytes()), (468, [0; 4])]
    {
        let (result, area) = patched(at, &bytes);
        assert_eq!(result, Ok(true), "at {at}");
        assert_eq!(area[512], 0b11);
        assert!(area[513..].iter().all(|&byte| byte == 0));
        assert_eq!(area[32..464], good[32..464]);
    }
    // Components that the frame does not claim are initial.
    let (result, area) = patched(472, &[0b11]);
    assert_eq!((result, area[512]), (Ok(true), 0b11));
    // What XRSTOR refuses.
    for (at, byte) in [(512, 0b1000), (520, 1), (575, 1), (26, 1)] {
        assert_eq!(patched(at, &[byte]).0, Err(Errno::EFAULT), "at {at}");
    }
    assert_eq!(restored(&good[..511], 0b111, 0xffff).0, Err(Errno::EFAULT));
    let mut area = vec![1; 832];
    assert_eq!(restore_vector_state(0, &mut area, 0b111, 0xffff, |_, _| Err(Errno::EFAULT)), Ok(false));
    assert_eq!(restore_vector_state(72, &mut area, 0b111, 0xffff, |_, _| Ok(())), Err(Errno::EFAULT));
}

#[test]
fn initial_components_are_filled_in() {
    let mut image = vec![0xee; 832];
    image[512..576].fill(0);
    image[24..28].copy_from_slice(&0x1f80_u32.to_le_bytes());
    let request = FrameRequest {
        signal: Signal::SEGV,
        information: &information(),
        deliver: &deliver(ActionFlags::empty(), Some(1)),
        registers: &Registers { rsp: 0x10000, ..Default::default() },
        mask: SignalSet::EMPTY,
        stack: &AlternateStack::default(),
    };
    let mut memory = Memory::default();
    let entry = request
        .write(VectorState { image: &mut image.clone(), components: 0b111 }, |at, bytes| memory.write(at, bytes))
        .unwrap();
    let saved = SavedContext::read(entry.rsp + 8, |at, bytes| memory.read(at, bytes)).unwrap();
    let bytes: Vec<u8> = memory.0.range(saved.vector..).map(|(_, &byte)| byte).collect();
    assert_eq!(bytes[..4], [0x7f, 3, 0, 0]);
    assert_eq!(bytes[24..28], 0x1f80_u32.to_le_bytes());
    assert!(bytes[32..416].iter().all(|&byte| byte == 0));
    assert_eq!(bytes[512], 0b11);
}

#[test]
fn alternate_stacks() {
    let image = area(832, 1, 0b111);
    let place = |rsp: u64, stack: &AlternateStack, flags: ActionFlags| {
        let request = FrameRequest {
            signal: Signal::SEGV,
            information: &information(),
            deliver: &deliver(flags, Some(1)),
            registers: &Registers { rsp, ..Default::default() },
            mask: SignalSet::EMPTY,
            stack,
        };
        request
            .write(VectorState { image: &mut image.clone(), components: 0b111 }, |_, _| Ok(()))
            .map(|entry| entry.rsp)
    };
    let on = ActionFlags::ON_STACK;
    let stack = alternate(0x10_0000, 4096, 0);
    let entered = place(0x50_0000, &stack, on).unwrap();
    assert!((0x10_0000..0x10_1000).contains(&entered));
    assert!(place(0x50_0000, &stack, ActionFlags::empty()).unwrap() > 0x40_0000, "not asked for");
    // Nested: goes on below, until it is full.
    let nested = place(entered, &stack, on).unwrap();
    assert!(nested < entered && nested > 0x10_0000);
    assert_eq!(place(nested, &stack, on), Err(Errno::EFAULT));
    assert_eq!(place(nested, &stack, ActionFlags::empty()), Err(Errno::EFAULT), "overflows all the same");
    // Disarmed stacks start afresh each time.
    let mut disarming = alternate(0x10_0000, 4096, 1 << 31);
    assert_eq!(place(entered, &disarming, on), Ok(entered));
    disarming.delivered();
    assert_eq!(disarming, AlternateStack::default());
    assert_eq!(place(0x50_0000, &AlternateStack::default(), on), place(0x50_0000, &stack, ActionFlags::empty()));
    assert_eq!(place(100, &AlternateStack::default(), on), Err(Errno::EFAULT), "no wrapping");
    let too_small = alternate(0x10_0000, 2048, 0);
    assert!(place(0x50_0000, &too_small, on).is_ok());
}

#[test]
fn sigaltstack() {
    let set = |address, size, flags| SignalStack { address, flags, padding: 0, size };
    let mut stack = AlternateStack::default();
    assert_eq!(stack.report(0x1000), set(0, 0, 2));
    assert_eq!(stack.set(0, &set(0x1000, 2047, 0)), Err(Errno::ENOMEM));
    assert_eq!(stack.set(0, &set(0x1000, 4096, 4)), Err(Errno::EINVAL));
    assert_eq!(stack.set(0, &set(0x1000, 4096, 1)), Ok(()));
    assert_eq!(stack.report(0x1000), set(0x1000, 4096, 0));
    assert_eq!(stack.report(0x2000), set(0x1000, 4096, 1));
    assert_eq!(stack.set(0x1800, &set(0, 0, 2)), Err(Errno::EPERM));
    assert_eq!(stack.set(0x3000, &set(5, 6, 2)), Ok(()));
    assert_eq!(stack.report(0), set(0, 0, 2));
    assert_eq!(stack.set(0, &set(0x1000, 4096, 1 << 31)), Ok(()));
    assert_eq!(stack.report(0x1800), set(0x1000, 4096, 1 << 31));
    assert_eq!(UC_STRICT_RESTORE_SS, 4);
}

#[test]
fn a_handler_needs_a_restorer_and_a_writable_stack() {
    let image = area(832, 1, 0b111);
    let request = |deliver: &Deliver, result: Result<(), Errno>| {
        FrameRequest {
            signal: Signal::SEGV,
            information: &information(),
            deliver,
            registers: &Registers { rsp: 0x10000, ..Default::default() },
            mask: SignalSet::EMPTY,
            stack: &AlternateStack::default(),
        }
        .write(VectorState { image: &mut image.clone(), components: 0b111 }, |_, _| result)
        .err()
    };
    assert_eq!(request(&deliver(ActionFlags::empty(), None), Ok(())), Some(Errno::EFAULT));
    assert_eq!(request(&deliver(ActionFlags::empty(), Some(1)), Err(Errno::EFAULT)), Some(Errno::EFAULT));
}
