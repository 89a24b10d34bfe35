//! Which gates a program may use.

use crate::experiment::Linux;
use crate::observe::faults::caught;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{last_error, map};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::KernelAndUserMode,
    claim: "`int n` reaches only the gates 3, 4 and 0x80 from user mode; all others are the processor's own and the devices'.",
    experiment: "Each of the 256 instructions `int n` is executed in a process of its own, and the exception that it earns is noted. The control executes \
        as many instructions that hold the same byte n, but only load it into a register.",
    expected: "A gate has a privilege level, and the processor compares it with the caller's for `int`, not for exceptions and interrupts. All but three \
        have level 0: else a program could forge a page fault or a device's interrupt. What is refused is a protection fault.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the signal's context (REG_TRAPNO)"),
    run,
};

/// The numbers n for which these two bytes, and a return, earn no protection fault.
fn allowed(instruction: impl Fn(u8) -> [u8; 2]) -> Result<Vec<u8>, Trouble> {
    let page = map(4096)?;
    if unsafe { libc::mprotect(page.cast(), 4096, libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC) } != 0 {
        return Err(last_error().into());
    }
    let mut allowed = Vec::new();
    for number in 0..=255 {
        let [first, second] = instruction(number);
        unsafe { page.cast::<[u8; 3]>().write([first, second, 0xc3]) };
        // A call of the kernel's with a number that there is not, and no door of its registers' concern.
        let fault = caught(|| unsafe {
            std::arch::asm!("call {0}", in(reg) page, inout("rax") 0xffff_usize => _, clobber_abi("C"));
        })?;
        if fault.is_none_or(|fault| fault.vector != 13) {
            allowed.push(number);
        }
    }
    measure::system::unmap(page, 4096)?;
    Ok(allowed)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (interrupts, loads) = lab.pair(|| allowed(|number| [0xcd, number]), || allowed(|number| [0xb0, number]))?;
    let list = |numbers: &[u8]| numbers.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let (count, first) = (interrupts.len(), list(&interrupts[..interrupts.len().min(8)]));
    lab.mechanism("gates that let a program in", first, "").equals("3, 4, 128", "breakpoint, overflow, the old door");
    lab.mechanism("gates that refuse it", 256 - count, "of 256").equals(253, "their level is the kernel's");
    lab.control("loads of the same bytes that are refused", 256 - loads.len(), "of 256")
        .equals(0, "a register is the program's");
    Ok(())
}
