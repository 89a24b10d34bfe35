//! From what came out to whether the claim holds.

use crate::{Bound, Expectation, Findings, Outcome, Relation, Role, Value};
use serde::Serialize;
use std::fmt;

/// Whether a claim holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Holds,
    /// What was not as expected.
    DoesNotHold(Vec<String>),
    /// Why not.
    NotObservable(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Holds => "holds",
            Self::DoesNotHold(_) => "does not hold",
            Self::NotObservable(_) => "not observable here",
        })
    }
}

/// The verdict on an outcome.
///
/// Nothing holds without an expectation of the mechanism *and* one of the control: it could not have failed.
pub fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::NotObservable(reason) => Verdict::NotObservable(reason.clone()),
        Outcome::Lost(why) => Verdict::DoesNotHold(vec![format!("the experiment did not come to its end: {why}")]),
        Outcome::Found(findings) => {
            let missing = [Role::Mechanism, Role::Control].into_iter().filter(|role| !expects(findings, *role));
            let mut faults: Vec<String> = missing
                .map(|role| match role {
                    Role::Mechanism => "nothing was expected of the mechanism".to_owned(),
                    Role::Control => "there was no control, so it could not have failed".to_owned(),
                })
                .collect();
            let failed = findings.expectations.iter().filter(|expectation| !is_met(expectation, findings));
            faults.extend(failed.map(|expectation| fault(expectation, findings)));
            if faults.is_empty() { Verdict::Holds } else { Verdict::DoesNotHold(faults) }
        }
    }
}

fn expects(findings: &Findings, role: Role) -> bool {
    let of_role = |expectation: &Expectation| findings.figure(&expectation.figure).is_some_and(|f| f.role == role);
    findings.expectations.iter().any(of_role)
}

/// Whether a figure is as expected. One that is missing is not, nor is a name compared with a number.
pub fn is_met(expectation: &Expectation, findings: &Findings) -> bool {
    let Some(figure) = findings.figure(&expectation.figure) else {
        return false;
    };
    let Some(bound) = bound(&expectation.bound, findings) else {
        return false;
    };
    match (&figure.value, &bound) {
        (Value::Number(value), Value::Number(bound)) => match expectation.relation {
            Relation::Equals => value == bound,
            Relation::Differs => value != bound,
            Relation::Below => value < bound,
            Relation::AtMost => value <= bound,
            Relation::Above => value > bound,
            Relation::AtLeast => value >= bound,
        },
        (Value::Text(value), Value::Text(bound)) => match expectation.relation {
            Relation::Equals => value == bound,
            Relation::Differs => value != bound,
            _ => false,
        },
        _ => false,
    }
}

fn bound(bound: &Bound, findings: &Findings) -> Option<Value> {
    match bound {
        Bound::Value(value) => Some(value.clone()),
        Bound::Times(factor, name) => match (&findings.figure(name)?.value, *factor == 1.0) {
            (Value::Number(value), _) => Some(Value::Number(factor * value)),
            (text, true) => Some(text.clone()),
            (Value::Text(_), false) => None,
        },
    }
}

fn fault(expectation: &Expectation, findings: &Findings) -> String {
    let figure = findings.figure(&expectation.figure);
    let value = figure.map_or_else(|| "missing".to_owned(), |figure| figure.value.to_string());
    let whose = if figure.is_some_and(|figure| figure.role == Role::Control) { "the control's " } else { "" };
    let Expectation { figure, relation, bound, reason } = expectation;
    format!("{whose}“{figure}” is {value}; expected {relation} {bound}: {reason}")
}

#[cfg(test)]
mod tests {
    use super::{Verdict, verdict};
    use crate::{Bound, Expectation, Figure, Findings, Outcome, Relation, Role, Value};

    fn figure(name: &str, role: Role, value: impl Into<Value>) -> Figure {
        Figure { name: name.to_owned(), role, value: value.into(), unit: String::new() }
    }

    fn expectation(figure: &str, relation: Relation, bound: impl Into<Bound>) -> Expectation {
        Expectation { figure: figure.to_owned(), relation, bound: bound.into(), reason: "of a reason".to_owned() }
    }

    fn touched(first: i32, second: i32) -> Findings {
        Findings {
            figures: vec![figure("first", Role::Control, first), figure("second", Role::Mechanism, second)],
            expectations: vec![
                expectation("first", Relation::AtLeast, 64),
                expectation("second", Relation::Equals, 0),
                expectation("second", Relation::Below, Bound::Times(0.5, "first".to_owned())),
            ],
            ..Findings::default()
        }
    }

    fn of(findings: Findings) -> Verdict {
        verdict(&Outcome::Found(findings))
    }

    #[test]
    fn a_claim_whose_figures_are_as_expected_holds() {
        assert_eq!(of(touched(64, 0)), Verdict::Holds);
    }

    #[test]
    fn one_figure_that_is_not_is_named() {
        let Verdict::DoesNotHold(faults) = of(touched(64, 1)) else { panic!() };
        assert_eq!(faults, ["“second” is 1; expected = 0: of a reason"]);
        let Verdict::DoesNotHold(faults) = of(touched(64, 40)) else { panic!() };
        assert_eq!(faults[1], "“second” is 40; expected < 0.5 × “first”: of a reason");
    }

    #[test]
    fn a_control_that_does_not_differ_is_a_fault() {
        let Verdict::DoesNotHold(faults) = of(touched(1, 0)) else { panic!() };
        assert_eq!(faults, ["the control's “first” is 1; expected ≥ 64: of a reason"]);
    }

    #[test]
    fn nothing_holds_that_could_not_have_failed() {
        let mut findings = touched(64, 0);
        findings.expectations.remove(0);
        assert_eq!(
            of(findings),
            Verdict::DoesNotHold(vec!["there was no control, so it could not have failed".into()])
        );
        let Verdict::DoesNotHold(faults) = of(Findings::default()) else { panic!() };
        assert_eq!(faults.len(), 2);
    }

    #[test]
    fn missing_figures_and_mixed_kinds_meet_nothing() {
        let mut findings = touched(64, 0);
        findings.expectations.push(expectation("third", Relation::Differs, 1));
        findings.expectations.push(expectation("second", Relation::Differs, "a name"));
        findings.expectations.push(expectation("second", Relation::AtMost, Bound::Times(1.0, "fourth".to_owned())));
        let Verdict::DoesNotHold(faults) = of(findings) else { panic!() };
        assert_eq!(faults.len(), 3);
        assert_eq!(faults[0], "“third” is missing; expected ≠ 1: of a reason");
    }

    #[test]
    fn names_are_compared_as_names() {
        let mut findings = touched(64, 0);
        findings.figures.push(figure("signal", Role::Mechanism, "SIGSEGV"));
        findings.figures.push(figure("other", Role::Control, "SIGBUS"));
        findings.expectations.push(expectation("signal", Relation::Equals, "SIGSEGV"));
        findings.expectations.push(expectation("other", Relation::Differs, Bound::Times(1.0, "signal".to_owned())));
        assert_eq!(of(findings.clone()), Verdict::Holds);
        findings.expectations.push(expectation("signal", Relation::Above, "SIGA"));
        assert!(matches!(of(findings), Verdict::DoesNotHold(_)), "names have no order");
    }

    #[test]
    fn a_number_that_is_none_meets_nothing_but_differing() {
        for relation in [Relation::Equals, Relation::Below, Relation::AtMost, Relation::Above, Relation::AtLeast] {
            let mut findings = touched(64, 0);
            findings.figures.push(figure("ratio", Role::Mechanism, f64::NAN));
            findings.expectations.push(expectation("ratio", relation, 1));
            assert!(matches!(of(findings), Verdict::DoesNotHold(_)));
        }
    }

    #[test]
    fn the_two_other_outcomes() {
        let reason = "one processor".to_owned();
        assert_eq!(verdict(&Outcome::NotObservable(reason.clone())), Verdict::NotObservable(reason));
        let Verdict::DoesNotHold(faults) = verdict(&Outcome::Lost("signal 11".to_owned())) else { panic!() };
        assert_eq!(faults, ["the experiment did not come to its end: signal 11"]);
    }
}
