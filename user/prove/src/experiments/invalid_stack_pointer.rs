//! Entries and the user's stack.

use crate::experiment::Linux;
use crate::observe::faults::{caught, text};
use crate::observe::run_in_child;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use std::arch::asm;
use std::mem::zeroed;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Contexts,
    claim: "Calls and interrupts do not use the user's stack: they work with an invalid stack pointer, and write nothing below a valid one.",
    experiment: "A program points RSP where nothing is mapped, makes a call, loops over several ticks of the timer, and puts RSP back; the control pushes a \
        word there. Then a pattern below a valid stack pointer is compared after calls and ticks, and in the control after a signal.",
    expected: "The processor, or the kernel's first instructions, change to a stack of the task's own before anything is stored. Only the program's own pushes, \
        and the frame that the kernel builds for a signal handler, go to the user's stack.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the signal, and what the program reads"),
    run,
};

/// Turns of a loop that lasts for several ticks.
const TURNS: u64 = 10_000_000;

/// What it earns to enter the kernel with RSP at 0x8000; or to push there.
fn with_bad_stack(push: bool) -> Result<String, Trouble> {
    let fault = caught(|| unsafe {
        if push {
            asm!("mov r12, rsp", "mov rsp, 0x8000", "push rax", "mov rsp, r12", out("r12") _);
        } else {
            asm!(
                "mov r12, rsp",
                "mov rsp, 0x8000",
                "mov eax, 110",
                "syscall",
                "mov rcx, r13",
                "2:", "dec rcx", "jnz 2b",
                "mov rsp, r12",
                in("r13") TURNS, out("r12") _, out("rax") _, out("rcx") _, out("r11") _,
            );
        }
    })?;
    Ok(text(fault))
}

extern "C" fn handler(_: i32) {}

/// Bytes that are written in the page below the stack pointer by calls and ticks, or by a signal to this process.
fn written_below(signal: bool) -> Result<u64, Trouble> {
    let seen = run_in_child(|| unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler as *const () as usize;
        libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut());
        let process = libc::getpid();
        // kill, or getppid; the call's second argument is the signal.
        let (number, turns) = if signal { (62_u64, 1_u64) } else { (110, TURNS) };
        let written: u64;
        asm!(
            "lea rdi, [rsp - 4096]", "mov ecx, 3968", "mov al, 0x5a", "cld", "rep stosb",
            "mov rax, {number}", "mov rdi, {process}", "mov esi, 10",
            "syscall",
            "mov rcx, {turns}",
            "2:", "dec rcx", "jnz 2b",
            "xor edx, edx",
            "lea rdi, [rsp - 4096]", "mov ecx, 3968",
            "3:", "cmp byte ptr [rdi], 0x5a", "je 4f", "inc edx", "4:", "inc rdi", "dec ecx", "jnz 3b",
            number = in(reg) number,
            process = in(reg) i64::from(process),
            turns = in(reg) turns,
            out("rdx") written,
            out("rax") _, out("rcx") _, out("rdi") _, out("rsi") _, out("r11") _,
        );
        written
    })?;
    seen.ok_or_else(|| Trouble::failed("a child was lost"))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (entered, pushed) = lab.pair(|| with_bad_stack(false), || with_bad_stack(true))?;
    lab.mechanism("a call and ticks with an invalid stack pointer", entered, "")
        .equals("no signal", "the kernel has a stack of its own");
    lab.control("a push with it", pushed, "").equals("SIGSEGV SEGV_MAPERR", "the program has none");
    let (quiet, signalled) = lab.pair(|| written_below(false), || written_below(true))?;
    lab.mechanism("bytes below the stack pointer written by a call and ticks", quiet, "bytes")
        .equals(0, "nothing of the kernel's goes there");
    lab.control("bytes written there by a signal", signalled, "bytes").above(100, "the handler's frame does");
    Ok(())
}
