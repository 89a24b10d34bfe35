//! The results on the terminal.

use super::book::{Book, Entry, Kind};
use evidence::{
    Bound, Claim, Expectation, Figure, Findings, Linux, Observable, Outcome, Relation, Role, Verdict, is_met,
};
use std::fmt::Write;

/// Columns of the terminal that text is broken to.
const WIDTH: usize = 118;

/// The claims by subject.
pub fn list(claims: &[Claim]) -> String {
    let mut text = String::new();
    let mut subject = "";
    for claim in claims {
        if claim.subject != subject {
            let _ = writeln!(text, "{}{}", if subject.is_empty() { "" } else { "\n" }, claim.subject);
            subject = &claim.subject;
        }
        let where_to = if claim.observable == Observable::OneProcessor { "" } else { " (two processors)" };
        let _ = writeln!(text, "  {}{where_to}", claim.name);
        text.push_str(&wrapped(&claim.claim, 6));
    }
    let _ = writeln!(text, "\n{} claims; `birgus prove NAME…` tries some, `birgus prove --all` all", claims.len());
    text
}

/// Everything, from a run that was kept.
pub fn whole(book: &Book) -> String {
    let entries: String = book.entries.iter().map(entry).collect();
    entries + &summary(book)
}

/// One experiment.
pub fn entry(entry: &Entry) -> String {
    let Entry { claim, outcome } = entry;
    let verdict = entry.verdict();
    let mut text = format!("{} · {}: {verdict}\n", claim.subject, claim.name);
    text.push_str(&wrapped(&claim.claim, 2));
    text.push_str(&wrapped(&format!("Experiment: {}", claim.experiment), 2));
    text.push_str(&wrapped(&format!("Expected: {}", claim.expected), 2));
    let _ = writeln!(text, "  {}", observable(claim));
    if let Outcome::Found(findings) = outcome {
        text.push_str(&figures(findings));
    }
    match &verdict {
        Verdict::Holds => {}
        Verdict::DoesNotHold(faults) => {
            faults.iter().for_each(|fault| text.push_str(&wrapped(&format!("! {fault}"), 2)))
        }
        Verdict::NotObservable(reason) => text.push_str(&wrapped(reason, 2)),
    }
    text.push('\n');
    text
}

/// Where and by what a claim can be observed.
pub fn observable(claim: &Claim) -> String {
    let place = match claim.observable {
        Observable::OneProcessor => "on one processor, by instructions",
        Observable::TwoProcessors => "on two processors, by the clock on the wall",
        Observable::Hardware => "on hardware only",
    };
    match &claim.linux {
        Linux::By(interface) => format!("Observable {place}; on Linux too, by {interface}."),
        Linux::No(reason) => format!("Observable {place}; not on Linux: {reason}."),
    }
}

fn figures(findings: &Findings) -> String {
    let mut text = String::new();
    for role in [Role::Mechanism, Role::Control] {
        for figure in findings.figures.iter().filter(|figure| figure.role == role) {
            text.push_str(&row(figure, findings));
        }
    }
    for part in &findings.unobserved {
        text.push_str(&wrapped(&format!("not observed: {part}"), 4));
    }
    text
}

fn row(figure: &Figure, findings: &Findings) -> String {
    let role = if figure.role == Role::Control { "control" } else { "" };
    let value = format!("{} {}", figure.value, figure.unit);
    let mut text = format!("    {role:<7} {:<44} {:<24} ", figure.name, value.trim());
    let expected = findings.expectations.iter().filter(|expectation| expectation.figure == figure.name);
    let expected: Vec<String> = expected.map(|expectation| told(expectation, findings)).collect();
    text.push_str(&expected.join("; "));
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What was expected, and whether it came.
fn told(expectation: &Expectation, findings: &Findings) -> String {
    let Expectation { relation, bound, reason, .. } = expectation;
    match (is_met(expectation, findings), relation, bound) {
        // The value stands there already.
        (true, Relation::Equals, Bound::Value(_)) => format!("as expected: {reason}"),
        (true, ..) => format!("{relation} {bound}: {reason}"),
        (false, ..) => format!("NOT {relation} {bound}: {reason}"),
    }
}

/// The last lines: counts, and on what.
pub fn summary(book: &Book) -> String {
    let mut text = String::new();
    for machine in &book.machines {
        text.push_str(&wrapped(machine, 0));
    }
    let [holds, fails, hidden] = [Kind::Holds, Kind::DoesNotHold, Kind::NotObservable].map(|kind| book.count(kind));
    let _ = writeln!(text, "{holds} hold, {fails} do not hold, {hidden} not observable here");
    for entry in book.entries.iter().filter(|entry| Kind::of(&entry.verdict()) == Kind::DoesNotHold) {
        let _ = writeln!(text, "  does not hold: {}", entry.claim.name);
    }
    if book.falsified {
        text.push_str("falsified: each control stood in its mechanism's place, so that nothing should hold\n");
    }
    if book.interrupted {
        let _ = writeln!(text, "interrupted: {} of {} were tried", book.entries.len(), book.wanted);
    }
    text
}

/// Text in lines, each behind so many blanks.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().map_or(0, |line| line.chars().count());
        if last > 0 && indent + last + 1 + word.chars().count() > WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.iter().map(|line| format!("{:indent$}{line}\n", "")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::book::tests::recorded;
    use super::{list, whole, wrapped};

    #[test]
    fn recorded_results_give_this_report() {
        let text = whole(&recorded());
        let golden = include_str!("recorded.txt");
        assert!(text == golden, "the report has changed; if for the better, keep this as recorded.txt:\n{text}");
    }

    #[test]
    fn an_interrupted_run_says_so() {
        let mut book = recorded();
        (book.interrupted, book.wanted) = (true, 9);
        assert!(whole(&book).ends_with("interrupted: 4 of 9 were tried\n"));
    }

    #[test]
    fn the_list_is_by_subject() {
        let claims: Vec<_> = recorded().entries.into_iter().map(|entry| entry.claim).collect();
        let text = list(&claims);
        assert!(text.starts_with("Memory\n  first-touch\n      The first touch"), "{text}");
        assert!(text.contains("\n\nSynchronisation\n"), "{text}");
        assert!(text.ends_with("4 claims; `birgus prove NAME…` tries some, `birgus prove --all` all\n"));
    }

    #[test]
    fn lines_are_broken_between_words() {
        let long = "word ".repeat(60);
        for line in wrapped(&long, 4).lines() {
            assert!(line.len() <= super::WIDTH && line.starts_with("    word"), "{line}");
        }
    }
}
