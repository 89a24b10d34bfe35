//! What an experiment says of a claim, and what follows from it.
//!
//! The program in the machine (`user/prove`) states claims and finds figures; the host's side (`birgus prove`) shows them. Both take
//! the words from here, and the verdict from [`verdict`]: a pure function of the findings, so that neither side can be kinder than the
//! other, and a recorded result gives the same verdict for ever.
//!
//! An experiment measures two things: the *mechanism* that the claim speaks of, and a *control*, where the mechanism is off or
//! something else is in its place. Each figure belongs to one of the two, and so do the expectations of it. A claim holds when every
//! expectation of both is met: one of the control that fails says that the experiment could not have told the claim from its contrary.
#![forbid(unsafe_code)]

mod claim;
mod findings;
mod verdict;

pub use claim::{Claim, Linux, Observable};
pub use findings::{Bound, Chart, Expectation, Figure, Findings, Line, Outcome, Relation, Role, Value, number};
pub use verdict::{Verdict, is_met, verdict};

use serde::{Deserialize, Serialize};

/// One experiment's result, as the program prints it: a line of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub name: String,
    pub outcome: Outcome,
}
