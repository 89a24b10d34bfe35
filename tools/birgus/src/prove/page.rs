//! The report as one page, to be read out: large type, a chapter for each subject, the control beside the mechanism, plots drawn here.
//! Nothing is fetched, and it prints.

use super::book::{Book, Entry, Kind};
use super::text::observable;
use crate::chart::{Axis, Plot, Scale, Series, escape as escaped};
use evidence::{Bound, Chart, Expectation, Figure, Findings, Outcome, Relation, Role, Verdict, is_met};
use std::fmt::Write;

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub fn page(book: &Book) -> String {
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>What this kernel was seen to do</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>What this kernel was seen to do</h1>\n"
    );
    head(&mut text, book);
    contents(&mut text, book);
    for (number, (subject, entries)) in book.chapters().iter().enumerate() {
        let _ = writeln!(text, "<h2>{}. {}</h2>", number + 1, escaped(subject));
        entries.iter().for_each(|entry| section(&mut text, entry));
    }
    text.push_str("</body>\n</html>\n");
    text
}

fn head(text: &mut String, book: &Book) {
    let [holds, fails, hidden] = [Kind::Holds, Kind::DoesNotHold, Kind::NotObservable].map(|kind| book.count(kind));
    let _ = writeln!(
        text,
        "<p class=\"sums\"><b class=\"holds\">{holds}</b> hold, <b class=\"fails\">{fails}</b> do not hold, \
         <b class=\"hidden\">{hidden}</b> not observable here.</p>"
    );
    if book.interrupted {
        let _ = writeln!(
            text,
            "<p class=\"warning\">Interrupted: {} of {} experiments were made.</p>",
            book.entries.len(),
            book.wanted
        );
    }
    if book.falsified {
        text.push_str("<p class=\"warning\">Falsified: each control stood in its mechanism's place, so that nothing should hold.</p>\n");
    }
    for machine in &book.machines {
        let _ = writeln!(text, "<p class=\"machine\">{}</p>", escaped(machine));
    }
    text.push_str(
        "<p>Each claim is tried by an experiment on the running system. Beside the mechanism stands a control, where it is off or something \
         else is in its place: the control's figures must come out otherwise, or the experiment could not tell. A claim holds when \
         every expectation of both is met.</p>\n",
    );
}

fn contents(text: &mut String, book: &Book) {
    text.push_str("<nav>\n");
    for (number, (subject, entries)) in book.chapters().iter().enumerate() {
        let _ = writeln!(text, "<h3>{}. {}</h3>\n<ul>", number + 1, escaped(subject));
        for entry in entries {
            let _ = writeln!(
                text,
                "<li class=\"{}\"><a href=\"#{}\">{}</a></li>",
                class(&entry.verdict()),
                escaped(&entry.claim.name),
                escaped(&entry.claim.claim)
            );
        }
        text.push_str("</ul>\n");
    }
    text.push_str("</nav>\n");
}

const fn class(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::DoesNotHold(_) => "fails",
        Verdict::NotObservable(_) => "hidden",
    }
}

fn section(text: &mut String, entry: &Entry) {
    let Entry { claim, outcome } = entry;
    let verdict = entry.verdict();
    let _ = writeln!(text, "<section id=\"{}\">", escaped(&claim.name));
    let _ = writeln!(text, "<h3>{}</h3>", escaped(&claim.claim));
    let _ = writeln!(text, "<p class=\"verdict {}\">{verdict}</p>", class(&verdict));
    let _ = writeln!(text, "<p><b>Experiment.</b> {}</p>", escaped(&claim.experiment));
    let _ = writeln!(text, "<p><b>Expected.</b> {}</p>", escaped(&claim.expected));
    match outcome {
        Outcome::Found(findings) => found(text, findings),
        Outcome::NotObservable(reason) | Outcome::Lost(reason) => {
            let _ = writeln!(text, "<p class=\"warning\">{}</p>", escaped(reason));
        }
    }
    if let (Verdict::DoesNotHold(faults), Outcome::Found(_)) = (&verdict, outcome) {
        for fault in faults {
            let _ = writeln!(text, "<p class=\"warning\">{}</p>", escaped(fault));
        }
    }
    let _ = writeln!(
        text,
        "<p class=\"small\">{} <code>birgus prove {}</code></p>",
        escaped(&observable(claim)),
        escaped(&claim.name)
    );
    text.push_str("</section>\n");
}

fn found(text: &mut String, findings: &Findings) {
    text.push_str("<div class=\"sides\">\n");
    for (role, title) in [(Role::Mechanism, "Mechanism"), (Role::Control, "Control")] {
        let figures: Vec<&Figure> = findings.figures.iter().filter(|figure| figure.role == role).collect();
        let _ = writeln!(text, "<table><caption>{title}</caption>");
        figures.iter().for_each(|figure| row(text, figure, findings));
        text.push_str("</table>\n");
    }
    text.push_str("</div>\n");
    for part in &findings.unobserved {
        let _ = writeln!(text, "<p class=\"hidden\">Not observed: {}</p>", escaped(part));
    }
    findings.charts.iter().for_each(|chart| figure(text, chart));
}

fn row(text: &mut String, figure: &Figure, findings: &Findings) {
    let expected = findings.expectations.iter().filter(|expectation| expectation.figure == figure.name);
    let expected: Vec<String> = expected.map(|expectation| told(expectation, findings)).collect();
    let _ = writeln!(
        text,
        "<tr><td>{}{}</td><td class=\"value\">{} {}</td></tr>",
        escaped(&figure.name),
        expected.concat(),
        escaped(&figure.value.to_string()),
        escaped(&figure.unit)
    );
}

fn told(expectation: &Expectation, findings: &Findings) -> String {
    let class = if is_met(expectation, findings) { "met" } else { "missed" };
    let Expectation { relation, bound, reason, .. } = expectation;
    let bound = match (relation, bound) {
        // The value stands beside.
        (Relation::Equals, Bound::Value(_)) if class == "met" => String::new(),
        _ => format!("expected {relation} {}: ", escaped(&bound.to_string())),
    };
    format!("<br><span class=\"{class}\">{bound}{}</span>", escaped(reason))
}

/// The mechanism's line stands first: it is drawn whole, the control's dashed.
fn figure(text: &mut String, chart: &Chart) {
    let of = |role| chart.lines.iter().filter(move |line| line.role == role);
    let lines = of(Role::Mechanism).chain(of(Role::Control));
    let plot = Plot {
        title: chart.title.clone(),
        x: Axis::new(&chart.across, Scale::Linear),
        y: Axis::new(&chart.up, Scale::Linear),
        series: lines.map(|line| Series { name: line.name.clone(), points: line.points.clone() }).collect(),
        guides: Vec::new(),
    };
    let _ = writeln!(text, "<figure>{}</figure>", plot.svg());
}

#[cfg(test)]
mod tests {
    use super::super::book::tests::recorded;
    use super::page;

    /// Opening and closing tags in their order; false where they do not fit.
    fn is_well_formed(text: &str) -> bool {
        let mut open = Vec::new();
        for tag in text.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap_or_default();
            if tag.starts_with('!') || tag.ends_with('/') || ["meta", "br"].contains(&name) {
                continue;
            }
            if tag.starts_with('/') {
                if open.pop() != Some(name) {
                    return false;
                }
            } else {
                open.push(name);
            }
        }
        open.is_empty()
    }

    #[test]
    fn everything_is_in_the_page_and_nothing_is_fetched() {
        let text = page(&recorded());
        assert!(is_well_formed(&text), "{text}");
        // The name of SVG's language is no address.
        let text = text.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for fetched in ["http:", "https:", "src=", "url(", "@import", "<script", "<link"] {
            assert!(!text.contains(fetched), "{fetched}");
        }
        for part in [
            "<h2>1. Memory</h2>",
            "<p class=\"verdict holds\">holds</p>",
            "<p class=\"verdict fails\">does not hold</p>",
            "<p class=\"verdict hidden\">not observable here</p>",
            "<caption>Control</caption>",
            "<path class=\"line s0\"",
            "<path class=\"line s1\"",
            "class=\"missed\"",
            "<code>birgus prove first-touch</code>",
            "q35 of QEMU",
        ] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains("Interrupted"));
    }

    #[test]
    fn an_interrupted_run_is_marked() {
        let mut book = recorded();
        (book.interrupted, book.wanted) = (true, 9);
        assert!(page(&book).contains("Interrupted: 4 of 9 experiments were made."));
    }

    #[test]
    fn what_an_experiment_says_is_text() {
        let mut book = recorded();
        book.entries[0].claim.claim = "<b>1 & 2".to_owned();
        let text = page(&book);
        assert!(text.contains("&lt;b&gt;1 &amp; 2") && is_well_formed(&text));
    }
}
