//! What may come in between.

use crate::experiment::Linux;
use crate::observe::timeline::{Event, recorded};
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{map_small, now};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Contexts,
    claim: "An interrupt's handler is preempted by no task and no softirq, and by no other interrupt of its processor.",
    experiment: "A program reads a megabyte of zeros again and again for a fifth of a second, so that calls take long and interrupts are many. Between the beginning and the end of each handler, \
        everything else that the kernel noted on that processor is counted. The control counts the same between the beginning and the end of each call.",
    expected: "The processor masks interrupts on entry and the handlers leave it so; softirqs and the scheduler wait for the end. A call runs with interrupts on, and is \
        interrupted.",
    observable: Observable::OneProcessor,
    linux: Linux::By("tracefs: irq_vectors, irq, sched, raw_syscalls"),
    run,
};

const LENGTH: usize = 1 << 20;

/// Spans from a point to its end, and what came in between.
#[derive(Default)]
struct Spans {
    count: usize,
    intrusions: usize,
}

fn spans(begin: &str, end: &str) -> Result<Spans, Trouble> {
    let memory = map_small(LENGTH)?;
    let zeros = unsafe { libc::open(c"/dev/zero".as_ptr(), libc::O_RDONLY) };
    let work = || {
        let stop = now() + 200_000_000;
        while now() < stop {
            unsafe { libc::read(zeros, memory.cast(), LENGTH) };
        }
    };
    let ((), events) = recorded(work)?;
    unsafe { libc::close(zeros) };
    measure::system::unmap(memory, LENGTH)?;
    Ok(between(&events, begin, end))
}

fn between(events: &[Event], begin: &str, end: &str) -> Spans {
    let mut spans = Spans::default();
    let last = events.iter().map(|event| event.cpu).max().unwrap_or(0);
    for cpu in 0..=last {
        let mut inside = None;
        for event in events.iter().filter(|event| event.cpu == cpu) {
            inside = match inside {
                None if event.is(begin) => Some(0),
                Some(intrusions) if event.is(end) => {
                    spans.count += 1;
                    spans.intrusions += intrusions;
                    None
                }
                Some(intrusions) if intrudes(event) => Some(intrusions + 1),
                other => other,
            };
        }
    }
    spans
}

fn intrudes(event: &Event) -> bool {
    ["irq_entry", "softirq_entry", "sched_switch"].iter().any(|name| event.is(name))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let (handlers, calls) = lab.pair(|| spans("irq_entry", "irq_exit"), || spans("sys_enter", "sys_exit"))?;
    lab.mechanism("handlers", handlers.count, "").at_least(5, "the clock's ticks");
    lab.mechanism("what came in between", handlers.intrusions, "").equals(0, "interrupts are masked");
    lab.control("calls", calls.count, "").at_least(5, "the program made them");
    lab.control("what came in between those", calls.intrusions, "").at_least(2, "interrupts are on");
    Ok(())
}
