//! By the clock on the wall: pairs of runs, one on each kernel right behind the other, and what may be said of them.
//!
//! What else the host does hits both runs of a pair alike, most often; so the ratio is taken within each pair, and the middle one of
//! all pairs counts. How far to trust it is said by the two ratios between which the middle half of the pairs lies.

use super::machine::Bench;
use super::results::{Outcome, Results};
use crate::say;
use anyhow::Result;
use std::sync::atomic::{AtomicBool, Ordering};

/// All pairs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wall {
    pub here: String,
    pub there: Option<String>,
    pub rows: Vec<Row>,
}

/// An operation's runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub name: String,
    pub here: Vec<Outcome>,
    pub there: Vec<Outcome>,
}

/// Of several numbers the one in the middle, and those a quarter from either end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub low: f64,
    pub middle: f64,
    pub high: f64,
}

impl Spread {
    /// None of no numbers.
    pub fn of(mut numbers: Vec<f64>) -> Option<Self> {
        numbers.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = part * (numbers.len().checked_sub(1)? as f64);
            let (below, above) = (numbers[place.floor() as usize], numbers[place.ceil() as usize]);
            Some(below + (above - below) * place.fract())
        };
        Some(Self { low: at(0.25)?, middle: at(0.5)?, high: at(0.75)? })
    }

    /// Whether one cannot tell which is faster.
    pub fn is_even(&self) -> bool {
        self.low <= 1.0 && self.high >= 1.0
    }
}

impl Row {
    /// Ours for each of theirs, pair by pair.
    pub fn ratio(&self) -> Option<Spread> {
        let ratio = |(ours, theirs): (&Outcome, &Outcome)| {
            let (ours, theirs) = (ours.figure()?, theirs.figure()?);
            (ours > 0.0 && theirs > 0.0).then(|| ours / theirs)
        };
        Spread::of(self.here.iter().zip(&self.there).filter_map(ratio).collect())
    }
}

impl Wall {
    pub fn get(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// Each kernel's runs as one: of each operation the run whose figure is in the middle.
    pub fn medians(&self) -> (Results, Option<Results>) {
        let results = |about: &str, runs: fn(&Row) -> &[Outcome]| Results {
            about: about.to_owned(),
            rows: self.rows.iter().filter_map(|row| Some((row.name.clone(), median(runs(row))?))).collect(),
        };
        let there = self.there.as_deref().map(|about| results(about, |row| &row.there));
        (results(&self.here, |row| &row.here), there)
    }
}

/// Of those that have a figure, if any has one.
fn median(runs: &[Outcome]) -> Option<Outcome> {
    let mut costs: Vec<&Outcome> = runs.iter().filter(|outcome| outcome.figure().is_some()).collect();
    costs.sort_by(|left, right| left.figure().unwrap_or(0.0).total_cmp(&right.figure().unwrap_or(0.0)));
    costs.get(costs.len() / 2).copied().or(runs.first()).cloned()
}

/// Measures in pairs until `stop`: in each round fresh machines, in each pair the other kernel first.
pub fn measure(
    ours: &mut Bench<'_>,
    mut theirs: Option<&mut Bench<'_>>,
    names: &[String],
    pairs: usize,
    stop: &AtomicBool,
) -> Result<Wall> {
    let there = theirs.as_mut().map(|bench| bench.about()).transpose()?;
    let row = |name: &String| Row { name: name.clone(), ..Row::default() };
    let mut wall = Wall { here: ours.about()?, there, rows: names.iter().map(row).collect() };
    for round in 0..pairs {
        for (index, row) in wall.rows.iter_mut().enumerate() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            // What does not work will not work the next time.
            if row.here.iter().chain(&row.there).any(|outcome| outcome.figure().is_none()) {
                continue;
            }
            let _step = say::step(format!("pair {} of {pairs}: {}", round + 1, row.name));
            one_pair(row, ours, theirs.as_deref_mut(), (round + index) % 2 == 1)?;
        }
        ours.end();
        theirs.iter_mut().for_each(|bench| bench.end());
    }
    wall.rows.retain(|row| !row.here.is_empty());
    Ok(wall)
}

fn one_pair(row: &mut Row, ours: &mut Bench<'_>, theirs: Option<&mut Bench<'_>>, swapped: bool) -> Result<()> {
    let Some(theirs) = theirs else {
        row.here.push(ours.outcome(&row.name)?);
        return Ok(());
    };
    let pair = if swapped {
        let there = theirs.outcome(&row.name)?;
        (ours.outcome(&row.name)?, there)
    } else {
        (ours.outcome(&row.name)?, theirs.outcome(&row.name)?)
    };
    row.here.push(pair.0);
    row.there.push(pair.1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Row, Spread, Wall};
    use crate::bench::results::Cost;

    fn costs(figures: &[f64]) -> Vec<Outcome> {
        figures.iter().map(|&least| Outcome::Cost(Cost { least, mean: least, charged: None })).collect()
    }

    #[test]
    fn quarters() {
        let spread = Spread::of(vec![7.0, 1.0, 3.0, 5.0, 2.0, 6.0, 4.0]).unwrap();
        assert_eq!(spread, Spread { low: 2.5, middle: 4.0, high: 5.5 });
        assert_eq!(Spread::of(vec![2.0]), Some(Spread { low: 2.0, middle: 2.0, high: 2.0 }));
        assert_eq!(Spread::of(Vec::new()), None);
        assert!(Spread { low: 0.9, middle: 1.1, high: 1.2 }.is_even());
        assert!(!Spread { low: 1.05, middle: 1.1, high: 1.2 }.is_even());
    }

    #[test]
    fn ratios_are_taken_within_pairs() {
        // The host was three times slower in the second pair: for both.
        let row = Row { name: "a".into(), here: costs(&[10.0, 30.0, 10.0]), there: costs(&[20.0, 60.0, 10.0]) };
        assert_eq!(row.ratio().unwrap(), Spread { low: 0.5, middle: 0.5, high: 0.75 });
        let half = Row { there: vec![Outcome::Unsupported(38)], ..row.clone() };
        assert_eq!(half.ratio(), None);
    }

    #[test]
    fn the_middle_of_several_runs() {
        let mut here = costs(&[3.0, 1.0, 9.0]);
        here.push(Outcome::Failed("x".into()));
        let rows = vec![
            Row { name: "a".into(), here, there: vec![Outcome::Unsupported(38)] },
            Row { name: "b".into(), here: vec![Outcome::Failed("y".into())], there: costs(&[2.0]) },
        ];
        let (ours, theirs) = Wall { here: "us".into(), there: Some("them".into()), rows }.medians();
        assert_eq!(ours.get("a").and_then(Outcome::figure), Some(3.0), "of those that there are");
        assert_eq!(ours.get("b"), Some(&Outcome::Failed("y".into())));
        assert_eq!(theirs.unwrap().get("a"), Some(&Outcome::Unsupported(38)));
        assert_eq!(Wall::default().medians().1, None);
    }
}
