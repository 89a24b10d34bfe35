//! What user mode may not do, instruction by instruction.

use crate::experiment::Linux;
use crate::observe::faults::{Fault, caught, text};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::arch::asm;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::KernelAndUserMode,
    claim: "A program in user mode cannot halt the processor, mask interrupts, change the tables or registers that memory and traps \
        depend on, or touch a device.",
    experiment: "Each instruction is executed by a process of its own that catches every signal. The same is done with instructions \
        that look alike and concern only the program: another operand of the same mnemonic, or a query.",
    expected: "The processor refuses each with a general protection fault (vector 13), and the kernel answers SIGSEGV with the code \
        SI_KERNEL and no address. Some are refused whatever they say (hlt), others for their operand (mov to a control register, int of a gate \
        that is the kernel's, in and out of a port).",
    observable: Observable::OneProcessor,
    linux: Linux::By("the signal and its context (REG_TRAPNO)"),
    run,
};

type Instruction = (&'static str, fn());

macro_rules! instructions {
    ($($name:literal { $($code:tt)* })+) => { &[$(($name, || unsafe { asm!($($code)*) })),+] };
}

const PRIVILEGED: &[Instruction] = instructions! {
    "hlt" { "hlt" }
    "cli" { "cli" }
    "sti" { "sti" }
    "mov from cr3" { "mov rax, cr3", out("rax") _ }
    "mov to cr3" { "mov cr3, rax", in("rax") 0_usize }
    "mov to cr0" { "mov cr0, rax", in("rax") 0_usize }
    "mov to dr7" { "mov dr7, rax", in("rax") 0_usize }
    "in from a port" { "in al, dx", in("dx") 0x64_u16, out("al") _ }
    "out to a port" { "out dx, al", in("dx") 0x64_u16, in("al") 0xfe_u8 }
    "rdmsr" { "rdmsr", in("ecx") 0xc000_0080_u32, out("eax") _, out("edx") _ }
    "wrmsr" { "wrmsr", in("ecx") 0xc000_0082_u32, in("eax") 0, in("edx") 0 }
    "lgdt" { "lgdt [{}]", in(reg) &[0_u64; 2] }
    "lidt" { "lidt [{}]", in(reg) &[0_u64; 2] }
    "lldt" { "lldt ax", in("ax") 0_u16 }
    "ltr" { "ltr ax", in("ax") 0x40_u16 }
    "lmsw" { "lmsw ax", in("ax") 0_u16 }
    "invlpg" { "invlpg [{}]", in(reg) 0x1000_usize }
    "wbinvd" { "wbinvd" }
    "swapgs" { "swapgs" }
    "sysret" { "sysretq", in("rcx") 0_usize, in("r11") 0_usize }
    "int 14, the page fault's gate" { "int 14" }
    "int 32, a device's gate" { "int 32" }
    "far jump to the kernel's code" { "jmp fword ptr [{}]", in(reg) &[0_u32, 0x10] }
    "mov to ss of a null selector" { "mov ss, ax", in("ax") 0_u16 }
};

/// Alike, and allowed.
const ORDINARY: &[Instruction] = instructions! {
    "pause" { "pause" }
    "cld" { "cld" }
    "std and cld" { "std", "cld" }
    "mov from ss" { "mov ax, ss", out("rax") _ }
    "mov between registers" { "mov rcx, rax", in("rax") 0_usize, out("rcx") _ }
    "mov to a null gs" { "mov gs, ax", in("ax") 0_u16 }
    "popf that would mask interrupts" { "pushfq", "and qword ptr [rsp], -513", "popfq" }
    "rdtsc" { "rdtsc", out("eax") _, out("edx") _ }
    "cpuid" { "mov r8, rbx", "cpuid", "mov rbx, r8", inout("eax") 0 => _, out("ecx") _, out("edx") _, out("r8") _ }
    "sfence" { "sfence" }
    "prefetch of an address that is not mapped" { "prefetcht0 [{}]", in(reg) 0x1000_usize }
    "int 0x80, the gate that is the program's" { "int 0x80", inout("eax") 20 => _, out("r8") _, out("r9") _, out("r10") _, out("r11") _ }
};

fn each(instructions: &[Instruction]) -> Result<Vec<(&'static str, Option<Fault>)>, Trouble> {
    instructions.iter().map(|&(name, instruction)| Ok((name, caught(instruction)?))).collect()
}

/// General protection.
const VECTOR: u64 = 13;

fn is_refused(fault: &Option<Fault>) -> bool {
    fault.is_some_and(|fault| fault.to_string() == "SIGSEGV SI_KERNEL" && fault.vector == VECTOR && fault.address == 0)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (privileged, ordinary) = lab.pair(|| each(PRIVILEGED), || each(ORDINARY))?;
    for (name, fault) in &privileged {
        let earned = match fault {
            Some(fault) => format!("{fault}, vector {}", fault.vector),
            None => "no signal".to_owned(),
        };
        lab.mechanism(*name, earned, "").equals("SIGSEGV SI_KERNEL, vector 13", "the processor refuses it");
    }
    let refused = privileged.iter().filter(|(_, fault)| is_refused(fault)).count();
    lab.mechanism("refused", refused, &format!("of {}", privileged.len())).equals(PRIVILEGED.len(), "each of them");
    for (name, fault) in &ordinary {
        lab.control(*name, text(*fault), "").equals("no signal", "it concerns only the program itself");
    }
    Ok(())
}
