//! Three ways to ask the kernel, and one to ask nobody.

use crate::experiment::Linux;
use crate::observe::{cost, steps};
use crate::{Experiment, Lab, Subject, Trouble, times};
use evidence::Observable;
use std::arch::asm;
use std::hint::black_box;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::SystemCalls,
    claim: "A system call costs many times a function call, by `int 0x80` more than by `syscall`, and the vDSO's clock enters the \
        kernel not at all.",
    experiment: "The cheapest call (getppid) is made by both instructions, the clock is read through the vDSO and by its system call, and an \
        empty function is called; each many times, and the least of several batches counts. The vDSO's code is also executed step by step, \
        to see whether it calls the kernel.",
    expected: "An entry saves the registers, changes stacks, finds the handler, and undoes all that. `int` looks its gate up in a table, checks \
        privileges and pushes five words where `syscall` only exchanges registers. The vDSO reads a page that the kernel keeps up to date.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the clock, and single steps"),
    run,
};

fn by_syscall() {
    unsafe {
        asm!("syscall", inlateout("rax") libc::SYS_getppid => _, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
}

/// getppid has number 64 behind the old door.
fn by_interrupt() {
    unsafe {
        asm!("int 0x80", inlateout("rax") 64_u64 => _, lateout("rcx") _, lateout("r8") _, lateout("r9") _, lateout("r10") _,
            lateout("r11") _, options(nostack));
    }
}

fn clock(by_call: bool) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe {
        if by_call {
            libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, &mut time);
        } else {
            libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time);
        }
    }
    black_box(time.tv_nsec);
}

#[inline(never)]
extern "C" fn empty() {
    black_box(());
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let function = cost(|| {
        black_box(empty as extern "C" fn())();
    })?;
    let (fast, plain) = lab.pair(|| cost(by_syscall), || Ok(function))?;
    let (old, new) = lab.pair(|| cost(by_interrupt), || cost(by_syscall))?;
    let (shared, called) = lab.pair(|| cost(|| clock(false)), || cost(|| clock(true)))?;
    let (quiet, loud) = lab.pair(|| Ok(steps(|| clock(false))), || Ok(steps(|| clock(true))))?;
    lab.control("an empty function", plain, "instructions").at_most(20, "a call, a return and the loop");
    lab.control("getppid by syscall, again", new, "instructions")
        .above(times(3.0, "an empty function"), "it enters the kernel");
    lab.control("the clock by its system call", called, "instructions")
        .above(times(3.0, "an empty function"), "it enters the kernel");
    lab.mechanism("getppid by syscall", fast, "instructions")
        .above(times(3.0, "an empty function"), "it enters the kernel and leaves it");
    lab.mechanism("getppid by int 0x80", old, "instructions")
        .above(times(1.0, "getppid by syscall, again"), "the gate's way is longer");
    lab.mechanism("the clock through the vDSO", shared, "instructions")
        .below(times(0.8, "the clock by its system call"), "it is only a function that reads memory");
    lab.mechanism("kernel calls among the vDSO's instructions", quiet.calls, &format!("of {}", quiet.instructions))
        .equals(0, "it asks nobody");
    lab.control("kernel calls of the clock's system call", loud.calls, &format!("of {}", loud.instructions))
        .equals(1, "steps do see calls");
    Ok(())
}
