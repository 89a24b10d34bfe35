//! On whose stack an interrupt is served.

use crate::experiment::Linux;
use crate::observe::inside::text;
use crate::observe::timeline::recorded;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::now;
use std::collections::BTreeSet;
use std::ops::Range;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Contexts,
    claim: "Interrupts run on a stack per processor, not on the task's.",
    experiment: "A program computes for a tenth of a second and makes a thousand calls, while the kernel notes at each interrupt and each call where the stack pointer is. \
        That is compared with where the processors' interrupt stacks are. The control is the calls.",
    expected: "An interrupt comes above whatever runs, at any depth of its stack; with a stack of its own it needs no room on each task's, and its depth is bounded by \
        its own. A system call is the task's own work and uses the task's.",
    observable: Observable::OneProcessor,
    linux: Linux::No("no interface shows the stack pointer"),
    run,
};

/// The processors' interrupt stacks.
fn stacks() -> Result<Vec<Range<u64>>, Trouble> {
    let table = text("stacks")?;
    let rows = table.lines().filter_map(|line| line.split_once(" interrupt stack 0x")?.1.split_once(" size "));
    let ranges = rows.filter_map(|(range, _)| {
        let (bottom, end) = range.split_once("-0x")?;
        Some(u64::from_str_radix(bottom, 16).ok()?..u64::from_str_radix(end, 16).ok()?)
    });
    Ok(ranges.collect())
}

#[derive(Debug, Default)]
struct Seen {
    events: usize,
    /// Of those, on an interrupt stack.
    there: usize,
    /// Pages on which stack pointers stood.
    pages: usize,
}

fn seen(name: &str) -> Result<Seen, Trouble> {
    let stacks = stacks()?;
    let work = || {
        let end = now() + 100_000_000;
        while now() < end {}
        (0..1000).for_each(|_| _ = unsafe { libc::syscall(libc::SYS_getppid) });
    };
    let ((), events) = recorded(work)?;
    let places: Vec<u64> = events.iter().filter(|event| event.is(name)).filter_map(|event| event.stack).collect();
    let there = places.iter().filter(|place| stacks.iter().any(|stack| stack.contains(place))).count();
    let pages: BTreeSet<u64> = places.iter().map(|place| place >> 12).collect();
    Ok(Seen { events: places.len(), there, pages: pages.len() })
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (interrupts, calls) = lab.pair(|| seen("irq_entry"), || seen("sys_enter"))?;
    let all = interrupts.events;
    lab.mechanism("interrupts", all, "").at_least(2, "the clock's tick, at least");
    lab.mechanism("of them, on a processor's interrupt stack", interrupts.there, "").equals(all, "each");
    lab.mechanism("pages of their stack pointers", interrupts.pages, "");
    lab.control("calls", calls.events, "").at_least(1000, "the program made them");
    lab.control("of them, on an interrupt stack", calls.there, "").equals(0, "they are on the task's");
    Ok(())
}
