//! Addresses that are none.

use crate::experiment::Linux;
use crate::observe::faults::{Fault, caught};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::arch::asm;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Memory,
    claim: "An address whose upper bits do not repeat bit 47 is no address: using it is a protection fault, not a page fault.",
    experiment: "A program reads at addresses with a hole in their upper bits, jumps to one, and writes to one. Beside \
        them it reads at canonical addresses where nothing is mapped.",
    expected: "The processor does not even begin to walk the page tables: vector 13, for which it tells no address, so the signal is SIGSEGV \
        with SI_KERNEL and address 0. Where the address is canonical the walk finds nothing: vector 14, SEGV_MAPERR, and the address.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the signal and its context (REG_TRAPNO)"),
    run,
};

/// Neither with four levels of page tables nor with five.
const NON_CANONICAL: [usize; 3] = [0x0800_0000_0000_0000, 0x7fff_ffff_ffff_f000, 0x8000_0000_0000_0000];
/// Canonical, and nothing there.
const CANONICAL: [usize; 3] = [0x0000_1234_5678_9000, 0x0000_0000_0000_1000, 0x0000_7000_0000_0000];

fn used(address: usize, how: usize) -> Result<Fault, Trouble> {
    let fault = match how {
        0 => caught(|| unsafe { asm!("mov al, [{0}]", in(reg) address, out("al") _) }),
        1 => caught(|| unsafe { asm!("mov byte ptr [{0}], 0", in(reg) address) }),
        _ => caught(|| unsafe { asm!("jmp {0}", in(reg) address) }),
    }?;
    fault.ok_or_else(|| Trouble::failed(format!("{address:#x} could be used")))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    for (how, deed) in ["reading", "writing", "jumping to"].into_iter().enumerate() {
        for (&wrong, &right) in NON_CANONICAL.iter().zip(&CANONICAL) {
            let (hole, empty) = lab.pair(|| used(wrong, how), || used(right, how))?;
            let told = |fault: Fault| format!("{fault}, vector {}, address {:#x}", fault.vector, fault.address);
            let reason = "no address, so nothing to walk for";
            lab.mechanism(format!("{deed} {wrong:#018x}"), told(hole), "")
                .equals("SIGSEGV SI_KERNEL, vector 13, address 0x0", reason);
            let expected = format!("SIGSEGV SEGV_MAPERR, vector 14, address {right:#x}");
            lab.control(format!("{deed} {right:#018x}"), told(empty), "")
                .equals(expected, "an address, and nothing there");
        }
    }
    Ok(())
}
