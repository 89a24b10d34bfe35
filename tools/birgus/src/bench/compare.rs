//! Two kernels' results beside each other.

use super::Clock;
use super::results::{Outcome, Results};

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
    pub interrupted: bool,
}

impl Default for Comparison {
    fn default() -> Self {
        Self { clock: Clock::Instructions, ours: Results::default(), theirs: None, interrupted: false }
    }
}

/// An operation on both.
pub struct Pair<'a> {
    pub name: &'a str,
    pub clock: Clock,
    pub ours: &'a Outcome,
    pub theirs: Option<&'a Outcome>,
}

impl Pair<'_> {
    /// Ours for each of theirs.
    pub fn ratio(&self) -> Option<f64> {
        let (ours, theirs) = (self.ours.least()? - self.moving(), self.theirs?.least()? - self.moving());
        (ours > 0.0 && theirs > 0.0).then(|| ours / theirs)
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

impl Comparison {
    /// The rows, in our order.
    pub fn pairs(&self) -> impl Iterator<Item = Pair<'_>> {
        self.ours.rows.iter().map(|(name, ours)| Pair {
            name,
            clock: self.clock,
            ours,
            theirs: self.theirs.as_ref().and_then(|theirs| theirs.get(name)),
        })
    }

    /// Of the ratios of all rows that both have.
    pub fn geometric_mean(&self) -> Option<f64> {
        let ratios: Vec<f64> = self.pairs().filter_map(|pair| pair.ratio()).filter(|ratio| *ratio > 0.0).collect();
        let logarithms: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
        (!ratios.is_empty()).then(|| (logarithms / ratios.len() as f64).exp())
    }

    /// How many rows both have.
    pub fn count(&self) -> usize {
        self.pairs().filter_map(|pair| pair.ratio()).count()
    }

    /// Names and ratios of what costs too much, the worst first.
    pub fn too_much(&self) -> Vec<(&str, f64)> {
        let mut rows: Vec<(&str, f64)> = self
            .ours
            .rows
            .iter()
            .map(|(name, _)| name.as_str())
            .zip(self.pairs())
            .filter_map(|(name, pair)| Some((name, pair.ratio()?)))
            .collect();
        rows.retain(|(_, ratio)| *ratio > TOO_MUCH);
        rows.sort_by(|left, right| right.1.total_cmp(&left.1));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::Results;
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
    fn nothing_in_common_has_no_mean() {
        assert_eq!(comparison("a 1 1\n", "b 1 1\n").geometric_mean(), None);
        assert_eq!(comparison("a 1 1\n", "a 0 0\n").geometric_mean(), None, "a clock that stands still");
    }

    #[test]
    fn the_worst_comes_first() {
        let both = comparison("a 9 9\nb 30 30\nc 8 8\n", "a 10 10\nb 10 10\nc 10 10\n");
        assert_eq!(both.too_much(), [("b", 3.0), ("a", 0.9)]);
    }
}
