//! The comparison as a page: bars of ratios, charts of growth, and the figures.

use super::boot::Boots;
use super::boot_report;
use super::compare::{Comparison, HALF, Pair, TOO_MUCH};
use super::report;
use crate::chart::{Axis, Bars, Guide, Page, Plot, Row, Scale, Series};

/// Rows of bars in one figure: as many as a printed page holds.
const ROWS: usize = 40;
/// Ratios that are longer than this would make the others unreadable.
const LONGEST: f64 = 2.0;

/// The whole page.
pub fn page(comparison: &Comparison, boots: Option<&Boots>, commit: &str, processor: &str) -> String {
    let mut page = Page::new("What operations cost");
    page.paragraph("about", &format!("Commit {commit}. Host: {processor}."));
    if !comparison.ours.rows.is_empty() {
        page.paragraph("about", &format!("here: {}", comparison.ours.about));
    }
    for (name, other) in [("there", &comparison.theirs), ("as shipped", &comparison.shipped)] {
        if let Some(other) = other {
            page.paragraph("about", &format!("{name}: {}", other.about));
        }
    }
    if comparison.interrupted {
        page.paragraph("bad", "Interrupted: not all was measured.");
    }
    report::summary(comparison).lines().for_each(|line| page.paragraph("", line));
    ratios(&mut page, comparison);
    growth(&mut page, comparison);
    figures(&mut page, comparison);
    if let Some(boots) = boots {
        start_up(&mut page, boots);
    }
    page.finish()
}

fn guides() -> Vec<Guide> {
    [HALF, TOO_MUCH].map(|value| Guide { value, label: value.to_string() }).to_vec()
}

fn ratios(page: &mut Page, comparison: &Comparison) {
    let both = comparison.mean_of_wall().is_some();
    let row = |pair: Pair<'_>| {
        let mut values = vec![Some(pair.ratio()?)];
        if both {
            values.push(pair.wall().map(|spread| spread.middle));
        }
        Some(Row { name: pair.name.to_owned(), values })
    };
    let rows: Vec<Row> = comparison.pairs().filter_map(row).collect();
    if rows.is_empty() {
        return;
    }
    page.section("Ratios");
    let unit = report::unit(comparison);
    let series: &[&str] = if both { &[unit, "by the wall"] } else { &[unit] };
    for (index, rows) in rows.chunks(ROWS).enumerate() {
        let title = if index == 0 { "Each operation, here for one there" } else { "Each operation (continued)" };
        let bars = Bars {
            title: title.to_owned(),
            label: "here : there".to_owned(),
            series: series.iter().map(|&name| name.to_owned()).collect(),
            rows: rows.to_vec(),
            guides: guides(),
            most: LONGEST,
        };
        page.figure(&bars.svg(), "Shorter is better.");
    }
}

/// A chart for each operation that was measured at several sizes.
fn growth(page: &mut Page, comparison: &Comparison) {
    let mut names: Vec<&str> = comparison.pairs().filter_map(|pair| Some(pair.name.split_once('@')?.0)).collect();
    names.dedup();
    if names.is_empty() {
        return;
    }
    page.section("Growth");
    for name in names {
        let plot = Plot {
            title: name.to_owned(),
            x: Axis::new(size_of(name), Scale::Logarithmic),
            y: Axis::new(report::unit(comparison), Scale::Logarithmic),
            series: vec![
                Series { name: "here".into(), points: points(comparison, name, |pair| pair.ours.figure()) },
                Series { name: "there".into(), points: points(comparison, name, |pair| pair.theirs?.figure()) },
            ],
            guides: Vec::new(),
        };
        page.figure(&plot.svg(), "");
    }
}

/// What grows.
fn size_of(name: &str) -> &'static str {
    match name {
        name if name.ends_with("_MiB") => "MiB mapped",
        "fork_mappings" => "mappings",
        "poll" | "epoll" => "descriptors",
        "stat_depth" => "folders deep",
        "stat_folder" => "entries in the folder",
        "wake_sleepers" | "signal_tasks" => "sleeping tasks",
        "futex_wake_waiters" => "waiters",
        "timer_armed" => "armed timers",
        _ => "size",
    }
}

fn points(comparison: &Comparison, name: &str, value: fn(&Pair<'_>) -> Option<f64>) -> Vec<(f64, f64)> {
    let point = |pair: Pair<'_>| {
        let (base, size) = pair.name.split_once('@')?;
        (base == name).then_some((size.parse().ok()?, value(&pair)?))
    };
    comparison.pairs().filter_map(point).collect()
}

fn figures(page: &mut Page, comparison: &Comparison) {
    if comparison.ours.rows.is_empty() {
        return;
    }
    page.section("Figures");
    let row = |pair: Pair<'_>| {
        let mut cells = vec![pair.name.to_owned()];
        cells.extend(report::cells(comparison, &pair));
        cells.push(report::remarks(&pair).trim().to_owned());
        (cells, pair.ratio().is_some_and(|ratio| ratio > TOO_MUCH))
    };
    let rows: Vec<_> = comparison.pairs().map(row).collect();
    let mut head = vec!["operation"];
    head.extend(report::columns(comparison));
    head.push("");
    page.table(&head, &rows);
}

fn start_up(page: &mut Page, boots: &Boots) {
    page.section("Start-up");
    page.paragraph("about", boot_report::LEGEND);
    for table in boot_report::tables(boots) {
        page.paragraph("", &table.title);
        let head: Vec<&str> = table.head.iter().map(String::as_str).collect();
        let rows: Vec<_> = table.rows.into_iter().map(|row| (row, false)).collect();
        page.table(&head, &rows);
    }
}

#[cfg(test)]
mod tests {
    use super::page;
    use crate::bench::compare::Comparison;
    use crate::bench::results::Results;

    #[test]
    fn bars_and_growth_of_recorded_results() {
        let ours = Results::parse("# us\nfork 50 50\npoll@10 10 10\npoll@1000 1000 1000\nnone unsupported 38\n");
        let theirs = Results::parse("# them\nfork 100 100\npoll@10 20 20\npoll@1000 1000 1000\nnone 1 1\n");
        let text =
            page(&Comparison { ours, theirs: Some(theirs), ..Comparison::default() }, None, "abc", "a processor");
        assert_eq!(text.matches("<svg").count(), 2, "one of bars, one of growth");
        assert!(text.contains("fork: 0.50") && text.contains("there: 20 at 10") && text.contains("errno 38"));
        assert!(!text.contains("none: "), "what has no ratio has no bar");
        assert!(!text.contains("Interrupted"));
    }
}
