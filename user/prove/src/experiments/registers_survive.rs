//! What an entry saves.

use crate::experiment::Linux;
use crate::observe::{Usage, fork, run_in_child};
use crate::{Experiment, Lab, Subject, Trouble, times};
use evidence::Observable;
use measure::system::now;
use std::arch::asm;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Contexts,
    claim: "An entry saves the user's registers and the exit restores each: none is lost, however often the program is interrupted.",
    experiment: "Two processes fill fourteen general and sixteen vector registers with numbers of their own and compare them, over and over for half a \
        second, while the timer makes them take turns. In the control one register is changed on purpose between filling and comparing.",
    expected: "Interrupts come at any instruction, and the other process uses the same registers for other numbers. What differs by one bit is \
        counted: nothing, if each entry keeps all; every round, where one was changed.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the program's own comparison, and getrusage: ru_nivcsw"),
    run,
};

const NANOSECONDS: u64 = 500_000_000;

/// Turns between filling and comparing: long enough to be interrupted in some rounds.
const SPINS: u64 = 20_000;

/// Fills, waits, compares; whether something differed. `change` is put into R9 meanwhile by exclusive or.
fn round(number: u64, change: u64) -> bool {
    let (wrong, vector_wrong): (u64, u64);
    unsafe {
        asm!(
            "push rbx", "push rbp",
            "mov rax, r15",
            "lea rbx, [rax + 1]", "lea rdx, [rax + 2]", "lea rsi, [rax + 3]", "lea rdi, [rax + 4]", "lea rbp, [rax + 5]",
            "lea r8, [rax + 6]", "lea r9, [rax + 7]", "lea r10, [rax + 8]", "lea r11, [rax + 9]", "lea r12, [rax + 10]",
            "lea r13, [rax + 11]",
            "movq xmm0, rbx", "movq xmm1, rdx", "movq xmm2, rsi", "movq xmm3, rdi", "movq xmm4, rbp", "movq xmm5, r8",
            "movq xmm6, r9", "movq xmm7, r10", "movq xmm8, r11", "movq xmm9, r12", "movq xmm10, r13", "movq xmm11, rax",
            "movq xmm12, rax", "movq xmm13, rbx", "movq xmm14, rdx", "movq xmm15, rsi",
            "xor r9, r14",
            "2:", "dec rcx", "jnz 2b",
            // Each vector register against the general one that it was filled from.
            "xor r14d, r14d",
            "movq rcx, xmm0", "xor rcx, rbx", "or r14, rcx", "movq rcx, xmm1", "xor rcx, rdx", "or r14, rcx",
            "movq rcx, xmm2", "xor rcx, rsi", "or r14, rcx", "movq rcx, xmm3", "xor rcx, rdi", "or r14, rcx",
            "movq rcx, xmm4", "xor rcx, rbp", "or r14, rcx", "movq rcx, xmm5", "xor rcx, r8", "or r14, rcx",
            "movq rcx, xmm6", "xor rcx, r9", "or r14, rcx", "movq rcx, xmm7", "xor rcx, r10", "or r14, rcx",
            "movq rcx, xmm8", "xor rcx, r11", "or r14, rcx", "movq rcx, xmm9", "xor rcx, r12", "or r14, rcx",
            "movq rcx, xmm10", "xor rcx, r13", "or r14, rcx", "movq rcx, xmm11", "xor rcx, rax", "or r14, rcx",
            "movq rcx, xmm12", "xor rcx, rax", "or r14, rcx", "movq rcx, xmm13", "xor rcx, rbx", "or r14, rcx",
            "movq rcx, xmm14", "xor rcx, rdx", "or r14, rcx", "movq rcx, xmm15", "xor rcx, rsi", "or r14, rcx",
            "sub rbx, rax", "sub rdx, rax", "sub rsi, rax", "sub rdi, rax", "sub rbp, rax", "sub r8, rax", "sub r9, rax",
            "sub r10, rax", "sub r11, rax", "sub r12, rax", "sub r13, rax", "sub rax, r15",
            "xor rbx, 1", "xor rdx, 2", "xor rsi, 3", "xor rdi, 4", "xor rbp, 5", "xor r8, 6", "xor r9, 7", "xor r10, 8",
            "xor r11, 9", "xor r12, 10", "xor r13, 11",
            "or rax, rbx", "or rax, rdx", "or rax, rsi", "or rax, rdi", "or rax, rbp", "or rax, r8", "or rax, r9",
            "or rax, r10", "or rax, r11", "or rax, r12", "or rax, r13",
            "pop rbp", "pop rbx",
            in("r15") number,
            inout("r14") change => vector_wrong,
            inout("rcx") SPINS => _,
            out("rax") wrong,
            out("rdx") _, out("rsi") _, out("rdi") _, out("r8") _, out("r9") _, out("r10") _, out("r11") _, out("r12") _,
            out("r13") _,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _, out("xmm6") _,
            out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _, out("xmm12") _, out("xmm13") _,
            out("xmm14") _, out("xmm15") _,
        );
    }
    wrong | vector_wrong != 0
}

#[derive(Clone, Copy)]
struct Rounds {
    rounds: u64,
    wrong: u64,
    interrupted: u64,
}

/// Rounds with numbers from a seed, until then.
fn rounds(seed: u64, end: u64, change: u64) -> Rounds {
    let before = Usage::of_process();
    let (mut rounds, mut wrong, mut number) = (0, 0, seed << 56 | 0x0123_4567_89ab_cdef);
    while now() < end {
        rounds += 1;
        wrong += u64::from(round(number, change));
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
    }
    Rounds { rounds, wrong, interrupted: Usage::of_process().since(before).involuntary_switches }
}

/// Two processes' rounds, of one; the other keeps the registers busy.
fn compared(change: u64) -> Result<Rounds, Trouble> {
    let end = now() + NANOSECONDS;
    let other = fork(|| i32::from(rounds(2, end, 0).wrong > 0))?;
    let seen = run_in_child(|| rounds(1, end, change))?;
    if measure::system::wait(other)? != 0 {
        return Err(Trouble::failed("the other process lost a register"));
    }
    seen.ok_or_else(|| Trouble::failed("a process was lost"))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (kept, changed) = lab.pair(|| compared(0), || compared(1 << 40))?;
    lab.mechanism("rounds", kept.rounds, "rounds").above(50, "there was time for them");
    lab.mechanism("times the process was made to wait", kept.interrupted, "switches")
        .at_least(5, "it was interrupted, at any instruction");
    lab.mechanism("rounds in which a register differed", kept.wrong, "rounds").equals(0, "each entry keeps all");
    lab.control("rounds with a register changed", changed.rounds, "rounds").above(50, "there was time for them");
    lab.control("of those, noticed", changed.wrong, "rounds")
        .equals(times(1.0, "rounds with a register changed"), "one bit is enough");
    Ok(())
}
