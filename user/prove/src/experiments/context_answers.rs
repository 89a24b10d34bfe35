//! What the kernel's code is told of where it runs.

use crate::experiment::Linux;
use crate::observe::inside::text;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Contexts,
    claim: "One count per processor tells in which context code runs: in_task, in_softirq, in_hardirq, in_nmi and in_interrupt each answer from it.",
    experiment: "The kernel runs a piece of code in each context and asks there: in a process, with softirqs off, in a softirq, in a hard interrupt, in one above a softirq, in an \
        NMI, in a kernel thread. The control is the answer of the process that has this done.",
    expected: "Each context adds to its own bits of the count and takes that back at its end. So an interrupt above a softirq is in both, and with softirqs off \
        code is in a task, in_softirq and in_interrupt say yes all the same, and only in_serving_softirq tells it apart.",
    observable: Observable::OneProcessor,
    linux: Linux::No("a module would have to ask"),
    run,
};

/// The answers that are yes, in one row.
fn answers(row: &str) -> Result<String, Trouble> {
    let table = text("contexts")?;
    let mut lines = table.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let questions = lines.next().unwrap_or_default();
    let found = lines.find(|words| words.first() == Some(&row));
    let answers = found.ok_or_else(|| Trouble::failed(format!("no row {row}")))?;
    let said = questions.iter().zip(&answers).skip(1).filter(|(_, answer)| **answer == "1");
    Ok(said.map(|(question, _)| *question).filter(|question| *question != "may_sleep").collect::<Vec<_>>().join(" "))
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let rows = [
        ("softirqs-off", "in_task in_softirq in_interrupt"),
        ("softirq", "in_softirq in_serving_softirq in_interrupt"),
        ("hardirq", "in_hardirq in_interrupt"),
        ("hardirq-above-softirqs-off", "in_softirq in_hardirq in_interrupt"),
        ("hardirq-above-softirq", "in_softirq in_serving_softirq in_hardirq in_interrupt"),
        ("nmi", "in_nmi in_interrupt"),
    ];
    let mut own = String::new();
    for (row, expected) in rows {
        let (said, process) = lab.pair(|| answers(row), || answers("process"))?;
        lab.mechanism(format!("{row}: yes to"), said, "").equals(expected, "by the bits of the count");
        own = process;
    }
    lab.control("the process: yes to", own, "").equals("in_task", "nothing is added to its count");
    Ok(())
}
