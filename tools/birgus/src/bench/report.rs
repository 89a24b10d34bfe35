//! The comparison for people and for programs.

use super::boot::Boots;
use super::compare::{Comparison, Pair, TOO_MUCH};
use super::results::{Outcome, Results};
use super::wall::{self, Spread, Wall};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// Names of the columns between the operation and the remarks.
pub fn columns(comparison: &Comparison) -> Vec<&'static str> {
    let mut columns = vec!["here", "there", "ratio"];
    if comparison.shipped.is_some() {
        columns.extend(["as shipped", "ratio to it"]);
    }
    if comparison.wall.as_ref().is_some_and(|wall| wall.there.is_some()) {
        columns.push(if comparison.clock == super::Clock::Wall { "spread" } else { "wall ratio, spread" });
    }
    columns
}

/// What stands in them.
pub fn cells(comparison: &Comparison, pair: &Pair<'_>) -> Vec<String> {
    let other = |outcome: Option<&Outcome>| outcome.map_or_else(|| "-".to_owned(), figure);
    let ratio = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    let mut cells = vec![figure(pair.ours), other(pair.theirs), ratio(pair.ratio())];
    if comparison.shipped.is_some() {
        cells.extend([other(pair.shipped), ratio(pair.ratio_to_shipped())]);
    }
    if columns(comparison).len() > cells.len() {
        let is_wall = comparison.clock == super::Clock::Wall;
        cells.push(pair.wall().map_or_else(String::new, |wall| if is_wall { range(wall) } else { spread(wall) }));
    }
    cells
}

/// The middle, and where the middle half lies.
pub fn spread(spread: Spread) -> String {
    format!("{:.2} ({})", spread.middle, range(spread))
}

/// Where the middle half lies.
pub fn range(spread: Spread) -> String {
    format!("{:.2}–{:.2}", spread.low, spread.high)
}

/// The table on the terminal.
pub fn table(comparison: &Comparison) -> String {
    let mut text = String::new();
    let columns = columns(comparison);
    let width =
        |index: usize| columns[index].chars().count().max(if columns[index].contains("ratio") { 7 } else { 12 });
    let line = |text: &mut String, name: &str, cells: &[&str], remarks: &str| {
        let _ = write!(text, "{name:<24}");
        for (index, cell) in cells.iter().enumerate() {
            let _ = write!(text, " {cell:>width$}", width = width(index));
        }
        let _ = writeln!(text, "{remarks}");
    };
    line(&mut text, unit(comparison), &columns, "");
    for pair in comparison.pairs() {
        let cells = cells(comparison, &pair);
        line(&mut text, pair.name, &cells.iter().map(String::as_str).collect::<Vec<_>>(), &remarks(&pair));
    }
    text.push_str(&summary(comparison));
    text
}

pub fn unit(comparison: &Comparison) -> &'static str {
    if comparison.clock == super::Clock::Wall { "nanoseconds" } else { "instructions" }
}

pub fn figure(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Cost(cost) if cost.figure() < 100.0 => format!("{:.1}", cost.figure()),
        Outcome::Cost(cost) => format!("{:.0}", cost.figure()),
        Outcome::Unsupported(errno) => format!("errno {errno}"),
        Outcome::Failed(_) => "failed".to_owned(),
    }
}

pub fn remarks(pair: &Pair<'_>) -> String {
    let mut text = String::new();
    if pair.ratio().is_some_and(|ratio| ratio > TOO_MUCH) {
        text.push_str(" !");
    }
    if pair.is_loss() {
        text.push_str(" slower by the wall");
    }
    if pair.moving() > 0.0 && pair.ratio().is_some() {
        let _ = write!(text, " beside {:.0} to move bytes", pair.moving());
    }
    match pair.ours {
        Outcome::Failed(why) => {
            let _ = write!(text, " {why}");
        }
        Outcome::Cost(cost) if cost.is_uneven() => match cost.charged {
            Some(_) => drop(write!(text, " least {:.0}", cost.least)),
            None => drop(write!(text, " mean {:.0}", cost.mean)),
        },
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
    if let Some(mean) = comparison.mean_to_shipped() {
        let _ = writeln!(text, "to Linux as shipped: {mean:.3}");
    }
    let too_much = comparison.too_much();
    let list: Vec<String> = too_much.iter().map(|(name, ratio)| format!("{name} {ratio:.2}")).collect();
    let _ = match list.len() {
        0 => writeln!(text, "none above {TOO_MUCH}"),
        count => writeln!(text, "{count} above {TOO_MUCH}: {}", list.join(", ")),
    };
    if let Some(mean) = comparison.mean_of_wall() {
        let _ = writeln!(text, "by the wall, geometric mean: {mean:.3}");
        text.push_str(&losses(comparison));
    }
    text
}

/// What wins in instructions and is slower all the same, told from what cannot be told.
fn losses(comparison: &Comparison) -> String {
    let losses = comparison.losses();
    let list = |even: bool| {
        let named = losses.iter().filter(|(_, spread)| spread.is_even() == even);
        named.map(|(name, wall)| format!("{name} {}", spread(*wall))).collect::<Vec<_>>()
    };
    let (clear, even) = (list(false), list(true));
    let mut text = match clear.len() {
        0 => "no row that wins in instructions clearly loses by the wall\n".to_owned(),
        count => format!("{count} win in instructions and lose by the wall: {}\n", clear.join(", ")),
    };
    if !even.is_empty() {
        let _ = writeln!(text, "{} more within the spread: {}", even.len(), even.join(", "));
    }
    text
}

/// The same for programs.
pub fn json(comparison: &Comparison, boots: Option<&Boots>) -> Result<String> {
    let row = |pair: Pair<'_>| {
        let mut row = json!({ "name": pair.name, "here": pair.ours, "there": pair.theirs, "ratio": pair.ratio() });
        if let Some(shipped) = pair.shipped {
            row["shipped"] = json!(shipped);
        }
        if let Some(runs) = comparison.wall.as_ref().and_then(|wall| wall.get(pair.name)) {
            row["wall"] = pairs_json(runs);
        }
        row
    };
    let whole = Report {
        geometric_mean: comparison.geometric_mean(),
        unit: unit(comparison),
        interrupted: comparison.interrupted,
        here: &comparison.ours.about,
        there: comparison.theirs.as_ref().map(|theirs| theirs.about.as_str()),
        rows: comparison.pairs().map(row).collect(),
        boot: boots,
    };
    Ok(serde_json::to_string_pretty(&whole)? + "\n")
}

/// All runs of an operation by the wall.
fn pairs_json(runs: &wall::Row) -> Value {
    let figures = |runs: &[Outcome]| runs.iter().filter_map(Outcome::figure).collect::<Vec<_>>();
    let spread = runs.ratio();
    json!({ "ratio": spread.map(|spread| spread.middle), "low": spread.map(|spread| spread.low),
        "high": spread.map(|spread| spread.high), "here": figures(&runs.here), "there": figures(&runs.there) })
}

/// What was timed by the wall alone.
pub fn wall_json(wall: &Wall, mean: Option<f64>, interrupted: bool) -> Result<String> {
    let (ours, theirs) = wall.medians();
    let row = |row: &wall::Row| {
        json!({ "name": row.name, "here": ours.get(&row.name), "there": theirs.as_ref().and_then(|theirs| theirs.get(&row.name)),
            "ratio": row.ratio().map(|spread| spread.middle), "wall": pairs_json(row) })
    };
    let whole = Report {
        geometric_mean: mean,
        unit: "nanoseconds",
        interrupted,
        here: &wall.here,
        there: wall.there.as_deref(),
        rows: wall.rows.iter().map(row).collect(),
        boot: None,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    boot: Option<&'a Boots>,
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
    use crate::bench::wall::{Row, Wall};

    fn comparison() -> Comparison {
        let ours = "# ours\nfast 10 10\nslow 9000 12000\nnone unsupported 38\ndead crashed signal 11\n";
        let theirs = Results::parse("fast 100 100\nslow 10000 10000\nnone 1 1\n");
        Comparison { ours: Results::parse(ours), theirs: Some(theirs), ..Comparison::default() }
    }

    fn with_wall() -> Comparison {
        let outcome = |figure: f64| Results::parse(&format!("a {figure} {figure}\n")).rows.remove(0).1;
        let row = |name: &str, here: [f64; 3]| Row {
            name: name.into(),
            here: here.map(outcome).to_vec(),
            there: vec![outcome(10.0); 3],
        };
        let rows = vec![row("fast", [20.0, 20.0, 22.0]), row("slow", [9.0, 11.0, 12.0])];
        Comparison { wall: Some(Wall { there: Some("them".into()), rows, ..Wall::default() }), ..comparison() }
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
    fn losses_by_the_wall_are_listed_and_those_within_the_spread_apart() {
        let text = table(&with_wall());
        assert!(text.contains("wall ratio, spread\n"), "{text}");
        assert!(text.contains("0.10   2.00 (2.00–2.10) slower by the wall\n"), "{text}");
        assert!(text.contains("1 win in instructions and lose by the wall: fast 2.00 (2.00–2.10)\n"), "{text}");
        assert!(text.contains("1 more within the spread: slow 1.10 (1.00–1.15)\n"), "{text}");
    }

    #[test]
    fn work_that_was_put_off_is_in_the_figure() {
        let ours = Results::parse("a 100 110 200\n");
        let text = table(&Comparison { ours, ..Comparison::default() });
        assert!(text.contains(" 200 ") && text.contains(" least 100"), "{text}");
    }

    #[test]
    fn json_and_back() {
        let comparison = with_wall();
        let text = json(&comparison, None).unwrap();
        assert!(text.starts_with("{\n  \"geometric_mean\": 0.3"), "{text}");
        assert!(text.contains("\"low\": 2.0") && text.contains("\"interrupted\": false"), "{text}");
        assert_eq!(parse(&text).unwrap(), comparison.ours);
        assert!(parse("{}").is_err());
    }
}
