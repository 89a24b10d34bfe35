//! Axes: where a value stands between an axis's ends, and which values have a tick.

/// How values are laid along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from zero.
    Linear,
    /// Each factor of ten is as long as the next; what is not above zero has no place.
    Logarithmic,
}

/// An axis: what it measures, with the unit, and how.
#[derive(Clone, Debug)]
pub struct Axis {
    pub label: String,
    pub scale: Scale,
}

impl Axis {
    pub fn new(label: &str, scale: Scale) -> Self {
        Self { label: label.to_owned(), scale }
    }
}

/// An axis's ends and its ticks.
#[derive(Debug, PartialEq)]
pub struct Range {
    scale: Scale,
    low: f64,
    high: f64,
    pub ticks: Vec<f64>,
}

impl Range {
    /// One that holds all these values.
    pub fn new(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Self {
        let fit = values.filter(|value| value.is_finite() && (scale == Scale::Linear || *value > 0.0));
        let (low, high) = (fit.clone().fold(f64::INFINITY, f64::min), fit.fold(f64::NEG_INFINITY, f64::max));
        if low > high {
            // Nothing to draw: an axis all the same.
            return Self { scale, low: scale.origin(), high: 10.0, ticks: vec![scale.origin(), 10.0] };
        }
        match scale {
            Scale::Linear => Self::linear(low.min(0.0), high.max(0.0)),
            Scale::Logarithmic => Self::logarithmic(low, high),
        }
    }

    fn linear(low: f64, high: f64) -> Self {
        let span = if high > low { high - low } else { 1.0 };
        let step = round_step(span / 5.0);
        let (first, last) = ((low / step).floor(), ((low + span) / step - 1e-9).ceil());
        let count = (last - first) as usize;
        let ticks: Vec<f64> = (0..=count).map(|index| (first + index as f64) * step).collect();
        Self { scale: Scale::Linear, low: first * step, high: last * step, ticks }
    }

    fn logarithmic(low: f64, high: f64) -> Self {
        let (first, last) = ((low.log10() + 1e-9).floor(), (high.log10() - 1e-9).ceil());
        let last = last.max(first + 1.0);
        let decades = (last - first) as i32;
        // Two or more between the decades where there are few; not every decade where there are many.
        let parts: &[f64] = if decades <= 2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let every = (decades + 7) / 8;
        let mut ticks = Vec::new();
        for decade in (0..decades).filter(|decade| decade % every == 0) {
            ticks.extend(parts.iter().map(|part| part * 10_f64.powi(first as i32 + decade)));
        }
        ticks.push(10_f64.powi(last as i32));
        Self { scale: Scale::Logarithmic, low: 10_f64.powf(first), high: 10_f64.powf(last), ticks }
    }

    /// Where a value stands: 0 at the low end, 1 at the high one. None where it has no place.
    pub fn place(&self, value: f64) -> Option<f64> {
        let part = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic if value <= 0.0 => return None,
            Scale::Logarithmic => (value / self.low).log10() / (self.high / self.low).log10(),
        };
        part.is_finite().then_some(part)
    }
}

impl Scale {
    const fn origin(self) -> f64 {
        match self {
            Self::Linear => 0.0,
            Self::Logarithmic => 1.0,
        }
    }
}

/// The least of 1, 2, 5, 10 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|round| *round >= step * 0.999).unwrap_or(step)
}

/// A number for a tick or a label: three digits at most, and the power of a thousand as a letter.
pub fn short(value: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let size = value.abs();
    // What rounds up to the next thousand is said in it.
    let (part, unit) = units
        .iter()
        .find(|(factor, _)| size >= factor * 0.9995)
        .map_or((value, ""), |(factor, unit)| (value / factor, *unit));
    let digits = match part.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{part:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::{Range, Scale, short};

    fn range(scale: Scale, values: &[f64]) -> Range {
        Range::new(scale, values.iter().copied())
    }

    #[test]
    fn a_linear_axis_begins_at_zero_and_ends_on_a_tick() {
        assert_eq!(range(Scale::Linear, &[3.0, 87.0]).ticks, [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(range(Scale::Linear, &[100.0]).ticks, [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(range(Scale::Linear, &[-1.0, 1.0]).ticks.first(), Some(&-1.0));
        assert_eq!(range(Scale::Linear, &[0.0]).place(0.0), Some(0.0));
        assert_eq!(range(Scale::Linear, &[0.0, 10.0]).place(5.0), Some(0.5));
    }

    #[test]
    fn a_logarithmic_axis_holds_whole_decades() {
        let axis = range(Scale::Logarithmic, &[10.0, 100_000.0, 0.0, f64::NAN]);
        assert_eq!(axis.ticks, [10.0, 100.0, 1000.0, 10_000.0, 100_000.0]);
        assert_eq!(axis.place(1000.0), Some(0.5));
        assert_eq!(axis.place(0.0), None);
        assert_eq!(range(Scale::Logarithmic, &[1.0, 32.0]).ticks, [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(range(Scale::Logarithmic, &[7.0]).ticks, [1.0, 2.0, 5.0, 10.0]);
    }

    #[test]
    fn nothing_to_draw_has_an_axis_too() {
        assert_eq!(range(Scale::Logarithmic, &[]).ticks, [1.0, 10.0]);
        assert_eq!(range(Scale::Linear, &[f64::NAN]).ticks, [0.0, 10.0]);
    }

    #[test]
    fn numbers_are_short() {
        let said: Vec<String> =
            [0.0, 0.5, 0.48, 1.0, 12.34, 999.0, 999.9, 1000.0, 1550.0, 2e6, 3.25e9].map(short).into();
        assert_eq!(said, ["0", "0.5", "0.48", "1", "12.3", "999", "1k", "1k", "1.55k", "2M", "3.25G"]);
        assert_eq!(short(-2000.0), "-2k");
    }
}
