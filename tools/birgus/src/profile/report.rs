//! The profile as text: functions by what they execute themselves and in all, then the tree of calls.

use super::Recorded;
use super::symbols::Name;
use super::tree::Profile;
use std::fmt::Write;

/// Letters of a name that are shown.
const WIDTH: usize = 110;

/// All of it; `least` in percent.
pub fn text(recorded: &Recorded, profile: &Profile, top: usize, least: f64) -> String {
    let mut text = head(recorded, profile);
    let own = profile.functions.iter().map(|(&name, sum)| (name, sum.own)).collect();
    list(
        &mut text,
        "in the function itself, without what it calls (inlined functions on their own)",
        profile,
        own,
        top,
    );
    let symbols = profile.symbols.iter().map(|(&name, &count)| (name, count)).collect();
    list(&mut text, "by symbol (with what was inlined)", profile, symbols, top);
    let all = profile.functions.iter().map(|(&name, sum)| (name, sum.all)).collect();
    list(&mut text, "with all that it calls", profile, all, top);
    let _ = writeln!(text, "\nby path (from {least} % on):");
    for child in profile.children(0) {
        branch(&mut text, profile, child, 0, least / 100.0);
    }
    text
}

fn head(recorded: &Recorded, profile: &Profile) -> String {
    let each = profile.each(profile.total());
    let mut text = format!("{}: {} × {each:.0} instructions", recorded.name, recorded.count);
    if let Some(elapsed) = recorded.elapsed {
        let _ = write!(text, " (by the guest's clock {:.0})", profile.each(elapsed));
    }
    text + "\n"
}

fn list(text: &mut String, what: &str, profile: &Profile, mut rows: Vec<(Name, u64)>, top: usize) {
    rows.retain(|(_, count)| *count > 0);
    rows.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| profile.name(left.0).cmp(profile.name(right.0))));
    let _ = writeln!(text, "\n{what}:");
    for (name, count) in rows.into_iter().take(top) {
        line(text, profile, count, 0, profile.name(name));
    }
}

fn line(text: &mut String, profile: &Profile, count: u64, depth: usize, name: &str) {
    let percent = count as f64 * 100.0 / profile.total().max(1) as f64;
    let indent = "  ".repeat(depth);
    let _ = writeln!(text, "{:>12.1} {percent:>5.1} % {indent}{}", profile.each(count), shorten(name));
}

/// A node and those below it; a chain of calls with nothing beside is one line.
fn branch(text: &mut String, profile: &Profile, at: usize, depth: usize, least: f64) {
    let node = &profile.nodes[at];
    if (node.all as f64) < least * profile.total() as f64 {
        return;
    }
    line(text, profile, node.all, depth, profile.name(node.name));
    let children = profile.children(at);
    let only = children.len() == 1 && profile.nodes[children[0]].all * 100 >= node.all * 98;
    for child in children {
        branch(text, profile, child, depth + usize::from(!only), least);
    }
}

fn shorten(name: &str) -> String {
    if name.chars().count() <= WIDTH {
        return name.to_owned();
    }
    let tail: Vec<char> = name.chars().rev().take(WIDTH / 2).collect();
    let head: String = name.chars().take(WIDTH / 2 - 1).collect();
    format!("{head}…{}", tail.iter().rev().collect::<String>())
}
