//! A signal for each vector.

use crate::experiment::Linux;
use crate::observe::faults::{Fault, caught};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::arch::asm;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::KernelAndUserMode,
    claim: "Vector 0 is the divide error, and each exception that a program can provoke has a vector and a signal of its own kind.",
    experiment: "A program provokes one exception after another, each in a process of its own: a division by zero, a single step, a breakpoint, `int 4`, an \
        undefined instruction, a protection fault, a page fault, an x87 error. The control executes the harmless brother of each.",
    expected: "The processor numbers its exceptions from 0, the kernel has a gate for each, and translates what happened into the signal that a program may \
        handle. Alignment and SIMD exceptions (17 and 19) are left out, because the emulator does not raise them.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the signal and its context (REG_TRAPNO)"),
    run,
};

type Row = (&'static str, fn(), fn(), &'static str);

fn divide(divisor: u32) {
    unsafe { asm!("xor edx, edx", "div {0:e}", in(reg) divisor, inout("eax") 1 => _, out("edx") _) };
}

fn read(address: usize) {
    unsafe { asm!("mov al, [{0}]", in(reg) address, out("al") _) };
}

/// Divides by zero with the x87's exception masked or not.
fn float(control: u16) {
    unsafe { asm!("fninit", "fldcw [{0}]", "fld1", "fldz", "fdivp", "fwait", "fninit", in(reg) &control) };
}

const ROWS: &[Row] = &[
    ("division", || divide(0), || divide(1), "vector 0: SIGFPE FPE_INTDIV"),
    (
        "setting the trap flag",
        || unsafe { asm!("pushfq", "or dword ptr [rsp], 0x100", "popfq", "nop") },
        || unsafe { asm!("pushfq", "and dword ptr [rsp], -257", "popfq", "nop") },
        "vector 1: SIGTRAP TRAP_TRACE",
    ),
    ("int3", || unsafe { asm!("int3") }, || unsafe { asm!("nop") }, "vector 3: SIGTRAP SI_KERNEL"),
    ("int 4", || unsafe { asm!("int 4") }, || unsafe { asm!("nop") }, "vector 4: SIGSEGV SI_KERNEL"),
    ("ud2", || unsafe { asm!("ud2") }, || unsafe { asm!("nop") }, "vector 6: SIGILL ILL_ILLOPN"),
    ("hlt", || unsafe { asm!("hlt") }, || unsafe { asm!("pause") }, "vector 13: SIGSEGV SI_KERNEL"),
    ("reading", || read(0x9000), || read(ROWS.as_ptr() as usize), "vector 14: SIGSEGV SEGV_MAPERR"),
    ("x87 division by zero", || float(0x037b), || float(0x037f), "vector 16: SIGFPE FPE_FLTDIV"),
];

fn told(fault: Option<Fault>) -> String {
    fault.map_or_else(|| "no signal".to_owned(), |fault| format!("vector {}: {fault}", fault.vector))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    for (name, provoking, harmless, expected) in ROWS {
        let (provoked, quiet) = lab.pair(|| caught(provoking), || caught(harmless))?;
        lab.mechanism(*name, told(provoked), "").equals(*expected, "the vector says what it was");
        lab.control(format!("{name}: its harmless brother"), told(quiet), "")
            .equals("no signal", "nothing is wrong with it");
    }
    Ok(())
}
