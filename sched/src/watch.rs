//! Looking whether something goes on.

/// Watches a counter that goes up while all is well. Patience is counted in looks and not in time: a machine that was stopped
/// as a whole (by its host, by a debugger) missed its looks as well, and nothing is amiss with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    last: u64,
    /// Looks since the counter moved.
    still: u32,
    patience: u32,
}

impl Watch {
    /// Complains at the `patience`th look in a row that finds the counter where it was, and as often again after that.
    pub const fn new(patience: u32) -> Self {
        Self { last: 0, still: 0, patience }
    }

    /// One look at the counter: for how many looks it has not moved, where that is worth a complaint.
    pub fn look(&mut self, counter: u64) -> Option<u32> {
        if counter != self.last {
            (self.last, self.still) = (counter, 0);
            return None;
        }
        self.still = self.still.saturating_add(1);
        self.still.is_multiple_of(self.patience).then_some(self.still)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complains_once_per_patience() {
        let mut watch = Watch::new(3);
        let heard: Vec<_> = [5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7].map(|counter| watch.look(counter)).to_vec();
        assert_eq!(heard, [None, None, None, None, None, None, Some(3), None, None, Some(6), None]);
    }

    #[test]
    fn a_counter_that_moves_is_fine_whatever_its_value() {
        let mut watch = Watch::new(1);
        assert_eq!(watch.look(u64::MAX), None);
        assert_eq!(watch.look(0), None);
        assert_eq!(watch.look(0), Some(1));
    }
}
