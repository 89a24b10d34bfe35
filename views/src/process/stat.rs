//! /proc/PID/stat and statm.
use super::settings::trimmed;
use super::{Look, access};
use abi::raw::general::RLIMIT_RSS;
use abi::{Errno, PAGE_SIZE};
use core::fmt::Write;
use core::sync::atomic::Ordering;
use procfs::Output;
use sync::thread::{self, Sleep};
use task::Task;
use task::kernel_threads::Role;
use task::process::Process;
use task::usage::{self, Usage};
use time::user_ticks;

/// Flags of a task as Linux numbers them (include/linux/sched.h): those that are known here.
const PF_EXITING: u32 = 0x4;
const PF_WQ_WORKER: u32 = 0x20;
const PF_FORKNOEXEC: u32 = 0x40;
/// Nothing is ever frozen here: what Linux says of its threads.
const PF_NOFREEZE: u32 = 0x8000;
const PF_KTHREAD: u32 = 0x20_0000;
const PF_RANDOMIZE: u32 = 0x40_0000;
const PF_NO_SETAFFINITY: u32 = 0x400_0000;

/// The letter of a task's state, and what status says of it.
pub(crate) fn state(task: &Task) -> (char, &'static str) {
    if task.has_ended() {
        return ('Z', "zombie");
    }
    if task.is_stopped() {
        return ('T', "stopped");
    }
    let state = task.thread().map_or(thread::RUNNING, |thread| thread.state());
    match state {
        state if state == Sleep::Interruptible as u32 => ('S', "sleeping"),
        state if state == Sleep::Killable as u32 || state == Sleep::Uninterruptible as u32 => ('D', "disk sleep"),
        state if state == Sleep::Idle as u32 => ('I', "idle"),
        state if state == Sleep::Dead as u32 => ('Z', "zombie"),
        _ => ('R', "running"),
    }
}

/// Threads, with a first one that has ended before the others or is a zombie.
pub(crate) fn thread_count(task: &Task) -> usize {
    task.process.thread_count() + usize::from(task.tid() == task.process.pid && task.has_ended())
}

fn flags(task: &Task) -> u32 {
    let mut flags = 0;
    if task.has_ended() {
        flags |= PF_EXITING;
    }
    if !task.process.has_executed() {
        flags |= PF_FORKNOEXEC;
    }
    match task.role {
        None if task::execute::randomises() => flags |= PF_RANDOMIZE,
        None => {}
        Some(role) => {
            flags |= PF_KTHREAD | PF_NOFREEZE;
            if matches!(role, Role::Worker(_)) {
                flags |= PF_WQ_WORKER;
            }
        }
    }
    if !task.may_be_moved() {
        flags |= PF_NO_SETAFFINITY;
    }
    flags
}

/// The number of the controlling terminal, and the group in its foreground: 0 and -1 without one.
fn terminal(process: &Process) -> (i32, i32) {
    let Some((number, foreground)) = terminals::controlling_terminal(process) else { return (0, -1) };
    (number.encode() as i32, foreground.map_or(-1, |group| group as i32))
}

/// What the whole line takes from the process's memory; zeros where there is none, as on Linux.
#[derive(Default)]
struct Addresses {
    code: (u64, u64),
    stack_start: u64,
    data: (u64, u64),
    heap_start: u64,
    arguments: (u64, u64),
    environment: (u64, u64),
}

impl Addresses {
    /// Those who may not look see that there is a program (1), and no address.
    fn of(task: &Task, permitted: bool, heap_start: u64) -> Self {
        let Some(image) = task.exec_image() else { return Self::default() };
        if !permitted {
            return Self { code: (1, 1), ..Self::default() };
        }
        Self {
            code: (image.code.start, image.code.end),
            stack_start: image.stack.stack_pointer,
            data: (image.data.start, image.data.end),
            heap_start,
            arguments: (image.stack.argument_start, image.stack.argument_end),
            environment: (image.stack.environment_start, image.stack.environment_end),
        }
    }
}

pub(crate) fn stat(look: &Look, output: &mut Output) -> Result<(), Errno> {
    let (task, process) = (&look.task, &look.task.process);
    let permitted = access::may_look(task);
    let used = if look.whole { usage::of_process(process) } else { usage::of_thread(task) };
    let children = if look.whole { usage::of_children(process) } else { Usage::default() };
    let memory = task.space().map(|space| space.usage());
    let heap_start = memory.map_or(0, |memory| memory.heap_start as u64);
    let addresses = if memory.is_some() { Addresses::of(task, permitted, heap_start) } else { Addresses::default() };
    let (letter, _) = state(task);
    let (terminal, foreground) = terminal(process);
    write!(output, "{} (", look.number())?;
    output.bytes(trimmed(&task.name()));
    write!(
        output,
        ") {letter} {} {} {} {terminal} {foreground} {}",
        process.parent(),
        process.group(),
        process.session(),
        flags(task)
    )?;
    write!(output, " {} {} {} {}", used.minor_faults, children.minor_faults, used.major_faults, children.major_faults)?;
    let times = [used.user, used.system, children.user, children.system].map(user_ticks);
    let nice = task.nice.load(Ordering::Relaxed);
    write!(output, " {} {} {} {} {} {nice}", times[0], times[1], times[2], times[3], 20 + nice)?;
    // The time until the next SIGALRM is not told since Linux 2.6.17.
    write!(output, " {} 0 {}", thread_count(task), user_ticks(task.started))?;
    let limit = process.limits.lock().soft(RLIMIT_RSS);
    let (size, resident) = memory.map_or((0, 0), |memory| (memory.total * PAGE_SIZE, memory.resident()));
    write!(output, " {size} {resident} {limit} {} {}", addresses.code.0, addresses.code.1)?;
    // Stack and instruction pointer are told of tasks only that are dumping core.
    write!(output, " {} 0 0", addresses.stack_start)?;
    signals(look, output)?;
    let exit_signal = if look.number() == process.pid { process.exit_signal() as i32 } else { -1 };
    let asleep = permitted && !matches!(letter, 'R' | 'Z');
    let cpu = task.thread().map_or(0, |thread| thread.cpu());
    // No swapped pages are counted, no real-time priority or policy can be had, and nobody is delayed by block devices or runs
    // guests.
    write!(output, " {} 0 0 {exit_signal} {cpu} 0 0 0 0 0", u32::from(asleep))?;
    write!(output, " {} {} {}", addresses.data.0, addresses.data.1, addresses.heap_start)?;
    let (arguments, environment) = (addresses.arguments, addresses.environment);
    write!(output, " {} {} {} {}", arguments.0, arguments.1, environment.0, environment.1)?;
    writeln!(output, " {}", if permitted { process.exit_status().unwrap_or(0) } else { 0 })?;
    Ok(())
}

/// Pending, blocked, ignored and caught, of the first 31: kept for old programs; status has all.
fn signals(look: &Look, output: &mut Output) -> Result<(), Errno> {
    const SHOWN: u64 = 0x7fff_ffff;
    let task = &look.task;
    let summary = task.process.signal_summary();
    let sets = [task.own_pending_signals(), task.signal_mask(), summary.ignored, summary.caught];
    for set in sets {
        write!(output, " {}", set.bits() & SHOWN)?;
    }
    Ok(())
}

/// statm: pages in all, resident, of those shared with files, of code, of data and stack; 0 where Linux once had libraries and
/// dirty pages.
pub(crate) fn memory(look: &Look, output: &mut Output) -> Result<(), Errno> {
    let memory = look.task.space().map(|space| space.usage()).unwrap_or_default();
    let (code, _) = code_pages(&look.task, &memory);
    let shared = memory.file + memory.memory;
    let data = memory.data + memory.stack;
    writeln!(output, "{} {} {shared} {code} 0 {data} 0", memory.total, memory.resident())?;
    Ok(())
}

/// Pages of code: the program's own, and its libraries'.
pub(crate) fn code_pages(task: &Task, memory: &mm::Usage) -> (usize, usize) {
    let page = PAGE_SIZE as u64;
    let own = task.exec_image().map_or(0, |image| {
        let (start, end) = (image.code.start / page, image.code.end.div_ceil(page));
        end.saturating_sub(start) as usize
    });
    let own = own.min(memory.code);
    (own, memory.code - own)
}
