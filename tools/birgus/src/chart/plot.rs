//! Lines over two axes.

use super::scale::{Axis, Range, short};
use super::svg::{Anchor, Canvas, Guide, LETTER};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 68.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 52.0;

/// Points that belong together, joined by a line in their order.
#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// A chart of lines.
#[derive(Clone, Debug)]
pub struct Plot {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    /// Horizontal lines at values of the vertical axis.
    pub guides: Vec<Guide>,
}

impl Plot {
    /// The drawing.
    pub fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = Range::new(self.x.scale, points().map(|point| point.0));
        let guides = self.guides.iter().map(|guide| guide.value);
        let y = Range::new(self.y.scale, points().map(|point| point.1).chain(guides));
        let mut canvas = Canvas::new(WIDTH, HEIGHT, &self.title);
        canvas.text("title", (LEFT, 16.0), Anchor::Start, &self.title);
        self.axes(&mut canvas, &x, &y);
        self.guides(&mut canvas, &y);
        for (index, series) in self.series.iter().enumerate() {
            draw(&mut canvas, index, series, &x, &y);
        }
        self.legend(&mut canvas);
        canvas.finish()
    }

    fn axes(&self, canvas: &mut Canvas, x: &Range, y: &Range) {
        for tick in &y.ticks {
            let Some(at) = y.place(*tick).map(down) else { continue };
            canvas.line("grid", (LEFT, at), (WIDTH - RIGHT, at));
            canvas.text("tick", (LEFT - 6.0, at + 4.0), Anchor::End, short(*tick));
        }
        for tick in &x.ticks {
            let Some(at) = x.place(*tick).map(across) else { continue };
            canvas.line("grid", (at, TOP), (at, HEIGHT - BOTTOM));
            canvas.text("tick", (at, HEIGHT - BOTTOM + 16.0), Anchor::Middle, short(*tick));
        }
        canvas.line("axis", (LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM));
        canvas.line("axis", (LEFT, TOP), (LEFT, HEIGHT - BOTTOM));
        canvas.text("label", ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 14.0), Anchor::Middle, &self.x.label);
        canvas.text_upwards("label", (14.0, (TOP + HEIGHT - BOTTOM) / 2.0), &self.y.label);
    }

    fn guides(&self, canvas: &mut Canvas, y: &Range) {
        for guide in &self.guides {
            let Some(at) = y.place(guide.value).map(down) else { continue };
            canvas.line("guide", (LEFT, at), (WIDTH - RIGHT, at));
            canvas.text("tick", (WIDTH - RIGHT, at - 4.0), Anchor::End, &guide.label);
        }
    }

    /// Names from the right end, where a title seldom reaches; one series needs none.
    fn legend(&self, canvas: &mut Canvas) {
        let mut at = WIDTH - RIGHT;
        for (index, series) in self.series.iter().enumerate().rev().filter(|_| self.series.len() > 1) {
            canvas.text("label", (at, 16.0), Anchor::End, &series.name);
            at -= series.name.chars().count() as f64 * LETTER + 16.0;
            canvas.line(&format!("line s{index}"), (at - 12.0, 12.0), (at + 12.0, 12.0));
            canvas.mark(index, (at, 12.0), &series.name);
            at -= 24.0;
        }
    }
}

fn draw(canvas: &mut Canvas, index: usize, series: &Series, x: &Range, y: &Range) {
    let place = |point: &(f64, f64)| Some((across(x.place(point.0)?), down(y.place(point.1)?)));
    let placed: Vec<(f64, f64)> = series.points.iter().filter_map(place).collect();
    if placed.len() > 1 {
        canvas.path(&format!("line s{index}"), &placed);
    }
    for point in &series.points {
        if let Some(at) = place(point) {
            canvas.mark(index, at, &format!("{}: {} at {}", series.name, short(point.1), short(point.0)));
        }
    }
}

fn across(part: f64) -> f64 {
    LEFT + part * (WIDTH - LEFT - RIGHT)
}

fn down(part: f64) -> f64 {
    HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)
}

#[cfg(test)]
mod tests {
    use super::{Plot, Series};
    use crate::chart::{Axis, Guide, Scale};

    fn plot(points: &[(f64, f64)]) -> Plot {
        Plot {
            title: "growth".into(),
            x: Axis::new("descriptors", Scale::Logarithmic),
            y: Axis::new("instructions", Scale::Linear),
            series: vec![
                Series { name: "here".into(), points: points.to_vec() },
                Series { name: "there".into(), points: Vec::new() },
            ],
            guides: vec![Guide { value: 50.0, label: "half".into() }],
        }
    }

    #[test]
    fn points_stand_where_they_belong() {
        let text = plot(&[(10.0, 0.0), (100.0, 100.0)]).svg();
        // The corners of the field: left below, right above.
        assert!(text.contains("<path class=\"line s0\" d=\"M68.0 288.0L620.0 34.0\"/>"), "{text}");
        assert!(text.contains("class=\"guide\" x1=\"68.0\" y1=\"161.0\""), "{text}");
        assert!(text.contains(">there</text>") && text.contains("here: 100 at 100"));
    }

    #[test]
    fn what_has_no_place_is_left_out() {
        let text = plot(&[(0.0, 1.0), (10.0, f64::NAN), (10.0, 5.0)]).svg();
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        assert_eq!(text.matches("<title>here: ").count(), 1);
    }
}
