//! Plots as SVG: a line for the mechanism, a dashed one for the control, axes with round numbers.

use evidence::{Chart, Line, Role, number};
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
/// Room for the axes' numbers and names.
const LEFT: f64 = 96.0;
const BOTTOM: f64 = 64.0;
const TOP: f64 = 24.0;
const RIGHT: f64 = 24.0;

/// The plot, to be put into a page.
pub fn svg(chart: &Chart) -> String {
    let points = || chart.lines.iter().flat_map(|line| line.points.iter().copied());
    let across = Axis::of(points().map(|(x, _)| x));
    let up = Axis::of(points().map(|(_, y)| y));
    let mut text =
        format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n", escaped(&chart.title));
    axes(&mut text, chart, &across, &up);
    for line in &chart.lines {
        draw(&mut text, line, &across, &up);
    }
    text.push_str("</svg>\n");
    text
}

/// From nought (or what is least, below it) to a round number.
struct Axis {
    least: f64,
    step: f64,
    steps: usize,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let finite = values.filter(|value| value.is_finite());
        let most = finite.clone().fold(0.0, f64::max);
        let least = finite.fold(0.0, f64::min);
        let span = if most > least { most - least } else { 1.0 };
        // One, two or five times a power of ten, so that there are four to ten steps.
        let magnitude = 10_f64.powf((span / 5.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude).into_iter().find(|step| span / step <= 8.0);
        let step = step.unwrap_or(span);
        let least = (least / step).floor() * step;
        let steps = ((most.max(least + span) - least) / step).ceil() as usize;
        Self { least, step, steps }
    }

    /// From 0 to 1.
    fn place(&self, value: f64) -> f64 {
        (value - self.least) / (self.step * self.steps as f64)
    }

    fn marks(&self) -> impl Iterator<Item = f64> + '_ {
        (0..=self.steps).map(|index| self.least + index as f64 * self.step)
    }
}

fn x(axis: &Axis, value: f64) -> f64 {
    LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT)
}

fn y(axis: &Axis, value: f64) -> f64 {
    HEIGHT - BOTTOM - axis.place(value) * (HEIGHT - TOP - BOTTOM)
}

fn axes(text: &mut String, chart: &Chart, across: &Axis, up: &Axis) {
    let (floor, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    for mark in up.marks() {
        let at = y(up, mark);
        let _ = writeln!(text, "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>");
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 5.0,
            number(mark)
        );
    }
    for mark in across.marks() {
        let at = x(across, mark);
        let _ = writeln!(
            text,
            "<line class=\"axis\" x1=\"{at:.1}\" y1=\"{floor}\" x2=\"{at:.1}\" y2=\"{}\"/>",
            floor + 6.0
        );
        let _ = writeln!(
            text,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            floor + 24.0,
            number(mark)
        );
    }
    let _ = writeln!(text, "<polyline class=\"axis\" points=\"{LEFT},{TOP} {LEFT},{floor} {right},{floor}\"/>");
    let (middle, height) = ((LEFT + right) / 2.0, (TOP + floor) / 2.0);
    let _ = writeln!(
        text,
        "<text class=\"name\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        HEIGHT - 12.0,
        escaped(&chart.across)
    );
    let _ = writeln!(
        text,
        "<text class=\"name\" transform=\"translate(20 {height}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        escaped(&chart.up)
    );
}

fn draw(text: &mut String, line: &Line, across: &Axis, up: &Axis) {
    let class = if line.role == Role::Control { "control" } else { "mechanism" };
    let points = line.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
    let places: Vec<(f64, f64)> = points.map(|point| (x(across, point.0), y(up, point.1))).collect();
    let joined: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(text, "<polyline class=\"{class}\" points=\"{}\"/>", joined.join(" "));
    // A marker for each of a few points; many are a curve.
    for (x, y) in places.iter().filter(|_| places.len() <= 40) {
        let _ = writeln!(text, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"/>");
    }
}

/// Text for a page.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{Axis, svg};
    use evidence::{Chart, Line, Role};

    #[test]
    fn axes_end_at_round_numbers() {
        for (most, step, steps) in [(1024.0, 200.0, 6), (7.0, 1.0, 7), (0.83, 0.2, 5), (100.0, 20.0, 5), (0.0, 0.2, 5)]
        {
            let axis = Axis::of([0.0, most].into_iter());
            assert!((axis.step - step).abs() < 1e-9, "{most}: {}", axis.step);
            assert_eq!(axis.steps, steps, "{most}");
            assert!(axis.place(most) <= 1.0);
        }
    }

    #[test]
    fn points_are_where_they_belong_and_what_is_no_number_is_left_out() {
        let line = Line {
            name: "a".to_owned(),
            role: Role::Mechanism,
            points: vec![(0.0, 0.0), (10.0, f64::NAN), (10.0, 5.0)],
        };
        let chart = Chart { title: "a < b".to_owned(), across: "x".to_owned(), up: "y".to_owned(), lines: vec![line] };
        let text = svg(&chart);
        assert!(text.contains("<polyline class=\"mechanism\" points=\"96.0,356.0 736.0,24.0\"/>"), "{text}");
        assert!(text.contains("aria-label=\"a &lt; b\""));
    }
}
