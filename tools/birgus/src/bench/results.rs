//! What the program in the machine says, a line for each operation; `#` starts a line about where that was.

use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// For one operation.
    Cost(Cost),
    /// A call that it needs is missing: the error's number.
    Unsupported(i32),
    /// It, or the machine, did not get to its end.
    Failed(String),
}

/// What an operation costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// In the least of several batches.
    pub least: f64,
    /// In the mean of the batches.
    pub mean: f64,
    /// That mean, and what the machine executed for the batches after they were over; where instructions were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charged: Option<f64>,
}

impl Cost {
    /// The figure that is compared: all that was executed for it, where that is known.
    pub fn figure(&self) -> f64 {
        self.charged.unwrap_or(self.least)
    }

    /// Whether work was put off, from one batch to the next or behind all.
    pub fn is_uneven(&self) -> bool {
        self.charged.unwrap_or(self.mean) > self.least * 1.05
    }
}

impl Outcome {
    pub fn cost(&self) -> Option<&Cost> {
        if let Self::Cost(cost) = self { Some(cost) } else { None }
    }

    /// The figure, if there is one.
    pub fn figure(&self) -> Option<f64> {
        self.cost().map(Cost::figure)
    }
}

/// One kernel's results.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The kernel, and the machine.
    pub about: String,
    pub rows: Vec<(String, Outcome)>,
}

impl Results {
    /// Reads the lines; those that mean nothing are left out (the program may have died in one).
    pub fn parse(text: &str) -> Self {
        let about: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix('#')).map(str::trim).collect();
        Self { about: about.join(" "), rows: text.lines().filter_map(row).collect() }
    }

    /// An operation's outcome.
    pub fn get(&self, name: &str) -> Option<&Outcome> {
        self.rows.iter().find(|(known, _)| known == name).map(|(_, outcome)| outcome)
    }

    /// The lines again.
    pub fn text(&self) -> String {
        let mut text = format!("# {}\n", self.about);
        for (name, outcome) in &self.rows {
            let _ = match outcome {
                Outcome::Cost(Cost { least, mean, charged: None }) => writeln!(text, "{name} {least:.2} {mean:.2}"),
                Outcome::Cost(Cost { least, mean, charged: Some(charged) }) => {
                    writeln!(text, "{name} {least:.2} {mean:.2} {charged:.2}")
                }
                Outcome::Unsupported(errno) => writeln!(text, "{name} unsupported {errno}"),
                Outcome::Failed(why) => writeln!(text, "{name} crashed {why}"),
            };
        }
        text
    }
}

/// A line's name and outcome.
pub fn row(line: &str) -> Option<(String, Outcome)> {
    let mut words = line.splitn(3, ' ');
    let (name, first, rest) = (words.next()?, words.next()?, words.next()?);
    let outcome = match first {
        _ if name.starts_with('#') => return None,
        "unsupported" => Outcome::Unsupported(rest.parse().ok()?),
        "crashed" => Outcome::Failed(rest.to_owned()),
        least => {
            let (mean, charged) = match rest.split_once(' ') {
                Some((mean, charged)) if !charged.starts_with("of ") => (mean, Some(charged.parse().ok()?)),
                Some((mean, _)) => (mean, None),
                None => (rest, None),
            };
            Outcome::Cost(Cost { least: least.parse().ok()?, mean: mean.parse().ok()?, charged })
        }
    };
    Some((name.to_owned(), outcome))
}

/// How many operations all batches did, where the line says so: it ends with `of COUNT`.
pub fn operations(line: &str) -> Option<u64> {
    line.rsplit_once(" of ")?.1.trim().parse().ok().filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::{Cost, Outcome, Results, operations, row};

    #[test]
    fn lines() {
        assert_eq!(
            row("fork_exit 163462.50 164000.00").unwrap().1,
            Outcome::Cost(Cost { least: 163_462.5, mean: 164_000.0, charged: None })
        );
        assert_eq!(row("a 1.00 2.00 3.50").unwrap().1.figure(), Some(3.5));
        assert_eq!(row("a 1.00 2.00 of 500").unwrap().1.figure(), Some(1.0));
        assert_eq!(operations("a 1.00 2.00 of 500\n"), Some(500));
        assert_eq!(operations("a 1.00 2.00 of 0"), None);
        assert_eq!(operations("a 1.00 2.00"), None);
        assert_eq!(row("poll@10 unsupported 38"), Some(("poll@10".into(), Outcome::Unsupported(38))));
        assert_eq!(row("a crashed signal 11").unwrap().1, Outcome::Failed("signal 11".into()));
        for wrong in ["", "a", "a b", "a 1.0", "a 1 x", "a 1 1 x", "# a 1 1"] {
            assert_eq!(row(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn text_and_back() {
        let text = "# Linux, a machine\na 1.50 2.00\nb unsupported 38\nc crashed signal 11\nd 1.00 1.00 1.25\n";
        let results = Results::parse(text);
        assert_eq!(results.text(), text);
        assert_eq!(results.about, "Linux, a machine");
        let uneven = |name| results.get(name).and_then(Outcome::cost).map(Cost::is_uneven);
        assert_eq!([uneven("a"), uneven("b"), uneven("d")], [Some(true), None, Some(true)]);
    }
}
