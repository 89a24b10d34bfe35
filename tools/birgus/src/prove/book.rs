//! All results of a run, with their verdicts.

use anyhow::Result;
use evidence::{Claim, Outcome, Verdict, verdict};
use serde::{Deserialize, Serialize};

/// A run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Book {
    /// The run was ended before all were tried.
    pub interrupted: bool,
    /// Each control stood in its mechanism's place.
    #[serde(default)]
    pub falsified: bool,
    /// How many were to be tried.
    pub wanted: usize,
    /// Kernel and machine, one for each kind that was started.
    pub machines: Vec<String>,
    pub entries: Vec<Entry>,
}

/// A claim, and what came of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    pub claim: Claim,
    pub outcome: Outcome,
}

/// A verdict without its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Holds,
    DoesNotHold,
    NotObservable,
}

impl Entry {
    pub fn new(claim: Claim, outcome: Outcome) -> Self {
        Self { claim, outcome }
    }

    /// Derived, not stored: a recorded result is judged as a fresh one.
    pub fn verdict(&self) -> Verdict {
        verdict(&self.outcome)
    }
}

/// With the verdict, for programs that read the file.
impl Serialize for Entry {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut entry = serializer.serialize_struct("Entry", 3)?;
        entry.serialize_field("verdict", &self.verdict())?;
        entry.serialize_field("claim", &self.claim)?;
        entry.serialize_field("outcome", &self.outcome)?;
        entry.end()
    }
}

impl Book {
    pub fn parse(text: &str) -> Result<Self> {
        Ok(serde_json::from_str(text)?)
    }

    /// How many have this verdict.
    pub fn count(&self, kind: Kind) -> usize {
        self.entries.iter().filter(|entry| Kind::of(&entry.verdict()) == kind).count()
    }

    /// The chapters, in the order of the entries.
    pub fn chapters(&self) -> Vec<(&str, Vec<&Entry>)> {
        let mut chapters: Vec<(&str, Vec<&Entry>)> = Vec::new();
        for entry in &self.entries {
            let subject = entry.claim.subject.as_str();
            match chapters.last_mut() {
                Some((last, entries)) if *last == subject => entries.push(entry),
                _ => chapters.push((subject, vec![entry])),
            }
        }
        chapters
    }
}

impl Kind {
    pub fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Holds => Self::Holds,
            Verdict::DoesNotHold(_) => Self::DoesNotHold,
            Verdict::NotObservable(_) => Self::NotObservable,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::{Book, Kind};

    /// Results of a run, with one that does not hold, one that is not observable and one that was lost.
    pub fn recorded() -> Book {
        Book::parse(include_str!("recorded.json")).unwrap()
    }

    #[test]
    fn counts_and_chapters() {
        let book = recorded();
        let counts = [Kind::Holds, Kind::DoesNotHold, Kind::NotObservable].map(|kind| book.count(kind));
        assert_eq!(counts, [1, 2, 1]);
        let chapters: Vec<(&str, usize)> = book.chapters().iter().map(|(name, rows)| (*name, rows.len())).collect();
        assert_eq!(chapters, [("Memory", 2), ("Synchronisation", 2)]);
    }

    #[test]
    fn what_is_kept_can_be_read_and_says_its_verdicts() {
        let text = serde_json::to_string_pretty(&recorded()).unwrap();
        assert!(text.contains("\"verdict\": \"holds\""), "{text}");
        let again = Book::parse(&text).unwrap();
        assert_eq!(serde_json::to_string_pretty(&again).unwrap(), text);
        assert!(Book::parse("{}").is_err());
    }
}
