//! What it costs a program that the kernel is there.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::now;
use std::arch::asm;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::KernelAndUserMode,
    claim: "A program that computes runs directly on the processor: the kernel's part in its time is small.",
    experiment: "A loop of two instructions is turned a hundred million times, and the clock, which counts every instruction of the machine, is read before and \
        after. What it counted beyond the loop's own instructions was the kernel's. The control makes a system call at each hundredth turn.",
    expected: "The kernel does not interpret the program; it is entered by the timer's interrupt only, some hundred times a second at most, for a few \
        thousand instructions. Calls are what makes its part grow.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the clock"),
    run,
};

const TURNS: u64 = 100_000_000;

fn plain() -> u64 {
    unsafe { asm!("2:", "dec {0}", "jnz 2b", inout(reg) TURNS => _) };
    2 * TURNS
}

fn calling() -> u64 {
    const CALLS: u64 = TURNS / 1000;
    for _ in 0..CALLS {
        unsafe {
            asm!("2:", "dec {0}", "jnz 2b", inout(reg) 100_u64 => _);
            asm!("syscall", inlateout("rax") libc::SYS_getppid => _, lateout("rcx") _, lateout("r11") _, options(nostack));
        }
    }
    // Three more to turn the outer loop, and the call itself.
    204 * CALLS
}

/// What was not the program's own, in per cent.
fn others(work: fn() -> u64) -> Result<f64, Trouble> {
    let start = now();
    let own = work();
    let spent = now() - start;
    Ok(100.0 * (spent as f64 - own as f64) / spent as f64)
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (computing, asking) = lab.pair(|| others(plain), || others(calling))?;
    lab.mechanism("the kernel's part of pure computation", computing, "%").at_most(2.0, "it comes with the timer only");
    lab.control("its part with a call at each hundredth turn", asking, "%").at_least(15.0, "each call is its work");
    Ok(())
}
