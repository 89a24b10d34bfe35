//! What came out.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What became of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Found(Findings),
    /// This kernel, or this machine, does not show it, for this reason.
    NotObservable(String),
    /// The experiment itself did not come to its end: it crashed, hung, or could not be set up.
    Lost(String),
}

/// Figures, and what was expected of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    pub figures: Vec<Figure>,
    pub expectations: Vec<Expectation>,
    #[serde(default)]
    pub charts: Vec<Chart>,
    /// Parts that could not be observed here, each with its reason.
    #[serde(default)]
    pub unobserved: Vec<String>,
}

impl Findings {
    /// The figure of that name.
    pub fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }
}

/// Of what a figure or a line speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// What the claim is about.
    Mechanism,
    /// The same with the mechanism off, or something else in its place.
    Control,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub name: String,
    pub role: Role,
    pub value: Value,
    /// Empty where the name says all.
    #[serde(default)]
    pub unit: String,
}

/// A number, or a name such as a signal's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Number(f64),
    Text(String),
}

/// What is expected of a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// The figure's name.
    pub figure: String,
    pub relation: Relation,
    pub bound: Bound,
    pub reason: String,
}

/// How a figure stands to its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    Equals,
    Differs,
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// With what a figure is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    Value(Value),
    /// So many times another figure.
    Times(f64, String),
}

/// A plot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    pub title: String,
    /// What the axes count.
    pub across: String,
    pub up: String,
    pub lines: Vec<Line>,
}

/// A line of a plot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub name: String,
    pub role: Role,
    pub points: Vec<(f64, f64)>,
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number as f64)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(number as f64)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number as f64)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Number(f64::from(number))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T> From<T> for Bound
where
    Value: From<T>,
{
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => out.write_str(&number(*value)),
            Self::Text(text) => out.write_str(text),
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Equals => "=",
            Self::Differs => "≠",
            Self::Below => "<",
            Self::AtMost => "≤",
            Self::Above => ">",
            Self::AtLeast => "≥",
        })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => value.fmt(out),
            Self::Times(factor, name) if *factor == 1.0 => write!(out, "“{name}”"),
            Self::Times(factor, name) => write!(out, "{} × “{name}”", number(*factor)),
        }
    }
}

/// A number for people: whole ones with a comma at each thousand, others to three places that count.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    if value.fract() != 0.0 && value.abs() < 1000.0 {
        let places = if value.abs() >= 100.0 {
            1
        } else if value.abs() >= 10.0 {
            2
        } else {
            3
        };
        let text = format!("{value:.places$}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Bound, Value, number};

    #[test]
    fn numbers_for_people() {
        for (value, text) in [
            (0.0, "0"),
            (64.0, "64"),
            (1234.0, "1,234"),
            (1_000_000.0, "1,000,000"),
            (-1234.0, "-1,234"),
            (0.8, "0.8"),
            (99.25, "99.25"),
            (999.96, "1000"),
            (1234.5, "1,234"),
            (1.0 / 3.0, "0.333"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn values_and_bounds_as_json() {
        for (value, text) in [(Value::from(3), "3.0"), (Value::from("SIGSEGV"), "\"SIGSEGV\"")] {
            assert_eq!(serde_json::to_string(&value).unwrap(), text);
            assert_eq!(serde_json::from_str::<Value>(text).unwrap(), value);
        }
        let bound = Bound::Times(0.5, "a call".to_owned());
        assert_eq!(bound.to_string(), "0.5 × “a call”");
        let text = serde_json::to_string(&bound).unwrap();
        assert_eq!(serde_json::from_str::<Bound>(&text).unwrap(), bound);
    }
}
