//! What CI runs of the yardstick: two operations and a start-up on Birgus, beside what was recorded.

use super::compare::Comparison;
use super::machine::{Bench, Conditions};
use super::options::Clock;
use super::other::RECORDED;
use super::results::{Outcome, Results};
use super::{boot, boot_report, report};
use crate::paths::Paths;
use anyhow::Result;
use std::sync::atomic::AtomicBool;

/// Instructions from entry to init, at most.
const START_UP: f64 = 50e6;
/// Instructions of the call that does nothing, at most.
const NULL_CALL: f64 = 160.0;

/// What is wrong.
pub fn faults(paths: &Paths) -> Result<Vec<String>> {
    let (conditions, stop) = (conditions(), AtomicBool::new(false));
    let names = ["null_syscall", "fork_exit"].map(str::to_owned);
    let ours = Bench::new(paths, conditions, None)?.measure(&names, &stop)?;
    let comparison = Comparison { ours, theirs: Some(Results::parse(RECORDED)), ..Comparison::default() };
    print!("{}", report::table(&comparison));
    let mut faults = operations(&comparison);
    let boots = boot::measure(paths, conditions, None, &stop)?;
    for both in &boots.machines {
        match both.instructions(&both.here) {
            Some(count) if count > 0.0 && count <= START_UP => {
                println!("entry to init on {}: {count:.0}", both.machine)
            }
            other => faults.push(format!("entry to init on {}: {other:?} instructions", both.machine)),
        }
        faults.extend(phases(&both.here.counted));
    }
    Ok(faults)
}

fn conditions() -> Conditions {
    Conditions { clock: Clock::Instructions, smp: 1, patience: 120, pairs: 0, tuned: true }
}

fn operations(comparison: &Comparison) -> Vec<String> {
    let mut faults = Vec::new();
    for pair in comparison.pairs() {
        let charged = pair.ours.cost().and_then(|cost| cost.charged);
        if charged.is_none() || pair.ratio().is_none() {
            faults.push(format!("{}: {:?} beside {:?}", pair.name, pair.ours, pair.theirs));
        }
    }
    let null = comparison.ours.get("null_syscall").and_then(Outcome::figure);
    if null.is_none_or(|figure| figure > NULL_CALL) {
        faults.push(format!("null_syscall takes {null:?} instructions, more than {NULL_CALL}"));
    }
    faults
}

/// Each phase ends behind the one before.
fn phases(figures: &boot::Figures) -> Vec<String> {
    let ends: Vec<f64> = boot_report::PHASES.iter().filter_map(|name| figures.get(*name).copied()).collect();
    let whole = ends.len() == boot_report::PHASES.len() && ends.is_sorted() && ends.first() > Some(&0.0);
    if whole { Vec::new() } else { vec![format!("the phases of start-up end at {ends:?}")] }
}

#[cfg(test)]
mod tests {
    use super::{operations, phases};
    use crate::bench::boot_report::PHASES;
    use crate::bench::compare::Comparison;
    use crate::bench::results::Results;

    #[test]
    fn a_smoke_run_can_fail() {
        let run = |ours: &str| {
            let theirs = Some(Results::parse("null_syscall 323 323 324\nfork_exit 9 9 9\n"));
            operations(&Comparison { ours: Results::parse(ours), theirs, ..Comparison::default() }).len()
        };
        assert_eq!(run("null_syscall 156 156 156\nfork_exit 5 5 5\n"), 0);
        assert_eq!(run("null_syscall 156 156 190\n"), 1, "too dear");
        assert_eq!(run("null_syscall 156 156\n"), 1, "nothing was charged");
        assert_eq!(run("fork_exit crashed x y\n"), 2);
    }

    #[test]
    fn phases_are_in_order() {
        let mut ends = PHASES.iter().zip(1..).map(|(name, end)| ((*name).to_owned(), f64::from(end))).collect();
        assert!(phases(&ends).is_empty());
        ends.insert("exec".into(), 0.5);
        assert_eq!(phases(&ends).len(), 1);
        ends.remove("exec");
        assert_eq!(phases(&ends).len(), 1);
    }
}
