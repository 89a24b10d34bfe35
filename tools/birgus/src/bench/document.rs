//! What is kept in the repository: docs/benchmarks.md, and Linux's figures.

use super::compare::Comparison;
use super::results::Results;
use super::{html, report};
use crate::paths::{Paths, create_folder};
use crate::program::Program;
use anyhow::{Context, Result};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Writes the page.
pub fn write(paths: &Paths, comparison: &Comparison) -> Result<()> {
    let folder = paths.source.join("docs");
    create_folder(&folder)?;
    let text = page(comparison, &commit(paths), &processor());
    fs::write(folder.join("benchmarks.md"), text).context("cannot write the page")
}

/// Writes the page with charts.
pub fn write_page(paths: &Paths, comparison: &Comparison, file: &Path) -> Result<()> {
    let text = html::page(comparison, &commit(paths), &processor());
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// What was measured.
fn commit(paths: &Paths) -> String {
    let text = Program::new("git").args(["describe", "--always", "--dirty"]).folder(&paths.source).text();
    text.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn page(comparison: &Comparison, commit: &str, processor: &str) -> String {
    let mut text = String::from("# What operations cost\n\nWritten by `birgus bench --document`; do not edit.\n\n");
    let _ = writeln!(text, "Commit {commit}. Host: {processor}.\n");
    let _ = writeln!(text, "- here: {}", comparison.ours.about);
    if let Some(theirs) = &comparison.theirs {
        let _ = writeln!(text, "- there: {}", theirs.about);
    }
    let unit = report::unit(comparison);
    let _ = writeln!(
        text,
        "\nIn {unit} for one operation; `!` marks what costs more than {} of the other.",
        super::compare::TOO_MUCH
    );
    if comparison.interrupted {
        text.push_str("\n**Interrupted: not all was measured.**\n");
    }
    text.push_str("\n| operation | here | there | ratio | |\n|---|---:|---:|---:|---|\n");
    for pair in comparison.pairs() {
        let ratio = pair.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let there = pair.theirs.map_or_else(|| "-".to_owned(), report::figure);
        let remarks = report::remarks(&pair);
        let _ = writeln!(
            text,
            "| {} | {} | {there} | {ratio} | {} |",
            pair.name,
            report::figure(pair.ours),
            remarks.trim()
        );
    }
    let _ = write!(text, "\n{}", report::summary(comparison).replace('\n', "  \n"));
    text
}

/// Keeps Linux's figures: those just measured over those that were there.
pub fn record(paths: &Paths, measured: &Results) -> Result<()> {
    let mut all = Results::parse(super::RECORDED);
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
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    name.unwrap_or("unknown").to_owned()
}
