//! In which contexts a processor is.

use crate::experiment::Linux;
use crate::observe::timeline::{Context, Event, recorded};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{map_small, now, touch};
use std::fs::{read_to_string, write};
use std::io::Write;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Contexts,
    claim: "The processor is in user, process, kernel-thread, softirq or hard-interrupt context, or idle: a timeline shows all.",
    experiment: "A program computes, makes calls, touches fresh pages, sleeps, and gives the kernel work to put off. Everything that the kernel notes meanwhile on the first processor is \
        laid out in time, and the contexts are counted. The control only computes, for as long.",
    expected: "Each change of context is a trace point: in by calls and faults, out to user mode, interrupts above either, softirqs behind them, switches to kernel threads and to the idle one. \
        A program that only computes is in user context, but for interrupts and what they leave behind.",
    observable: Observable::OneProcessor,
    linux: Linux::By("tracefs: sched, irq, irq_vectors, raw_syscalls, exceptions"),
    run,
};

const NAMES: [&str; 6] = ["user", "process", "kernel thread", "softirq", "hard interrupt", "idle"];

/// Numbers of kernel threads: those without memory, by PF_KTHREAD.
fn is_kernel_thread(number: i32) -> bool {
    let text = read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    let flags =
        text.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(6)).and_then(|flags| flags.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & 0x0020_0000 != 0)
}

/// In which of the contexts the processor is behind an event.
fn behind(event: &Event) -> usize {
    let thread = |number: i32| match number {
        0 => 5,
        number if is_kernel_thread(number) => 2,
        _ => 1,
    };
    match event.name.as_str() {
        "irq_entry" => 4,
        "softirq_entry" => 3,
        "user_enter" | "sys_exit" => 0,
        "sched_switch" => thread(event.argument("next_pid").and_then(|number| number.parse().ok()).unwrap_or(0)),
        _ if event.context == Context::HardInterrupt => 4,
        _ => thread(event.thread),
    }
}

#[derive(Default)]
struct Seen {
    counts: [usize; NAMES.len()],
    line: Vec<(f64, f64)>,
    own_calls: usize,
}

fn seen(work: fn()) -> Result<Seen, Trouble> {
    let marked = || {
        unsafe { libc::syscall(libc::SYS_getsid, 0) };
        work();
        unsafe { libc::syscall(libc::SYS_getsid, 0) };
        unsafe { libc::getpid() }
    };
    let (own, events) = recorded(marked)?;
    let mark = libc::SYS_getsid.to_string();
    let is_mark = |event: &Event| event.thread == own && event.is("sys_enter") && event.argument("nr") == Some(&mark);
    let first = events.iter().position(is_mark).ok_or_else(|| Trouble::failed("the mark was not recorded"))?;
    let last = events.iter().rposition(is_mark).unwrap_or(first);
    let (mut seen, start) = (Seen::default(), events[first].time);
    // Behind the first mark's own way out.
    for event in events[first + 1..last].iter().filter(|event| event.cpu == events[first].cpu).skip(2) {
        let context = behind(event);
        seen.counts[context] += 1;
        seen.line.push((event.time - start, context as f64));
        let is_entry = event.is("sys_enter") || event.is("exception_user");
        seen.own_calls += usize::from(event.thread == own && is_entry);
    }
    Ok(seen)
}

fn compute() {
    let end = now() + 60_000_000;
    while now() < end {}
}

fn all_sorts() {
    compute();
    let calls = || (0..20).for_each(|_| _ = unsafe { libc::syscall(libc::SYS_getppid) });
    calls();
    if let Ok(memory) = map_small(64 << 12) {
        touch(memory, 64 << 12);
    }
    std::thread::sleep(std::time::Duration::from_millis(5));
    // Softirqs without an end, which the kernel hands to a thread of its own; on Linux a terminal's input does that.
    let _ = write("/sys/kernel/debug/birgus/softirq_flood", "60");
    if let Ok(mut terminal) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx") {
        let _ = terminal.write_all(b"x\n");
    }
    std::thread::sleep(std::time::Duration::from_millis(20));
    compute();
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (all, loop_only) = lab.pair(|| seen(all_sorts), || seen(compute))?;
    for (name, count) in NAMES.iter().zip(all.counts) {
        lab.mechanism(format!("changes to {name} context"), count, "").at_least(1, "the program saw to that");
    }
    lab.mechanism("the program's calls and faults", all.own_calls, "").at_least(20, "it made them");
    let process = loop_only.counts[1];
    lab.control("changes to process context while only computing", process, "")
        .below(all.counts[1].max(8), "nothing but switches by the clock");
    lab.control("calls and faults while only computing", loop_only.own_calls, "").at_most(4, "it asks for nothing");
    lab.chart(
        "Context of the first processor: 0 user, 1 process, 2 kernel thread, 3 softirq, 4 hard interrupt, 5 idle",
        ("microseconds", "context"),
        ("all sorts of work", all.line),
        ("only computing", loop_only.line),
    );
    Ok(())
}
