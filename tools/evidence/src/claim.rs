//! What is claimed, and how it is tried.

use serde::{Deserialize, Serialize};

/// A statement about the system, and the experiment that tries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The experiment's name, unique.
    pub name: String,
    /// The chapter: "Memory".
    pub subject: String,
    /// The statement, in one sentence.
    pub claim: String,
    /// What is done, in two or three.
    pub experiment: String,
    /// What should come out, and why.
    pub expected: String,
    pub observable: Observable,
    pub linux: Linux,
}

/// Where it can be observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observable {
    /// On one processor, where a nanosecond is an instruction.
    OneProcessor,
    /// On two that run at once, by the clock on the wall.
    TwoProcessors,
    /// Not under emulation.
    Hardware,
}

/// Whether Linux shows it too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Linux {
    /// Through this interface, and then the same must come out.
    By(String),
    /// It does not, for this reason.
    No(String),
}
