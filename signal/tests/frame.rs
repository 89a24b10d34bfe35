//! Signal frames: against frames that Linux built, and back again.
use abi::signal::{SignalStack, UC_STRICT_RESTORE_SS, UserContextFrame, VECTOR_END_MAGIC, VectorStateHead};
use abi::{Errno, PtRegs};
use proptest::prelude::*;
use signal::*;
use std::collections::BTreeMap;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

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

impl Memory {
    fn value<T: FromBytes + FromZeros + IntoBytes>(&self, address: u64) -> Result<T, Errno> {
        let mut value = T::new_zeroed();
        self.read(address, value.as_mut_bytes())?;
        Ok(value)
    }

    fn find(&self, layout: VectorLayout, address: u64) -> Result<SavedVectors, Errno> {
        layout.find(address, |at| self.value::<VectorStateHead>(at), |at| self.value::<u32>(at))
    }

    /// Builds a frame as the kernel does, with `image` as what the CPU stores.
    fn build(&mut self, request: &FrameRequest<'_>, image: &[u8]) -> Result<(Place, PtRegs), Errno> {
        let place = request.place()?;
        self.write(place.vector, image)?;
        self.write(place.vector + 464, request.vector.head().as_bytes())?;
        if request.vector.is_extended() {
            self.write(place.vector + image.len() as u64, VECTOR_END_MAGIC.as_bytes())?;
        }
        self.write(place.address, request.frame(&place).as_bytes())?;
        if let Some(information) = request.information() {
            self.write(place.information(), information.as_bytes())?;
        }
        let mut registers = *request.registers;
        enter_handler(&mut registers, request.signal, request.deliver, &place);
        Ok((place, registers))
    }
}

const LAYOUT: VectorLayout = VectorLayout { size: 832, components: 0b111 };

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
    let saved: UserContextFrame = memory.value(linux.frame + 8).unwrap();
    let mut registers = PtRegs::default();
    restore_registers(&saved, &mut registers);
    assert_eq!(registers.rsp, linux.rsp);
    assert_eq!((registers.cs, registers.ss), (0x33, 0x2b));
    assert_eq!(saved_mask(&saved), SignalSet::of(&[Signal::TERM, Signal::new(64).unwrap()]));
    assert_ne!(saved.flags & UC_STRICT_RESTORE_SS, 0);

    let vector = (saved.context.vector_state - linux.frame) as usize;
    let image = &linux.bytes[vector..linux.bytes.len() - 4];
    let components = u64::from_le_bytes(linux.bytes[vector + 472..][..8].try_into().unwrap());
    let layout = VectorLayout { size: image.len(), components };
    assert_eq!(memory.find(layout, saved.context.vector_state), Ok(SavedVectors::Extended { components }));

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
        registers: &registers,
        fault: LastFault { address: saved.context.cr2, error: saved.context.error, trap: saved.context.trap },
        mask: saved_mask(&saved),
        stack: &stack,
        vector: layout,
    };
    let mut ours = Memory::default();
    // Of the bytes that are left to software the CPU's image has none.
    let mut stored = image.to_vec();
    stored[464..512].fill(0xee);
    let (place, _) = ours.build(&request, &stored).unwrap();
    assert_eq!((place.address, place.vector), (linux.frame, saved.context.vector_state));
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

fn registers() -> impl Strategy<Value = PtRegs> {
    (any::<[u64; 18]>(), 0x1_0000..0x7fff_ffff_0000_u64, any::<[u16; 2]>()).prop_map(|(r, rsp, [cs, ss])| PtRegs {
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
        rflags: r[16],
        cs: cs.into(),
        ss: ss.into(),
        original_rax: r[17],
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
        with_information: bool, on_stack: bool, fault: [u64; 3],
    ) {
        let components = if length == 512 { 0 } else { 0b111 };
        let layout = VectorLayout { size: length, components };
        let image = area(length, seed, components);
        let stack = alternate(0x5555_0000_0000, 16384, 0);
        let mut flags = ActionFlags::empty();
        flags.set(ActionFlags::INFORMATION, with_information);
        flags.set(ActionFlags::ON_STACK, on_stack);
        let request = FrameRequest {
            signal: Signal::SEGV, information: &information(), deliver: &deliver(flags, Some(0x1234)),
            registers: &registers, fault: LastFault { address: fault[0], error: fault[1], trap: fault[2] },
            mask: SignalSet::mask_from_bits(mask), stack: &stack, vector: layout,
        };
        let mut memory = Memory::default();
        let (place, entry) = memory.build(&request, &image).unwrap();
        prop_assert_eq!(entry.rsp % 16, 8);
        prop_assert_eq!(place.vector % 64, 0);
        prop_assert_eq!((entry.rdi, entry.rdx, entry.rsi), (11, entry.rsp + 8, entry.rsp + 312));
        prop_assert_eq!(entry.rflags, registers.rflags & !0x1_0500);
        prop_assert_eq!((entry.rip, entry.rax), (0x40_1000, 0));
        let (&low, &high) = (memory.0.keys().next().unwrap(), memory.0.keys().last().unwrap());
        prop_assert_eq!(low, entry.rsp);
        let limit = if on_stack { 0x5555_0000_0000 + 16384 } else { registers.rsp - 128 };
        prop_assert!(high < limit);
        prop_assert!(limit - low <= minimum_stack_size(layout));
        prop_assert_eq!(memory.0.contains_key(&entry.rsi), with_information);

        let saved: UserContextFrame = memory.value(entry.rsp + 8).unwrap();
        let mut back = PtRegs::default();
        restore_registers(&saved, &mut back);
        prop_assert_eq!(back, PtRegs { original_rax: u64::MAX, ..registers });
        prop_assert_eq!([saved.context.cr2, saved.context.error, saved.context.trap], fault);
        prop_assert_eq!(saved_mask(&saved).bits(), mask & !(1 << 8 | 1 << 18));
        prop_assert_eq!(saved.stack, stack.saved());
        let expected = if components == 0 { SavedVectors::Legacy } else { SavedVectors::Extended { components } };
        prop_assert_eq!(memory.find(layout, saved.context.vector_state), Ok(expected));
    }

    #[test]
    fn any_frame_is_read_without_harm(
        bytes in prop::collection::vec(any::<u8>(), 832 + 4), magic: bool, size in 0..1000_u32, extended in 0..1000_u32,
        end: bool, address in prop_oneof![Just(64_u64), any::<u64>()],
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
        let read = |from: u64, target: &mut [u8]| -> Result<(), Errno> {
            let start = from.wrapping_sub(address) as usize;
            target.copy_from_slice(start.checked_add(target.len()).and_then(|end| bytes.get(start..end)).ok_or(Errno::EFAULT)?);
            Ok(())
        };
        let head = |from| { let mut head = VectorStateHead::default(); read(from, head.as_mut_bytes())?; Ok(head) };
        let tail = |from| { let mut tail = 0_u32; read(from, tail.as_mut_bytes())?; Ok(tail) };
        if let SavedVectors::Extended { components } = LAYOUT.find(address, head, tail).unwrap() {
            prop_assert!(magic && (576..=832).contains(&size) && size <= extended);
            prop_assert_eq!(components & !0b111, 0);
        }
    }
}

fn plain<'a>(deliver: &'a Deliver, registers: &'a PtRegs, stack: &'a AlternateStack) -> FrameRequest<'a> {
    FrameRequest {
        signal: Signal::SEGV,
        information: &Information::Kernel,
        deliver,
        registers,
        fault: LastFault::default(),
        mask: SignalSet::EMPTY,
        stack,
        vector: LAYOUT,
    }
}

#[test]
fn malformed_vector_state() {
    let mut good = Memory::default();
    let (deliver, registers) = (deliver(ActionFlags::empty(), Some(1)), PtRegs { rsp: 0x10000, ..Default::default() });
    let stack = AlternateStack::default();
    let (place, _) = good.build(&plain(&deliver, &registers, &stack), &area(832, 7, 0b111)).unwrap();
    let found = |memory: &Memory| memory.find(LAYOUT, place.vector);
    assert_eq!(found(&good), Ok(SavedVectors::Extended { components: 0b111 }));
    let patched = |at: u64, bytes: &[u8]| {
        let mut copy = good.clone();
        copy.write(place.vector + at, bytes).unwrap();
        found(&copy)
    };
    // Magic numbers or sizes that are not right: only the legacy part counts.
    for (at, bytes) in
        [(464, [0; 4]), (832, [0; 4]), (480, 833_u32.to_le_bytes()), (480, 575_u32.to_le_bytes()), (468, [0; 4])]
    {
        assert_eq!(patched(at, &bytes), Ok(SavedVectors::Legacy), "at {at}");
    }
    // Components that the frame does not claim, or the machine does not have.
    assert_eq!(patched(472, &[0b11]), Ok(SavedVectors::Extended { components: 0b11 }));
    assert_eq!(patched(472, &[0xff; 8]), Ok(SavedVectors::Extended { components: 0b111 }));
    assert_eq!(good.find(LAYOUT, 0), Ok(SavedVectors::None));
    assert_eq!(good.find(LAYOUT, place.vector + 0x1_0000), Err(Errno::EFAULT));
    let plain = VectorLayout { size: 512, components: 0 };
    assert_eq!(good.find(plain, place.vector), Ok(SavedVectors::Legacy));
}

#[test]
fn stack_segments_count_only_if_asked_for() {
    let mut frame = UserContextFrame::default();
    frame.context.ss = 0x1234;
    let mut registers = PtRegs::default();
    restore_registers(&frame, &mut registers);
    assert_eq!(registers.ss, 0x2b);
    frame.flags = UC_STRICT_RESTORE_SS;
    restore_registers(&frame, &mut registers);
    assert_eq!(registers.ss, 0x1234);
}

#[test]
fn alternate_stacks() {
    let place = |rsp: u64, stack: &AlternateStack, flags: ActionFlags| {
        let registers = PtRegs { rsp, ..Default::default() };
        plain(&deliver(flags, Some(1)), &registers, stack).place().map(|place| place.address)
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
fn a_handler_needs_a_restorer() {
    let (registers, stack) = (PtRegs { rsp: 0x10000, ..Default::default() }, AlternateStack::default());
    let place = |restorer| plain(&deliver(ActionFlags::empty(), restorer), &registers, &stack).place().err();
    assert_eq!(place(None), Some(Errno::EFAULT));
    assert_eq!(place(Some(1)), None);
}
