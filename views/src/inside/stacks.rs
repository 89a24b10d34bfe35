//! `stacks`: where every kernel stack is, how much of it is in use, and in what its thread sleeps.
use super::Word;
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt::{self, Write};
use memory::KERNEL_STACK_SIZE;
use procfs::{Node, Output, Sequence, SequenceSource, sequence};
use sync::thread::{RUNNING, WAKING};
use sync::{Sleep, Thread};
use task::Task;
use trap::backtrace;

pub(super) fn node() -> Node {
    sequence(Arc::new(Stacks), 0o400)
}

struct Stacks;

impl SequenceSource for Stacks {
    fn start(&self) -> Result<Box<dyn Sequence>, Errno> {
        Ok(Box::new(Way::Cpu(0)))
    }
}

/// The CPUs' own stacks first, then those of all threads, by number.
enum Way {
    Cpu(usize),
    Task(u32),
}

impl Sequence for Way {
    fn next(&mut self, output: &mut Output) -> Result<bool, Errno> {
        match *self {
            Self::Cpu(cpu) if cpu >= scheduler::cpu_count() => *self = Self::Task(0),
            Self::Cpu(cpu) => {
                let _ = cpu_stacks(cpu, output);
                *self = Self::Cpu(cpu + 1);
            }
            Self::Task(from) => {
                let Some(task) = task::tree::next_task(from) else { return Ok(false) };
                let _ = task_stack(&task, output);
                *self = Self::Task(task.tid().saturating_add(1));
            }
        }
        Ok(true)
    }
}

fn cpu_stacks(cpu: usize, output: &mut Output) -> fmt::Result {
    for stack in trap::cpu_stacks(cpu).into_iter().flatten() {
        let name = Word(stack.name.as_bytes());
        let (bottom, end, size) = (stack.bottom, stack.end, stack.end - stack.bottom);
        writeln!(output, "cpu {cpu} {name} stack {bottom:#x}-{end:#x} size {size} deepest {}", stack.deepest)?;
    }
    Ok(())
}

fn task_stack(task: &Task, output: &mut Output) -> fmt::Result {
    let Some(thread) = task.thread() else { return Ok(()) };
    // The thread may go on meanwhile: then what is read of its stack is stale, and nothing worse, since it stays mapped.
    let Some((end, pointer, mut trace)) = thread.with_stack(|end| {
        let (own, pointer) = (end - KERNEL_STACK_SIZE..end, thread.saved_stack_pointer());
        let is_away = !thread.is_on_cpu() && own.contains(&pointer);
        let (mut trace, mut count) = ([0; backtrace::MOST], 0);
        if is_away {
            backtrace::walk(
                pointer + arch::stack_switch::SAVED_FRAME,
                |at| own.contains(&at),
                |at| {
                    trace[count] = at;
                    count += 1;
                },
            );
        }
        (end, is_away.then_some(pointer), trace.into_iter().take(count))
    }) else {
        return Ok(());
    };
    let (bottom, state) = (end - KERNEL_STACK_SIZE, state(thread));
    write!(
        output,
        "task {} {} state {state} stack {bottom:#x}-{end:#x} size {KERNEL_STACK_SIZE}",
        task.tid(),
        Word(&task.name())
    )?;
    let Some(pointer) = pointer else { return writeln!(output, " on cpu {}", thread.cpu()) };
    writeln!(output, " used {}", end - pointer)?;
    trace.try_for_each(|at| return_address(at, output))
}

fn return_address(at: usize, output: &mut Output) -> fmt::Result {
    // A thread that has never run will return to the very start of a function.
    if let Some((name, 0)) = ksyms_format::lookup(boot::symbols(), at as u64) {
        return writeln!(output, " [<{at:#018x}>] {name}+0x0");
    }
    // Others return into one; the byte before lies inside the call.
    match ksyms_format::lookup(boot::symbols(), at as u64 - 1) {
        Some((name, offset)) => writeln!(output, " [<{at:#018x}>] {name}+{:#x}", offset + 1),
        None if boot::is_text(at) => writeln!(output, " [<{at:#018x}>]"),
        None => Ok(()),
    }
}

/// As /proc/PID/stat has it.
fn state(thread: &Thread) -> char {
    const INTERRUPTIBLE: u32 = Sleep::Interruptible as u32;
    const STOPPED: u32 = Sleep::Stopped as u32;
    const DEAD: u32 = Sleep::Dead as u32;
    match thread.state() {
        RUNNING | WAKING => 'R',
        INTERRUPTIBLE => 'S',
        STOPPED => 'T',
        DEAD => 'X',
        _ => 'D',
    }
}
