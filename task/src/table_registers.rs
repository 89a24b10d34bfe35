//! Instructions that read the processor's tables, which UMIP keeps from programs, and which Linux carries out with values that tell nothing
//! (arch/x86/kernel/umip.c): SGDT, SIDT, SMSW, SLDT, STR.
use memory::{UserPtr, UserSlice};
use sync::Thread;
use trap::UserContext;

/// What programs are shown.
const GDT: u64 = 0xffff_ffff_fffe_0000;
const IDT: u64 = 0xffff_ffff_ffff_0000;
/// PE, MP, ET, NE, WP, AM, PG.
const CR0: u64 = 0x8005_0033;
/// The selector of the task segment on Linux.
const TASK_SEGMENT: u64 = 0x40;

/// The longest instruction.
const LONGEST: usize = 15;

/// An instruction being taken apart.
struct Bytes {
    bytes: [u8; LONGEST],
    length: usize,
    at: usize,
}

impl Bytes {
    fn at(address: usize) -> Self {
        let mut bytes = [0; LONGEST];
        let mut length = 0;
        // The instruction may end where the mapping does.
        while let Some(byte) = bytes.get_mut(length)
            && let Ok(value) = UserPtr::<u8>::new(address.wrapping_add(length)).read()
        {
            *byte = value;
            length += 1;
        }
        Self { bytes, length, at: 0 }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.bytes[..self.length].get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn number(&mut self, bytes: u32) -> Option<i64> {
        let mut value = 0u64;
        for at in 0..bytes {
            value |= u64::from(self.next()?) << (8 * at);
        }
        let unused = 64 - 8 * bytes;
        Some((value << unused) as i64 >> unused)
    }
}

#[derive(Default)]
struct Prefixes {
    operand_16: bool,
    address_32: bool,
    fs: bool,
    gs: bool,
    rex: u8,
}

fn prefixes(bytes: &mut Bytes) -> Option<(Prefixes, u8)> {
    let mut found = Prefixes::default();
    loop {
        match bytes.next()? {
            0x66 => found.operand_16 = true,
            0x67 => found.address_32 = true,
            0x64 => (found.fs, found.gs) = (true, false),
            0x65 => (found.fs, found.gs) = (false, true),
            0x26 | 0x2e | 0x36 | 0x3e => {}
            rex @ 0x40..=0x4f => {
                found.rex = rex;
                return Some((found, bytes.next()?));
            }
            other => return Some((found, other)),
        }
    }
}

fn register(context: &mut UserContext, number: u8) -> &mut u64 {
    match number {
        0 => &mut context.rax,
        1 => &mut context.rcx,
        2 => &mut context.rdx,
        3 => &mut context.rbx,
        4 => &mut context.rsp,
        5 => &mut context.rbp,
        6 => &mut context.rsi,
        7 => &mut context.rdi,
        8 => &mut context.r8,
        9 => &mut context.r9,
        10 => &mut context.r10,
        11 => &mut context.r11,
        12 => &mut context.r12,
        13 => &mut context.r13,
        14 => &mut context.r14,
        _ => &mut context.r15,
    }
}

/// The address that ModRM and what follows it stand for (Intel SDM vol. 2, 2.1.5 and 2.2.1). The offset counts from the end of
/// the instruction, which has no immediate.
fn address(context: &mut UserContext, bytes: &mut Bytes, prefixes: &Prefixes, mode: u8, field: u8) -> Option<u64> {
    let (extend_base, extend_index) = ((prefixes.rex & 1) << 3, (prefixes.rex & 2) << 2);
    let mut sum = 0u64;
    let mut displacement = u32::from(mode == 1) + if mode == 2 { 4 } else { 0 };
    let mut from_next = false;
    if field == 4 {
        let scaled = bytes.next()?;
        let (scale, index, base) = (scaled >> 6, (scaled >> 3 & 7) | extend_index, scaled & 7);
        if index != 4 {
            sum = *register(context, index) << scale;
        }
        if base == 5 && mode == 0 {
            displacement = 4;
        } else {
            sum = sum.wrapping_add(*register(context, base | extend_base));
        }
    } else if field == 5 && mode == 0 {
        (displacement, from_next) = (4, true);
    } else {
        sum = *register(context, field | extend_base);
    }
    if displacement != 0 {
        sum = sum.wrapping_add(bytes.number(displacement)? as u64);
    }
    if from_next {
        sum = sum.wrapping_add(context.rip).wrapping_add(bytes.at as u64);
    }
    if prefixes.address_32 {
        sum &= 0xffff_ffff;
    }
    let segment = |state: &mut arch::user_state::UserState| match (prefixes.fs, prefixes.gs) {
        (true, _) => state.fs_base,
        (_, true) => state.gs_base,
        _ => 0,
    };
    Some(sum.wrapping_add(Thread::with_user_state(segment).unwrap_or(0)))
}

/// What became of it.
pub(crate) enum Outcome {
    /// Carried out; the program goes on behind it.
    Done,
    /// Its operand cannot be written.
    Fault(usize),
    /// Another instruction.
    Other,
}

/// Carries out the instruction at which the program stands, if it is one of those.
pub(crate) fn emulate(context: &mut UserContext) -> Outcome {
    decode(context).unwrap_or(Outcome::Other)
}

fn decode(context: &mut UserContext) -> Option<Outcome> {
    let mut bytes = Bytes::at(context.rip as usize);
    let (prefixes, first) = prefixes(&mut bytes)?;
    let (second, modrm) = (bytes.next()?, bytes.next()?);
    let (mode, which, field) = (modrm >> 6, modrm >> 3 & 7, modrm & 7);
    let (table, value) = match (first, second, which) {
        (0x0f, 0x00, 0) => (false, 0),
        (0x0f, 0x00, 1) => (false, TASK_SEGMENT),
        (0x0f, 0x01, 0) if mode != 3 => (true, GDT),
        (0x0f, 0x01, 1) if mode != 3 => (true, IDT),
        (0x0f, 0x01, 4) => (false, CR0),
        _ => return None,
    };
    if mode == 3 {
        let target = register(context, field | (prefixes.rex & 1) << 3);
        let kept = match (prefixes.rex & 8 != 0, prefixes.operand_16) {
            (true, _) => 0,
            (false, true) => !0xffff,
            (false, false) => !0xffff_ffff,
        };
        *target = *target & kept | value & !kept;
    } else {
        let place = address(context, &mut bytes, &prefixes, mode, field)? as usize;
        let mut out = [0; 10];
        let length = if table { 10 } else { 2 };
        if table {
            out[2..].copy_from_slice(&value.to_le_bytes());
        } else {
            out[..2].copy_from_slice(&(value as u16).to_le_bytes());
        }
        if UserSlice::new(place, length).write(&out[..length]).is_err() {
            return Some(Outcome::Fault(place));
        }
    }
    context.rip = context.rip.wrapping_add(bytes.at as u64);
    Some(Outcome::Done)
}
