//! What the program in the machine says, a line for each operation; `#` starts a line about where that was.

use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// For one operation: the least of several batches, and their mean.
    Cost { least: f64, mean: f64 },
    /// A call that it needs is missing: the error's number.
    Unsupported(i32),
    /// It, or the machine, did not get to its end.
    Failed(String),
}

impl Outcome {
    /// The figure, if there is one.
    pub fn least(&self) -> Option<f64> {
        if let Self::Cost { least, .. } = self { Some(*least) } else { None }
    }

    /// Whether work was put off from one batch to the next.
    pub fn is_uneven(&self) -> bool {
        if let Self::Cost { least, mean } = self { *mean > least * 1.05 } else { false }
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
                Outcome::Cost { least, mean } => writeln!(text, "{name} {least:.2} {mean:.2}"),
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
    let (name, first, second) = (words.next()?, words.next()?, words.next()?);
    let outcome = match first {
        _ if name.starts_with('#') => return None,
        "unsupported" => Outcome::Unsupported(second.parse().ok()?),
        "crashed" => Outcome::Failed(second.to_owned()),
        least => Outcome::Cost { least: least.parse().ok()?, mean: second.parse().ok()? },
    };
    Some((name.to_owned(), outcome))
}

/// Several runs as one: of each operation the run whose figure is in the middle.
pub fn median(runs: &[Results]) -> Results {
    let Some(first) = runs.first() else {
        return Results::default();
    };
    let middle = |(name, outcome): &(String, Outcome)| {
        let mut costs: Vec<&Outcome> =
            runs.iter().filter_map(|run| run.get(name)).filter(|outcome| outcome.least().is_some()).collect();
        costs.sort_by(|left, right| left.least().unwrap_or(0.0).total_cmp(&right.least().unwrap_or(0.0)));
        (name.clone(), costs.get(costs.len() / 2).map_or_else(|| outcome.clone(), |outcome| (*outcome).clone()))
    };
    Results { about: first.about.clone(), rows: first.rows.iter().map(middle).collect() }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Results, median, row};

    #[test]
    fn lines() {
        assert_eq!(
            row("fork_exit 163462.50 164000.00").unwrap().1,
            Outcome::Cost { least: 163_462.5, mean: 164_000.0 }
        );
        assert_eq!(row("poll@10 unsupported 38"), Some(("poll@10".into(), Outcome::Unsupported(38))));
        assert_eq!(row("a crashed signal 11").unwrap().1, Outcome::Failed("signal 11".into()));
        for wrong in ["", "a", "a b", "a 1.0", "a 1 x", "# a 1 1"] {
            assert_eq!(row(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn text_and_back() {
        let text = "# Linux, a machine\na 1.50 2.00\nb unsupported 38\nc crashed signal 11\n";
        let results = Results::parse(text);
        assert_eq!(results.text(), text);
        assert_eq!(results.about, "Linux, a machine");
        assert!(results.get("a").unwrap().is_uneven());
    }

    #[test]
    fn the_middle_of_several_runs() {
        let runs = ["a 3 3\nb 1 1\n", "a crashed x y\nb 2 2\n", "a 1 1\nb 9 9\n"].map(Results::parse);
        let all = median(&runs);
        assert_eq!(all.get("b").unwrap().least(), Some(2.0));
        assert_eq!(all.get("a").unwrap().least(), Some(3.0), "of those that there are");
        assert_eq!(median(&[]), Results::default());
    }
}
