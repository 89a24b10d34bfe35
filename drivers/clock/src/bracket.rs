//! Bounds of a counter's frequency from samples against a reference.

/// A reading of the reference, and the counter just before and just after.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub before: u64,
    pub reference: u64,
    pub after: u64,
}

/// A frequency, and how far it may be off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Hertz.
    pub frequency: u64,
    /// Parts per million, at the most.
    pub error: u64,
}

/// Frequencies that a counter may have: what is slower or faster is a fault of the reference.
const SLOWEST: u64 = 10_000_000;
const FASTEST: u64 = 20_000_000_000;
/// Samples that later ones are compared with: the first few, since the longest stretches bound best.
const ANCHORS: usize = 8;

/// Bounds that get tighter with each sample.
#[derive(Debug)]
pub struct Brackets {
    /// Of the reference, in Hz.
    frequency: u64,
    /// The reference's highest value.
    mask: u64,
    /// How far a reading of the reference may be behind, in its ticks.
    slack: u64,
    anchors: [Option<Anchor>; ANCHORS],
    last: Option<Anchor>,
    lowest: u64,
    highest: u64,
}

/// A sample whose reference counts on without wrapping.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    before: u64,
    ticks: u64,
    after: u64,
}

impl Brackets {
    /// For a reference of `frequency` Hz that wraps after `mask` (a power of two less one). A counter's reading is behind by
    /// up to one tick; where ticks are sampled as they happen, `slack` is 0.
    pub fn new(frequency: u64, mask: u64, slack: u64) -> Self {
        Self { frequency, mask, slack, anchors: [None; ANCHORS], last: None, lowest: SLOWEST, highest: FASTEST }
    }

    /// Adds a sample, later than all before.
    pub fn add(&mut self, sample: Sample) {
        let Some(last) = self.last else {
            self.restart(sample);
            return;
        };
        // After a long absence the reference may have gone round more than once: begin anew, with the bounds so far.
        let gap = u128::from(sample.after.wrapping_sub(last.before));
        let round = u128::from(self.mask) * u128::from(self.lowest) / u128::from(self.frequency);
        if gap >= round {
            self.restart(sample);
            return;
        }
        let ticks = last.ticks + (sample.reference.wrapping_sub(last.ticks) & self.mask);
        let now = Anchor { before: sample.before, ticks, after: sample.after };
        self.last = Some(now);
        for anchor in self.anchors.iter().flatten() {
            let (low, high) = self.bounds(anchor, &now);
            self.lowest = self.lowest.max(low);
            self.highest = self.highest.min(high);
        }
        if let Some(place) = self.anchors.iter_mut().find(|anchor| anchor.is_none()) {
            *place = Some(now);
        } else {
            self.replace_widest(now);
        }
    }

    fn restart(&mut self, sample: Sample) {
        let anchor = Anchor { before: sample.before, ticks: sample.reference, after: sample.after };
        self.anchors = [None; ANCHORS];
        self.anchors[0] = Some(anchor);
        self.last = Some(anchor);
    }

    /// Early samples may all have been disturbed: one that is tighter by far takes the widest one's place.
    fn replace_widest(&mut self, now: Anchor) {
        let width = |anchor: &Anchor| anchor.after.wrapping_sub(anchor.before);
        let widest = self.anchors.iter_mut().flatten().max_by_key(|anchor| width(anchor));
        if let Some(widest) = widest
            && width(&now) < width(widest) / 4
        {
            *widest = now;
        }
    }

    fn bounds(&self, from: &Anchor, to: &Anchor) -> (u64, u64) {
        let ticks = to.ticks - from.ticks;
        let per_second = |cycles: u64, ticks: u64| {
            let hertz = u128::from(cycles) * u128::from(self.frequency) / u128::from(ticks);
            u64::try_from(hertz).unwrap_or(u64::MAX)
        };
        let shortest = to.before.wrapping_sub(from.after);
        // Samples that overlap say nothing about the shortest time.
        let shortest = if shortest > u64::MAX / 2 { 0 } else { shortest };
        let longest = to.after.wrapping_sub(from.before);
        let low = per_second(shortest, ticks + self.slack.max(u64::from(ticks == 0)));
        let high =
            if ticks > self.slack { per_second(longest, ticks - self.slack).saturating_add(1) } else { u64::MAX };
        (low, high)
    }

    /// Whether the samples contradict each other: the reference is not what it claims.
    pub fn is_contradictory(&self) -> bool {
        self.lowest > self.highest
    }

    /// The middle of the bounds; `None` while nothing is known, or too much.
    pub fn estimate(&self) -> Option<Estimate> {
        if self.is_contradictory() || self.highest == FASTEST {
            return None;
        }
        let frequency = self.lowest + (self.highest - self.lowest) / 2;
        let off = self.highest - frequency;
        let error = (u128::from(off) * 1_000_000).div_ceil(u128::from(frequency.max(1)));
        Some(Estimate { frequency, error: u64::try_from(error).unwrap_or(u64::MAX) })
    }
}
