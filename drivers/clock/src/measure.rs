//! Taking samples until the bounds are tight enough.
use crate::bracket::{Brackets, Estimate, Sample};
use crate::cmos::{CmosClock, CmosRegisters};
use crate::references::Reference;

/// Samples after which whatever was found must do, and how many of them the reference may stand still.
const MOST: u32 = 1_000_000;
const STILL: u32 = 20_000;

/// Measures `counter` against one reference, until the error is at most `tolerance` parts per million. `None` where the
/// reference does not run, or contradicts itself. Busy; may be interrupted at will.
pub fn measure(counter: impl Fn() -> u64, reference: &dyn Reference, tolerance: u64) -> Option<Estimate> {
    let mut brackets = Brackets::new(reference.frequency(), reference.mask(), 1);
    let (mut still, mut last) = (0, reference.read());
    for _ in 0..MOST {
        let before = counter();
        let value = reference.read();
        let after = counter();
        still = if value == last { still + 1 } else { 0 };
        last = value;
        if still > STILL {
            return None;
        }
        brackets.add(Sample { before, reference: value, after });
        if brackets.is_contradictory() {
            return None;
        }
        if let Some(estimate) = brackets.estimate()
            && estimate.error <= tolerance
        {
            return Some(estimate);
        }
    }
    brackets.estimate()
}

/// The first reference in the list that gets `counter` down to `tolerance`, or else the best of them.
pub fn measure_with(counter: impl Fn() -> u64, references: &[&dyn Reference], tolerance: u64) -> Option<Estimate> {
    let mut best: Option<Estimate> = None;
    for reference in references {
        let Some(estimate) = measure(&counter, *reference, tolerance) else { continue };
        if estimate.error <= tolerance {
            return Some(estimate);
        }
        best = best.filter(|best| best.error <= estimate.error).or(Some(estimate));
    }
    best
}

/// Measures `counter` by the CMOS clock's seconds, where there is nothing better: takes one to three seconds.
pub fn measure_by_seconds<R: CmosRegisters>(counter: impl Fn() -> u64, clock: &CmosClock<R>) -> Option<Estimate> {
    let mut brackets = Brackets::new(1, 63, 0);
    let mut before = counter();
    let mut second = clock.second();
    let mut seen = 0;
    for _ in 0..20 * MOST {
        let start = counter();
        let now = clock.second();
        if now != second {
            seen += 1;
            brackets.add(Sample { before, reference: seen, after: counter() });
            second = now;
            if let Some(estimate) = brackets.estimate() {
                return Some(estimate);
            }
        }
        before = start;
    }
    None
}
