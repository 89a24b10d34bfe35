//! What the instruction `syscall` itself does.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::arch::asm;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::SystemCalls,
    claim: "`syscall` keeps the return address in RCX and the flags in R11, writes nothing to the stack, and changes no other register than RAX.",
    experiment: "All registers are filled, getppid is called, and they are compared; RCX with the address behind the instruction, R11 with the flags. \
        The stack below the stack pointer is filled with a pattern first, and looked at afterwards. The control calls by `int 0x80`.",
    expected: "The processor has nowhere else to put what it must come back to, for it switches neither stack nor tables: that is why the fourth \
        argument is in R10. `int` pushes both on the kernel's stack, and so keeps RCX and R11.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the registers"),
    run,
};

#[derive(Clone, Copy)]
struct After {
    /// RCX is the address behind the instruction.
    address_in_rcx: bool,
    /// R11 has the flags.
    flags_in_r11: bool,
    /// Bits in which other registers differ from what they held.
    others: u64,
    /// Bytes below the stack pointer that were written.
    written: u64,
}

macro_rules! called {
    ($instruction:literal, $number:expr) => {{
        let (rcx, r11, behind, flags, others): (u64, u64, u64, u64, u64);
        let mut below = [0_u8; 512];
        unsafe {
            asm!(
                "push rbx",
                "push rbp",
                "mov rbx, rsp",
                "sub rsp, 1024",
                "and rsp, -16",
                // The pattern below the stack pointer.
                "lea rdi, [rsp - 512]", "mov ecx, 512", "mov al, 0x5a", "cld", "rep stosb",
                "mov rdi, r13", "lea rsi, [r13 + 1]", "lea rdx, [r13 + 2]", "lea r10, [r13 + 3]", "lea r8, [r13 + 4]",
                "lea r9, [r13 + 5]", "lea r12, [r13 + 6]", "lea r14, [r13 + 7]", "lea rbp, [r13 + 8]",
                "mov rcx, 0x1111", "mov r11, 0x2222",
                concat!("mov eax, ", $number),
                $instruction,
                "2:",
                "xor rdi, r13", "lea rax, [r13 + 1]", "xor rsi, rax", "or rdi, rsi", "lea rax, [r13 + 2]", "xor rdx, rax",
                "or rdi, rdx", "lea rax, [r13 + 3]", "xor r10, rax", "or rdi, r10", "lea rax, [r13 + 4]", "xor r8, rax",
                "or rdi, r8", "lea rax, [r13 + 5]", "xor r9, rax", "or rdi, r9", "lea rax, [r13 + 6]", "xor r12, rax",
                "or rdi, r12", "lea rax, [r13 + 7]", "xor r14, rax", "or rdi, r14", "lea rax, [r13 + 8]", "xor rbp, rax",
                "or rdi, rbp",
                "mov r8, rdi",
                // What is there now, before anything else is pushed.
                "mov r9, rcx", "mov r10, r11",
                "lea rsi, [rsp - 512]", "mov rdi, r15", "mov ecx, 512", "rep movsb",
                "lea rdx, [rip + 2b]",
                "pushfq", "pop rsi",
                "mov rsp, rbx",
                "pop rbp",
                "pop rbx",
                in("r13") 0x0123_4567_89ab_cd00_u64,
                in("r15") below.as_mut_ptr(),
                lateout("r9") rcx, lateout("r10") r11, lateout("rdx") behind, lateout("rsi") flags, lateout("r8") others,
                out("rax") _, out("rcx") _, out("rdi") _, out("r11") _, out("r12") _, out("r14") _,
            );
        }
        // The arithmetic flags were changed by the comparison since.
        const ARITHMETIC: u64 = 0x8d5;
        After {
            address_in_rcx: rcx == behind,
            flags_in_r11: r11 & !ARITHMETIC == flags & !ARITHMETIC,
            others,
            written: below.iter().filter(|byte| **byte != 0x5a).count() as u64,
        }
    }};
}

fn yes(answer: bool) -> &'static str {
    if answer { "yes" } else { "no" }
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (new, old) = lab.pair(|| Ok(called!("syscall", "110")), || Ok(called!("int 0x80", "64")))?;
    lab.mechanism("RCX holds the return address", yes(new.address_in_rcx), "")
        .equals("yes", "the processor put it there");
    lab.mechanism("R11 holds the flags", yes(new.flags_in_r11), "").equals("yes", "the processor put them there");
    lab.mechanism("bits of other registers that changed", new.others, "bits").equals(0, "the kernel gives all back");
    lab.mechanism("bytes written below the stack pointer", new.written, "bytes")
        .equals(0, "the user's stack is not used");
    lab.control("by int 0x80, RCX holds the return address", yes(old.address_in_rcx), "")
        .equals("no", "it is on the kernel's stack");
    lab.control("by int 0x80, R11 holds the flags", yes(old.flags_in_r11), "")
        .equals("no", "they are on the kernel's stack");
    Ok(())
}
