//! What a person wants to know of a machine that is not well: who runs where, in which context, and how it got there.
//!
//! For panics, NMIs and watchdogs: no locks are waited for, and nothing is allocated. Each function is told how to write a line,
//! which is [`klog::emergency`] wherever the log itself may be what is stuck.
use crate::interrupts;
use arch::CpuSet;
use core::fmt::Arguments;
use core::sync::atomic::{AtomicBool, Ordering};
use sync::{Sleep, Thread};
use task::Task;
use trap::KernelFrame;

/// Writes a line.
pub type Say = fn(Arguments<'_>);

/// Nanoseconds that another CPU has to answer an NMI.
const PATIENCE: u64 = 1_000_000_000;

/// CPUs that are asked to report themselves by an NMI.
static ASKED: CpuSet = CpuSet::new();
/// One report of all CPUs at a time.
static REPORTING: AtomicBool = AtomicBool::new(false);

/// This CPU, what runs on it, and in which context.
pub fn context(say: Say) {
    let word = arch::cpu::preempt_word();
    let kind = arch::context::Context::of(word).name();
    let cpu = arch::cpu::id();
    let told = Thread::with_local::<Task, _>(|task| {
        let name = task.try_name().unwrap_or_default();
        let name = core::str::from_utf8(&name).unwrap_or("?").trim_end_matches('\0');
        say(format_args!("CPU: {cpu} PID: {} Comm: {name}, {kind} context, preempt word {word:#x}", task.tid()));
    });
    match (told, sync::current().stack_top()) {
        (Some(()), _) => {}
        (None, Some(_)) => say(format_args!("CPU: {cpu} PID: 0 Comm: kthread, {kind} context, preempt word {word:#x}")),
        (None, None) => {
            say(format_args!("CPU: {cpu} PID: 0 Comm: swapper/{cpu}, {kind} context, preempt word {word:#x}"))
        }
    }
}

/// The registers of interrupted kernel code.
pub fn registers(say: Say, frame: &KernelFrame) {
    say(format_args!("RIP {:#x} RSP {:#x} RFLAGS {:#x} CS {:#x}", frame.rip, frame.rsp, frame.rflags, frame.cs));
    say(format_args!("RAX {:016x} RBX {:016x} RCX {:016x} RDX {:016x}", frame.rax, frame.rbx, frame.rcx, frame.rdx));
    say(format_args!("RSI {:016x} RDI {:016x} RBP {:016x} R8  {:016x}", frame.rsi, frame.rdi, frame.rbp, frame.r8));
    say(format_args!("R9  {:016x} R10 {:016x} R11 {:016x} R12 {:016x}", frame.r9, frame.r10, frame.r11, frame.r12));
    say(format_args!("R13 {:016x} R14 {:016x} R15 {:016x}", frame.r13, frame.r14, frame.r15));
}

/// How this CPU got here.
#[inline(always)]
pub fn trace_here(say: Say) {
    trace(say, trap::backtrace::frame_pointer());
}

/// How interrupted kernel code got where it was.
pub fn trace_from(say: Say, frame: &KernelFrame) {
    say(format_args!("Call trace:"));
    address(say, frame.rip as usize + 1);
    trap::backtrace::walk(frame.rbp as usize, is_readable, |at| address(say, at));
}

fn trace(say: Say, frame_pointer: usize) {
    say(format_args!("Call trace:"));
    trap::backtrace::walk(frame_pointer, is_readable, |at| address(say, at));
}

fn address(say: Say, at: usize) {
    // The address before the return address lies inside the call.
    match ksyms_format::lookup(boot::symbols(), at as u64 - 1) {
        Some((name, offset)) => say(format_args!(" [<{at:#018x}>] {name}+{:#x}", offset + 1)),
        None if boot::is_text(at) => say(format_args!(" [<{at:#018x}>]")),
        None => {}
    }
}

/// Stacks lie in the image, the direct map or the vmalloc range; only mapped pages of them.
fn is_readable(address: usize) -> bool {
    boot::is_image(address) || memory::is_kernel_data(address)
}

/// Every other CPU, and every task in an uninterruptible sleep. One caller at a time; another is turned away.
pub fn everything() {
    if REPORTING.swap(true, Ordering::Acquire) {
        return;
    }
    for cpu in (0..scheduler::cpu_count()).filter(|&cpu| cpu != arch::cpu::id()) {
        ask(cpu);
    }
    let complete = task::tree::try_each_task(|task| {
        if let Some(thread) = task.thread().filter(|thread| thread.state() == Sleep::Uninterruptible as u32) {
            sleeper(klog::emergency, task, thread);
        }
    });
    if !complete {
        klog::emergency(format_args!("The process tree is locked: blocked tasks are not shown"));
    }
    REPORTING.store(false, Ordering::Release);
}

/// Has another CPU report itself.
fn ask(cpu: usize) {
    let (Some(local), Some(identifier)) = (interrupts::local(), crate::cpus::apic_id(cpu)) else { return };
    klog::emergency(format_args!("Sending NMI to CPU {cpu}:"));
    ASKED.insert(cpu);
    local.send_nmi(apic::Target::One(identifier));
    let deadline = sync::now() + PATIENCE;
    while ASKED.contains(cpu) && sync::now() < deadline {
        core::hint::spin_loop();
    }
    if ASKED.contains(cpu) {
        ASKED.remove(cpu);
        klog::emergency(format_args!("CPU {cpu} does not answer"));
    }
}

/// In an NMI: true where it asked for a report, which has been given.
pub fn answer(frame: &KernelFrame) -> bool {
    let own = arch::cpu::id();
    if !ASKED.contains(own) {
        return false;
    }
    context(klog::emergency);
    if frame.cs & 3 != 0 {
        klog::emergency(format_args!("In user mode at {:#x}", frame.rip));
    } else {
        trace_from(klog::emergency, frame);
    }
    ASKED.remove(own);
    true
}

/// A sleeping task, and where it sleeps.
pub fn sleeper(say: Say, task: &Task, thread: &Thread) {
    let name = task.try_name().unwrap_or_default();
    let name = core::str::from_utf8(&name).unwrap_or("?").trim_end_matches('\0');
    say(format_args!("task:{name} state:D pid:{} CPU:{}", task.tid(), thread.cpu()));
    if !thread.is_on_cpu() {
        trace(say, thread.saved_stack_pointer() + arch::stack_switch::SAVED_FRAME);
    }
}
