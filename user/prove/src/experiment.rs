//! What a file of `experiments/` says of itself.

use crate::{Lab, Trouble};
use evidence::{Claim, Observable};

/// An experiment: all of it, but its name, which is its file's.
pub struct Experiment {
    pub subject: Subject,
    /// The claim, in one sentence.
    pub claim: &'static str,
    /// What is done, in two or three.
    pub experiment: &'static str,
    /// What should come out, and why.
    pub expected: &'static str,
    pub observable: Observable,
    pub linux: Linux,
    pub run: fn(&mut Lab) -> Result<(), Trouble>,
}

/// Whether Linux shows it, by which interface; or why not.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "today's experiments all run on Linux")]
pub enum Linux {
    By(&'static str),
    No(&'static str),
}

/// A chapter; they are read in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    KernelAndUserMode,
    SystemCalls,
    Contexts,
    Scheduling,
    Processes,
    Memory,
    Synchronisation,
    Files,
    Communication,
}

impl Subject {
    pub const fn title(self) -> &'static str {
        match self {
            Self::KernelAndUserMode => "Kernel and user mode",
            Self::SystemCalls => "System calls",
            Self::Contexts => "Contexts and stacks",
            Self::Scheduling => "Scheduling",
            Self::Processes => "Processes and threads",
            Self::Memory => "Memory",
            Self::Synchronisation => "Synchronisation",
            Self::Files => "Files",
            Self::Communication => "Communication and events",
        }
    }
}

impl Experiment {
    pub fn claim(&self, name: &str) -> Claim {
        Claim {
            name: name.to_owned(),
            subject: self.subject.title().to_owned(),
            claim: self.claim.to_owned(),
            experiment: self.experiment.to_owned(),
            expected: self.expected.to_owned(),
            observable: self.observable,
            linux: match self.linux {
                Linux::By(interface) => evidence::Linux::By(interface.to_owned()),
                Linux::No(reason) => evidence::Linux::No(reason.to_owned()),
            },
        }
    }
}

/// All of them, by chapter, then by name.
pub fn all() -> Vec<(&'static str, &'static Experiment)> {
    let mut all = crate::experiments::ALL.to_vec();
    all.sort_by_key(|(name, experiment)| (experiment.subject, *name));
    all
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn each_says_all_of_itself_in_few_sentences() {
        for (name, experiment) in all() {
            let claim = experiment.claim(name);
            let sentences = |text: &str| text.matches(". ").count() + usize::from(text.ends_with('.'));
            assert_eq!(sentences(&claim.claim), 1, "{name}: the claim is one sentence");
            assert!((1..=4).contains(&sentences(&claim.experiment)), "{name}: the experiment in two or three");
            assert!((1..=4).contains(&sentences(&claim.expected)), "{name}: what is expected, and why");
        }
    }
}
