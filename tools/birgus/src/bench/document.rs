//! What is kept in the repository: docs/benchmarks.md, and Linux's figures.

use super::boot::Boots;
use super::compare::{Comparison, TOO_MUCH};
use super::results::Results;
use super::{other, report};
use crate::paths::{Paths, create_folder};
use crate::program::Program;
use anyhow::{Context, Result};
use std::fmt::Write;
use std::fs;

/// Writes the page.
pub fn write(paths: &Paths, comparison: &Comparison, boots: Option<&Boots>) -> Result<()> {
    let folder = paths.source.join("docs");
    create_folder(&folder)?;
    let text = page(comparison, boots, &commit(paths), &processor());
    fs::write(folder.join("benchmarks.md"), text).context("cannot write the page")
}

/// What was measured.
pub fn commit(paths: &Paths) -> String {
    let text = Program::new("git").args(["describe", "--always", "--dirty"]).folder(&paths.source).text();
    text.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn page(comparison: &Comparison, boots: Option<&Boots>, commit: &str, processor: &str) -> String {
    let mut text = String::from("# What operations cost\n\nWritten by `birgus bench --document`; do not edit.\n\n");
    let _ = writeln!(text, "Commit {commit}. Host: {processor}.\n");
    let _ = writeln!(text, "- here: {}", comparison.ours.about);
    for (name, other) in [("there", &comparison.theirs), ("as shipped", &comparison.shipped)] {
        if let Some(other) = other {
            let _ = writeln!(text, "- {name}: {}", other.about);
        }
    }
    text.push_str(&legend(comparison));
    if comparison.interrupted {
        text.push_str("\n**Interrupted: not all was measured.**\n");
    }
    let columns = report::columns(comparison);
    let _ = writeln!(text, "\n| operation | {} | |", columns.join(" | "));
    let _ = writeln!(text, "|---|{}---|", "---:|".repeat(columns.len()));
    for pair in comparison.pairs() {
        let (cells, remarks) = (report::cells(comparison, &pair).join(" | "), report::remarks(&pair));
        let _ = writeln!(text, "| {} | {cells} | {} |", pair.name, remarks.trim());
    }
    let _ = write!(text, "\n{}", report::summary(comparison).replace('\n', "  \n"));
    if let Some(boots) = boots {
        let _ = write!(text, "\n{}", boots.markdown());
    }
    text
}

/// How to read it.
fn legend(comparison: &Comparison) -> String {
    let unit = report::unit(comparison);
    let mut text = format!("\nIn {unit} for one operation; `!` marks what costs more than {TOO_MUCH} of the other.");
    if comparison.ours.rows.iter().any(|(_, outcome)| outcome.cost().is_some_and(|cost| cost.charged.is_some())) {
        text.push_str(
            " A figure is all that the machine executed for an operation: the mean of five batches, and what was still executed \
             when they were over (counted by QEMU while the program sleeps for two seconds, less what two more seconds of sleep take). \
             `least` is the least of the batches, where it is a twentieth less.",
        );
    }
    if let Some(wall) = comparison.wall.as_ref().filter(|wall| wall.there.is_some()) {
        let _ = write!(
            text,
            " By the wall: the middle ratio of the pairs of runs ({} of each), one kernel right behind the other, and the two between which the \
             middle half lies. There, {}; here, {}.",
            wall.rows.iter().map(|row| row.there.len()).max().unwrap_or(0),
            wall.there.as_deref().unwrap_or_default(),
            wall.here
        );
    }
    text + "\n"
}

/// Keeps Linux's figures: those just measured over those that were there.
pub fn record(paths: &Paths, measured: &Results) -> Result<()> {
    let mut all = Results::parse(other::RECORDED);
    all.about.clone_from(&measured.about);
    for (name, outcome) in &measured.rows {
        match all.rows.iter_mut().find(|(known, _)| known == name) {
            Some(row) => row.1 = outcome.clone(),
            None => all.rows.push((name.clone(), outcome.clone())),
        }
    }
    let file = paths.source.join("tools/birgus/src/bench/linux-6.1.txt");
    fs::write(&file, all.text()).with_context(|| format!("cannot write {}", file.display()))
}

/// The host's processor.
pub fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    name.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::page;
    use crate::bench::compare::Comparison;
    use crate::bench::results::Results;

    #[test]
    fn the_page_says_machine_commit_and_what_is_lost() {
        let ours = Results::parse("# us\na 9 9 9\nb 1 1 1\nc unsupported 38\n");
        let theirs = Some(Results::parse("# them\na 10 10 10\nb 10 10 10\nc 5 5 5\n"));
        let both = Comparison { ours, theirs, interrupted: true, ..Comparison::default() };
        let text = page(&both, None, "abc123", "a processor");
        for expected in [
            "Commit abc123. Host: a processor.",
            "- here: us",
            "- there: them",
            "**Interrupted",
            "| operation | here | there | ratio | |\n|---|---:|---:|---:|---|\n",
            "| a | 9.0 | 10.0 | 0.90 | ! |",
            "| c | errno 38 | 5.0 |  |  |",
            "1 above 0.8: a 0.90",
            "all that the machine executed",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
    }
}
