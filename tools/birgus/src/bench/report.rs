//! The comparison for people and for programs.

use super::compare::{Comparison, Pair, TOO_MUCH};
use super::results::{Outcome, Results};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// The table on the terminal.
pub fn table(comparison: &Comparison) -> String {
    let mut text = String::new();
    let unit = unit(comparison);
    let _ = writeln!(text, "{:<24} {:>12} {:>12} {:>7}", unit, "here", "there", "ratio");
    for pair in comparison.pairs() {
        let ratio = pair.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let there = pair.theirs.map_or_else(|| "-".to_owned(), figure);
        let _ =
            writeln!(text, "{:<24} {:>12} {:>12} {:>7}{}", pair.name, figure(pair.ours), there, ratio, remarks(&pair));
    }
    text.push_str(&summary(comparison));
    text
}

pub fn unit(comparison: &Comparison) -> &'static str {
    if comparison.clock == super::Clock::Wall { "nanoseconds" } else { "instructions" }
}

pub fn figure(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Cost { least, .. } if *least < 100.0 => format!("{least:.1}"),
        Outcome::Cost { least, .. } => format!("{least:.0}"),
        Outcome::Unsupported(errno) => format!("errno {errno}"),
        Outcome::Failed(_) => "failed".to_owned(),
    }
}

pub fn remarks(pair: &Pair<'_>) -> String {
    let mut text = String::new();
    if pair.ratio().is_some_and(|ratio| ratio > TOO_MUCH) {
        text.push_str(" !");
    }
    if pair.moving() > 0.0 && pair.ratio().is_some() {
        let _ = write!(text, " beside {:.0} to move bytes", pair.moving());
    }
    match pair.ours {
        Outcome::Failed(why) => {
            let _ = write!(text, " {why}");
        }
        Outcome::Cost { mean, .. } if pair.ours.is_uneven() => {
            let _ = write!(text, " mean {mean:.0}");
        }
        _ => {}
    }
    text
}

/// The last lines.
pub fn summary(comparison: &Comparison) -> String {
    let mut text = String::new();
    let Some(mean) = comparison.geometric_mean() else {
        return text;
    };
    let _ = writeln!(text, "geometric mean of {} ratios: {mean:.3}", comparison.count());
    let too_much = comparison.too_much();
    let list: Vec<String> = too_much.iter().map(|(name, ratio)| format!("{name} {ratio:.2}")).collect();
    let _ = match list.len() {
        0 => writeln!(text, "none above {TOO_MUCH}"),
        count => writeln!(text, "{count} above {TOO_MUCH}: {}", list.join(", ")),
    };
    text
}

/// The same for programs.
pub fn json(comparison: &Comparison) -> Result<String> {
    let rows: Vec<Value> = comparison
        .pairs()
        .map(|pair| json!({ "name": pair.name, "here": pair.ours, "there": pair.theirs, "ratio": pair.ratio() }))
        .collect();
    let whole = Report {
        geometric_mean: comparison.geometric_mean(),
        unit: unit(comparison),
        interrupted: comparison.interrupted,
        here: &comparison.ours.about,
        there: comparison.theirs.as_ref().map(|theirs| theirs.about.as_str()),
        rows,
    };
    Ok(serde_json::to_string_pretty(&whole)? + "\n")
}

/// In this order.
#[derive(serde::Serialize)]
struct Report<'a> {
    geometric_mean: Option<f64>,
    unit: &'static str,
    interrupted: bool,
    here: &'a str,
    there: Option<&'a str>,
    rows: Vec<Value>,
}

/// What an earlier run kept of its own side.
pub fn read(file: &Path) -> Result<Results> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    parse(&text).with_context(|| format!("{} is not what --json keeps", file.display()))
}

fn parse(text: &str) -> Result<Results> {
    let value: Value = serde_json::from_str(text)?;
    let rows = value["rows"].as_array().context("no rows")?;
    let row = |row: &Value| {
        Ok((row["name"].as_str().context("no name")?.to_owned(), serde_json::from_value(row["here"].clone())?))
    };
    let rows = rows.iter().map(row).collect::<Result<_>>()?;
    Ok(Results { about: value["here"].as_str().unwrap_or_default().to_owned(), rows })
}

#[cfg(test)]
mod tests {
    use super::{json, parse, table};
    use crate::bench::compare::Comparison;
    use crate::bench::results::Results;

    fn comparison() -> Comparison {
        let ours = "# ours\nfast 10 10\nslow 9000 12000\nnone unsupported 38\ndead crashed signal 11\n";
        let theirs = Results::parse("fast 100 100\nslow 10000 10000\nnone 1 1\n");
        Comparison { ours: Results::parse(ours), theirs: Some(theirs), ..Comparison::default() }
    }

    #[test]
    fn the_table() {
        let expected = "\
instructions                     here        there   ratio
fast                             10.0          100    0.10
slow                             9000        10000    0.90 ! mean 12000
none                         errno 38          1.0        
dead                           failed            -         signal 11
geometric mean of 2 ratios: 0.300
1 above 0.8: slow 0.90
";
        assert_eq!(table(&comparison()), expected);
    }

    #[test]
    fn json_and_back() {
        let comparison = comparison();
        let text = json(&comparison).unwrap();
        assert!(text.starts_with("{\n  \"geometric_mean\": 0.3"), "{text}");
        assert_eq!(parse(&text).unwrap(), comparison.ours);
        assert!(parse("{}").is_err());
    }
}
