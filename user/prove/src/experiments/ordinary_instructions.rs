//! What enters the kernel, and what does not.

use crate::experiment::Linux;
use crate::observe::timeline::recorded;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::arch::asm;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::KernelAndUserMode,
    claim: "Ordinary instructions never enter the kernel: a move between registers, a jump, a decrement below zero, a call and a return.",
    experiment: "A process executes a million turns of a loop of such instructions between two calls, and the kernel notes whatever enters it. The control makes a thousand calls in \
        between.",
    expected: "The processor executes them by itself. What can enter the kernel are calls, faults and interrupts, and of these only interrupts come to a program that does not ask.",
    observable: Observable::OneProcessor,
    linux: Linux::By("tracefs: raw_syscalls, exceptions"),
    run,
};

fn ordinary() {
    unsafe {
        asm!(
            "2:",
            "mov rax, rdx",
            "xor r8d, r8d",
            "dec r8",
            "call 3f",
            "jmp 4f",
            "3: ret",
            "4: dec rcx",
            "jnz 2b",
            inout("rcx") 1_000_000_u64 => _, out("rax") _, out("rdx") _, out("r8") _,
        );
    }
}

fn calls() {
    (0..1000).for_each(|_| _ = unsafe { libc::syscall(libc::SYS_getpgrp) });
}

/// A call that nothing else here makes: before and after.
fn mark() {
    unsafe { libc::syscall(libc::SYS_getsid, 0) };
}

#[derive(Default)]
struct Entries {
    wanted: usize,
    interrupts: usize,
}

fn entries(work: fn()) -> Result<Entries, Trouble> {
    let marked = || {
        mark();
        work();
        mark();
        unsafe { libc::getpid() }
    };
    let (own, events) = recorded(marked)?;
    let mark = libc::SYS_getsid.to_string();
    let is_mark = |event: &&crate::observe::timeline::Event| {
        event.thread == own && event.is("sys_enter") && event.argument("nr") == Some(&mark)
    };
    let mut entries = Entries::default();
    let mut marks = 0;
    for event in events.iter().filter(|event| event.thread == own) {
        if is_mark(&event) {
            marks += 1;
        } else if marks == 1 {
            entries.wanted += usize::from(event.is("sys_enter") || event.is("exception_user"));
            entries.interrupts += usize::from(event.is("irq_entry"));
        }
    }
    if marks == 2 { Ok(entries) } else { Err(Trouble::failed(format!("{marks} of two marks were recorded"))) }
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (ordinary, calls) = lab.pair(|| entries(ordinary), || entries(calls))?;
    lab.mechanism("instructions", 8_000_000, "").equals(8_000_000, "eight in each turn");
    lab.mechanism("calls and faults", ordinary.wanted, "").equals(0, "the kernel has no part in them");
    lab.mechanism("interrupts meanwhile", ordinary.interrupts, "");
    lab.control("calls and faults of a thousand calls", calls.wanted, "").at_least(1000, "each enters the kernel");
    Ok(())
}
