//! popf.

use crate::experiment::Linux;
use crate::observe::faults::{caught, text};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::arch::asm;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::KernelAndUserMode,
    claim: "`popf` cannot mask interrupts or raise the privilege for ports, and does not fault either.",
    experiment: "All flags are read, the interrupt flag is cleared and the I/O privilege level set in the copy, and the copy loaded by popf. Then the flags are \
        read again. The control changes the carry and the direction flag in the same way.",
    expected: "The instruction is not privileged, only some of the bits are: outside the kernel the processor leaves them as they are and says nothing. \
        (That made x86 hard to virtualise: a kernel that runs in user mode is not told either.)",
    observable: Observable::OneProcessor,
    linux: Linux::By("pushf"),
    run,
};

const CARRY: u64 = 1;
const INTERRUPTS: u64 = 0x200;
const DIRECTION: u64 = 0x400;
const IO_LEVEL: u64 = 0x3000;

/// Which of these flags changed when they were to be turned over; and what that earned.
fn turned(bits: u64) -> Result<(u64, String), Trouble> {
    let change = || -> u64 {
        let (before, after): (u64, u64);
        unsafe {
            asm!(
                "pushfq", "pop {before}",
                "mov {after}, {before}", "xor {after}, {bits}",
                "push {after}", "popfq",
                "pushfq", "pop {after}",
                "push {before}", "popfq",
                bits = in(reg) bits, before = out(reg) before, after = out(reg) after,
            );
        }
        (before ^ after) & bits
    };
    let fault = caught(|| {
        std::hint::black_box(change());
    })?;
    Ok((if fault.is_none() { change() } else { 0 }, text(fault)))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (kernels, own) = lab.pair(|| turned(INTERRUPTS | IO_LEVEL), || turned(CARRY | DIRECTION))?;
    lab.mechanism("interrupt flag and I/O level that changed", format!("{:#x}", kernels.0), "")
        .equals("0x0", "they are the kernel's");
    lab.mechanism("what popf earned", kernels.1, "").equals("no signal", "it is not privileged");
    lab.control("carry and direction flag that changed", format!("{:#x}", own.0), "")
        .equals("0x401", "they are the program's");
    lab.control("what that popf earned", own.1, "").equals("no signal", "it is not privileged");
    Ok(())
}
