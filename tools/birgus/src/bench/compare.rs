//! Two kernels' results beside each other.

use super::Clock;
use super::results::{Outcome, Results};
use super::wall::{self, Spread, Wall};

/// A ratio that no operation should exceed.
pub const TOO_MUCH: f64 = 0.8;
/// The mean that is aimed at.
pub const HALF: f64 = 0.5;

/// Bytes that an operation must copy or clear, whoever does it: eight for an instruction on both sides. What is left is compared.
const MOVED: [(&str, u64); 15] = [
    ("fault_anon", 4 << 10),
    ("fault_cow", 4 << 10),
    ("fault_mapped_MiB", 4 << 10),
    ("anon_touch_16M", 16 << 20),
    ("mmap_touch_64K", 64 << 10),
    ("create_tmpfs_10K", 10 << 10),
    ("create_ext_10K", 10 << 10),
    ("reread_ext_64K", 64 << 10),
    ("reread_tmpfs_64K", 64 << 10),
    ("pread_4K", 4 << 10),
    ("pwrite_4K_tmpfs", 4 << 10),
    ("vm_readv_1M", 1 << 20),
    ("pipe_bw_64K", 128 << 10),
    ("unix_bw_64K", 128 << 10),
    ("tcp_bw_64K", 128 << 10),
];

/// What was measured, and with what it is compared.
#[derive(Debug)]
pub struct Comparison {
    pub clock: Clock,
    pub ours: Results,
    pub theirs: Option<Results>,
    /// Linux as Debian ships it, beside the tuned one.
    pub shipped: Option<Results>,
    /// Pairs by the clock on the wall.
    pub wall: Option<Wall>,
    pub interrupted: bool,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            clock: Clock::Instructions,
            ours: Results::default(),
            theirs: None,
            shipped: None,
            wall: None,
            interrupted: false,
        }
    }
}

/// An operation on both.
pub struct Pair<'a> {
    pub name: &'a str,
    pub clock: Clock,
    pub ours: &'a Outcome,
    pub theirs: Option<&'a Outcome>,
    pub shipped: Option<&'a Outcome>,
    wall: Option<&'a wall::Row>,
}

impl Pair<'_> {
    /// Ours for each of theirs.
    pub fn ratio(&self) -> Option<f64> {
        match self.wall() {
            Some(spread) if self.clock == Clock::Wall => Some(spread.middle),
            _ => self.ratio_to(self.theirs),
        }
    }

    /// Ours for each of what Linux as shipped takes.
    pub fn ratio_to_shipped(&self) -> Option<f64> {
        self.ratio_to(self.shipped)
    }

    fn ratio_to(&self, other: Option<&Outcome>) -> Option<f64> {
        let (ours, theirs) = figures(self.ours, other?)?;
        let (ours, theirs) = (ours - self.moving(), theirs - self.moving());
        (ours > 0.0 && theirs > 0.0).then(|| ours / theirs)
    }

    /// The same by the clock on the wall, whatever else was measured.
    pub fn wall(&self) -> Option<Spread> {
        self.wall?.ratio()
    }

    /// Less work, and yet it takes longer.
    pub fn is_loss(&self) -> bool {
        self.clock == Clock::Instructions
            && self.ratio().is_some_and(|ratio| ratio < 1.0)
            && self.wall().is_some_and(|spread| spread.middle > 1.0)
    }

    /// What is the same on both sides: only instructions say what that is.
    pub fn moving(&self) -> f64 {
        let moved = MOVED
            .iter()
            .find(|(name, _)| self.name.split('@').next() == Some(name))
            .filter(|_| self.clock == Clock::Instructions);
        moved.map_or(0.0, |(_, bytes)| *bytes as f64 / 8.0)
    }
}

/// Both sides' figures, of one kind: all that was executed is compared only with all that was.
fn figures(ours: &Outcome, theirs: &Outcome) -> Option<(f64, f64)> {
    let (ours, theirs) = (ours.cost()?, theirs.cost()?);
    let both = ours.charged.is_some() && theirs.charged.is_some();
    Some(if both { (ours.figure(), theirs.figure()) } else { (ours.least, theirs.least) })
}

impl Comparison {
    /// The rows, in our order.
    pub fn pairs(&self) -> impl Iterator<Item = Pair<'_>> {
        self.ours.rows.iter().map(|(name, ours)| Pair {
            name,
            clock: self.clock,
            ours,
            theirs: self.theirs.as_ref().and_then(|theirs| theirs.get(name)),
            shipped: self.shipped.as_ref().and_then(|shipped| shipped.get(name)),
            wall: self.wall.as_ref().and_then(|wall| wall.get(name)),
        })
    }

    /// Of the ratios of all rows that both have.
    pub fn geometric_mean(&self) -> Option<f64> {
        mean(self.pairs().filter_map(|pair| pair.ratio()))
    }

    /// The same with Linux as shipped.
    pub fn mean_to_shipped(&self) -> Option<f64> {
        mean(self.pairs().filter_map(|pair| pair.ratio_to_shipped()))
    }

    /// The same by the clock on the wall, where that was measured beside.
    pub fn mean_of_wall(&self) -> Option<f64> {
        let ratios = self.pairs().filter_map(|pair| Some(pair.wall()?.middle));
        mean(ratios).filter(|_| self.clock == Clock::Instructions)
    }

    /// How many rows both have.
    pub fn count(&self) -> usize {
        self.pairs().filter_map(|pair| pair.ratio()).count()
    }

    /// Names and ratios of what costs too much, the worst first.
    pub fn too_much(&self) -> Vec<(&str, f64)> {
        let mut rows: Vec<(&str, f64)> = self.pairs().filter_map(|pair| Some((pair.name, pair.ratio()?))).collect();
        rows.retain(|(_, ratio)| *ratio > TOO_MUCH);
        rows.sort_by(|left, right| right.1.total_cmp(&left.1));
        rows
    }

    /// What wins in instructions and loses by the clock on the wall, the worst first.
    pub fn losses(&self) -> Vec<(&str, Spread)> {
        let losses = self.pairs().filter(Pair::is_loss);
        let mut rows: Vec<(&str, Spread)> = losses.filter_map(|pair| Some((pair.name, pair.wall()?))).collect();
        rows.sort_by(|left, right| right.1.middle.total_cmp(&left.1.middle));
        rows
    }
}

/// The geometric mean.
pub fn mean(ratios: impl Iterator<Item = f64>) -> Option<f64> {
    let ratios: Vec<f64> = ratios.filter(|ratio| *ratio > 0.0).collect();
    let logarithms: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    (!ratios.is_empty()).then(|| (logarithms / ratios.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::super::results::Results;
    use super::super::wall::{Row, Wall};
    use super::Comparison;

    fn comparison(ours: &str, theirs: &str) -> Comparison {
        Comparison { ours: Results::parse(ours), theirs: Some(Results::parse(theirs)), ..Comparison::default() }
    }

    #[test]
    fn ratios_and_their_mean() {
        let both = comparison("a 1 1\nb 8 8\nc unsupported 38\nd 5 5\n", "a 2 2\nb 4 4\nc 9 9\n");
        let ratios: Vec<Option<f64>> = both.pairs().map(|pair| pair.ratio()).collect();
        assert_eq!(ratios, [Some(0.5), Some(2.0), None, None]);
        assert!((both.geometric_mean().unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(both.count(), 2);
        assert_eq!(both.too_much(), [("b", 2.0)]);
    }

    #[test]
    fn moving_bytes_is_the_same_for_both() {
        let both = comparison("pread_4K 812 812\n", "pread_4K 1112 1112\n");
        assert_eq!(both.pairs().next().and_then(|pair| pair.ratio()), Some(0.5));
        let wall = Comparison { clock: super::Clock::Wall, ..both };
        assert_eq!(wall.pairs().next().and_then(|pair| pair.ratio()), Some(812.0 / 1112.0));
    }

    #[test]
    fn what_is_charged_is_compared_with_what_is_charged() {
        let ratio = |ours, theirs| comparison(ours, theirs).pairs().next().and_then(|pair| pair.ratio());
        assert_eq!(ratio("a 10 10 30\n", "a 20 20 20\n"), Some(1.5), "work that was put off is work");
        assert_eq!(ratio("a 10 10 30\n", "a 20 20\n"), Some(0.5), "recorded when nothing was charged");
    }

    #[test]
    fn nothing_in_common_has_no_mean() {
        assert_eq!(comparison("a 1 1\n", "b 1 1\n").geometric_mean(), None);
        assert_eq!(comparison("a 1 1\n", "a 0 0\n").geometric_mean(), None, "a clock that stands still");
    }

    #[test]
    fn the_worst_comes_first() {
        let both = comparison("a 9 9\nb 30 30\nc 8 8\n", "a 10 10\nb 10 10\nc 10 10\n");
        assert_eq!(both.too_much(), [("b", 3.0), ("a", 0.9)]);
    }

    /// Two rows that win in instructions, one that does not; by the wall the first and the last lose.
    #[test]
    fn losses_by_the_wall_are_those_of_rows_that_win() {
        let runs = |name: &str, here: f64| {
            let outcomes = |figure: f64| Results::parse(&format!("a {figure} {figure}\n")).rows.remove(0).1;
            Row { name: name.into(), here: vec![outcomes(here); 3], there: vec![outcomes(10.0); 3] }
        };
        let wall = Wall { rows: vec![runs("a", 12.0), runs("b", 5.0), runs("c", 20.0)], ..Wall::default() };
        let both = comparison("a 9 9\nb 9 9\nc 11 11\n", "a 10 10\nb 10 10\nc 10 10\n");
        let both = Comparison { wall: Some(wall), ..both };
        let losses: Vec<(&str, f64)> = both.losses().into_iter().map(|(name, spread)| (name, spread.middle)).collect();
        assert_eq!(losses, [("a", 1.2)]);
        assert!((both.mean_of_wall().unwrap() - (1.2_f64 * 0.5 * 2.0).cbrt()).abs() < 1e-9);
        let by_wall = Comparison { clock: super::Clock::Wall, ..both };
        assert!(by_wall.losses().is_empty());
        assert_eq!(by_wall.pairs().next().and_then(|pair| pair.ratio()), Some(1.2), "the middle of the pairs");
    }

    #[test]
    fn linux_as_shipped_has_a_column_of_its_own() {
        let shipped = Some(Results::parse("a 4 4\n"));
        let both = Comparison { shipped, ..comparison("a 1 1\nb 1 1\n", "a 2 2\nb 2 2\n") };
        let ratios: Vec<Option<f64>> = both.pairs().map(|pair| pair.ratio_to_shipped()).collect();
        assert_eq!(ratios, [Some(0.25), None]);
        assert_eq!(both.mean_to_shipped(), Some(0.25));
    }
}
