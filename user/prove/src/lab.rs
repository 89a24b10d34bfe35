//! Where an experiment takes place: the two things that it compares, and the book that it writes figures into.

use evidence::{Bound, Chart, Expectation, Figure, Findings, Line, Relation, Role, Value};
use measure::system::Errno;

/// Why an experiment has no figures.
#[derive(Debug)]
pub enum Trouble {
    /// The kernel or the machine does not show it.
    NotObservable(String),
    /// Something failed that should not.
    Failed(String),
}

impl Trouble {
    pub fn not_observable(reason: impl Into<String>) -> Self {
        Self::NotObservable(reason.into())
    }

    pub fn failed(what: impl Into<String>) -> Self {
        Self::Failed(what.into())
    }
}

/// A call that is not there makes an experiment impossible; any other error is one.
impl From<Errno> for Trouble {
    fn from(errno: Errno) -> Self {
        let text = std::io::Error::from_raw_os_error(errno.0).to_string();
        if errno.0 == libc::ENOSYS {
            Self::NotObservable(format!("this kernel lacks a call: {text}"))
        } else {
            Self::Failed(text)
        }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The book of one experiment.
pub struct Lab {
    falsified: bool,
    findings: Findings,
}

impl Lab {
    /// An empty book; `falsified` puts each control in its mechanism's place.
    pub fn new(falsified: bool) -> Self {
        Self { falsified, findings: Findings::default() }
    }

    /// Measures the mechanism and the control, which must have what is measured in common and nothing else.
    ///
    /// This is the only door to the mechanism. Falsified, both are the control: then what is expected of the mechanism must fail.
    pub fn pair<T>(
        &self,
        mechanism: impl FnOnce() -> Result<T, Trouble>,
        mut control: impl FnMut() -> Result<T, Trouble>,
    ) -> Result<(T, T), Trouble> {
        let first = if self.falsified { control()? } else { mechanism()? };
        Ok((first, control()?))
    }

    /// As [`Self::pair`], of several measurements that differ by a parameter.
    pub fn pairs<P: Copy, T>(
        &self,
        parameters: &[P],
        mut mechanism: impl FnMut(P) -> Result<T, Trouble>,
        mut control: impl FnMut(P) -> Result<T, Trouble>,
    ) -> Result<Vec<(P, T, T)>, Trouble> {
        let each = |&parameter| {
            let (first, second) = self.pair(|| mechanism(parameter), || control(parameter))?;
            Ok((parameter, first, second))
        };
        parameters.iter().map(each).collect()
    }

    /// Writes down a figure of the mechanism.
    pub fn mechanism(&mut self, name: impl Into<String>, value: impl Into<Value>, unit: &str) -> Noted<'_> {
        self.note(Role::Mechanism, name.into(), value.into(), unit)
    }

    /// Writes down a figure of the control.
    pub fn control(&mut self, name: impl Into<String>, value: impl Into<Value>, unit: &str) -> Noted<'_> {
        self.note(Role::Control, name.into(), value.into(), unit)
    }

    fn note(&mut self, role: Role, name: String, value: Value, unit: &str) -> Noted<'_> {
        self.findings.figures.push(Figure { name: name.clone(), role, value, unit: unit.to_owned() });
        Noted { lab: self, name }
    }

    /// A part that cannot be observed here.
    pub fn unobserved(&mut self, what: impl Into<String>) {
        self.findings.unobserved.push(what.into());
    }

    /// Draws what was measured of both, over a parameter.
    pub fn chart(
        &mut self,
        title: &str,
        (across, up): (&str, &str),
        mechanism: (&str, Vec<(f64, f64)>),
        control: (&str, Vec<(f64, f64)>),
    ) {
        let line = |role, (name, points): (&str, _)| Line { name: name.to_owned(), role, points };
        let lines = vec![line(Role::Mechanism, mechanism), line(Role::Control, control)];
        let (title, across, up) = (title.to_owned(), across.to_owned(), up.to_owned());
        self.findings.charts.push(Chart { title, across, up, lines });
    }

    pub fn into_findings(self) -> Findings {
        self.findings
    }
}

/// A figure that was just written down, for saying what is expected of it.
pub struct Noted<'a> {
    lab: &'a mut Lab,
    name: String,
}

impl Noted<'_> {
    fn expect(self, relation: Relation, bound: Bound, reason: &str) -> Self {
        let expectation = Expectation { figure: self.name.clone(), relation, bound, reason: reason.to_owned() };
        self.lab.findings.expectations.push(expectation);
        self
    }

    pub fn equals(self, bound: impl Into<Bound>, reason: &str) -> Self {
        self.expect(Relation::Equals, bound.into(), reason)
    }

    pub fn differs(self, bound: impl Into<Bound>, reason: &str) -> Self {
        self.expect(Relation::Differs, bound.into(), reason)
    }

    pub fn below(self, bound: impl Into<Bound>, reason: &str) -> Self {
        self.expect(Relation::Below, bound.into(), reason)
    }

    pub fn at_most(self, bound: impl Into<Bound>, reason: &str) -> Self {
        self.expect(Relation::AtMost, bound.into(), reason)
    }

    pub fn above(self, bound: impl Into<Bound>, reason: &str) -> Self {
        self.expect(Relation::Above, bound.into(), reason)
    }

    pub fn at_least(self, bound: impl Into<Bound>, reason: &str) -> Self {
        self.expect(Relation::AtLeast, bound.into(), reason)
    }
}

/// So many times another figure, as a bound.
pub fn times(factor: f64, figure: &str) -> Bound {
    Bound::Times(factor, figure.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Lab, times};
    use evidence::{Outcome, Verdict, verdict};

    /// The mechanism costs 1, the control 10.
    fn tried(falsified: bool) -> Verdict {
        let mut lab = Lab::new(falsified);
        let (with, without) = lab.pair(|| Ok(1), || Ok(10)).unwrap();
        lab.mechanism("with", with, "").equals(1, "it is so");
        lab.control("without", without, "").above(times(2.0, "with"), "else it would make no difference");
        verdict(&Outcome::Found(lab.into_findings()))
    }

    #[test]
    fn the_mechanism_makes_the_difference() {
        assert_eq!(tried(false), Verdict::Holds);
    }

    #[test]
    fn with_the_control_in_its_place_the_claim_does_not_hold() {
        let Verdict::DoesNotHold(faults) = tried(true) else { panic!() };
        assert_eq!(faults.len(), 2);
        assert_eq!(faults[0], "“with” is 10; expected = 1: it is so");
    }

    #[test]
    fn an_experiment_that_says_what_it_should_have_measured_is_found_out() {
        let mut lab = Lab::new(true);
        let (_, without) = lab.pair(|| Ok(1), || Ok(10)).unwrap();
        lab.mechanism("with", 1, "").equals(1, "it is so");
        lab.control("without", without, "").equals(10, "it is so");
        assert_eq!(verdict(&Outcome::Found(lab.into_findings())), Verdict::Holds, "which `check --falsify` reports");
    }
}
