//! A bar for each row, from left to right.

use super::scale::{Range, Scale, short};
use super::svg::{Anchor, Canvas, Guide, LETTER};

const WIDTH: f64 = 760.0;
/// Room for a figure behind the longest bar.
const RIGHT: f64 = 56.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 36.0;
/// A bar's height, and what is between two rows.
const BAR: f64 = 11.0;
const GAP: f64 = 7.0;

/// A row: its name and a value for each series.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub values: Vec<Option<f64>>,
}

/// A chart of bars.
#[derive(Clone, Debug)]
pub struct Bars {
    pub title: String,
    /// What the bars' length means.
    pub label: String,
    /// Names of the series: a bar of each in every row.
    pub series: Vec<String>,
    pub rows: Vec<Row>,
    /// Vertical lines.
    pub guides: Vec<Guide>,
    /// Longer bars are cut off here, and their figure says so.
    pub most: f64,
}

impl Bars {
    /// The drawing.
    pub fn svg(&self) -> String {
        let longest = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let left = longest as f64 * LETTER + 14.0;
        let height = TOP + self.rows.len() as f64 * self.row_height() + BOTTOM;
        let field = Field { left, bottom: height - BOTTOM, range: self.range() };
        let mut canvas = Canvas::new(WIDTH, height, &self.title);
        canvas.text("title", (0.0, 16.0), Anchor::Start, &self.title);
        self.axes(&mut canvas, &field, height);
        for (index, row) in self.rows.iter().enumerate() {
            self.row(&mut canvas, row, TOP + index as f64 * self.row_height() + GAP / 2.0, &field);
        }
        self.guides(&mut canvas, &field);
        self.legend(&mut canvas);
        canvas.finish()
    }

    fn row_height(&self) -> f64 {
        self.series.len().max(1) as f64 * BAR + GAP
    }

    fn range(&self) -> Range {
        let values = self.rows.iter().flat_map(|row| &row.values).flatten().map(|value| value.min(self.most));
        Range::new(Scale::Linear, values.chain(self.guides.iter().map(|guide| guide.value)))
    }

    fn axes(&self, canvas: &mut Canvas, field: &Field, height: f64) {
        for tick in &field.range.ticks {
            let at = field.across(*tick);
            canvas.line("grid", (at, TOP), (at, field.bottom));
            canvas.text("tick", (at, field.bottom + 14.0), Anchor::Middle, short(*tick));
        }
        canvas.line("axis", (field.left, TOP), (field.left, field.bottom));
        canvas.text("label", ((field.left + WIDTH - RIGHT) / 2.0, height - 4.0), Anchor::Middle, &self.label);
    }

    /// Above the bars, so that one sees which of them cross.
    fn guides(&self, canvas: &mut Canvas, field: &Field) {
        for guide in &self.guides {
            let at = field.across(guide.value);
            canvas.line("guide", (at, TOP - 4.0), (at, field.bottom));
            canvas.text("tick", (at, TOP - 7.0), Anchor::Middle, &guide.label);
        }
    }

    fn row(&self, canvas: &mut Canvas, row: &Row, top: f64, field: &Field) {
        let middle = top + (self.row_height() - GAP) / 2.0 + 4.0;
        canvas.text("label", (field.left - 6.0, middle), Anchor::End, &row.name);
        for (index, value) in row.values.iter().enumerate() {
            let Some(value) = value.filter(|value| value.is_finite()) else { continue };
            let (top, end) = (top + index as f64 * BAR, field.across(value.min(self.most)));
            let hint = format!("{}: {value:.2}", row.name);
            canvas.rectangle(&format!("bar s{index}"), (field.left, top), (end - field.left, BAR - 1.0), &hint);
            let figure = if value > self.most { format!("{value:.2} →") } else { format!("{value:.2}") };
            canvas.text("figure", (end + 4.0, top + BAR - 2.0), Anchor::Start, figure);
        }
    }

    fn legend(&self, canvas: &mut Canvas) {
        let mut at = WIDTH - RIGHT;
        for (index, name) in self.series.iter().enumerate().rev().filter(|_| self.series.len() > 1) {
            canvas.text("label", (at, 16.0), Anchor::End, name);
            at -= name.chars().count() as f64 * LETTER + 20.0;
            canvas.rectangle(&format!("bar s{index}"), (at, 7.0), (12.0, 10.0), name);
            at -= 14.0;
        }
    }
}

/// Where bars are drawn.
struct Field {
    left: f64,
    bottom: f64,
    range: Range,
}

impl Field {
    fn across(&self, value: f64) -> f64 {
        self.left + self.range.place(value).unwrap_or(0.0).max(0.0) * (WIDTH - RIGHT - self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bars, Row};
    use crate::chart::Guide;

    fn bars() -> Bars {
        let row = |name: &str, values: &[Option<f64>]| Row { name: name.into(), values: values.to_vec() };
        Bars {
            title: "ratios".into(),
            label: "Birgus : Linux".into(),
            series: vec!["instructions".into(), "wall".into()],
            rows: vec![row("fork", &[Some(0.5), None]), row("slow & long", &[Some(9.0), Some(1.0)])],
            guides: vec![Guide { value: 0.8, label: "0.8".into() }],
            most: 2.0,
        }
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let text = bars().svg();
        // The names take 11 letters; 2.0 is the end of the axis.
        let room = 760.0 - 56.0 - (11.0 * 6.4 + 14.0);
        assert!(text.contains(&format!("width=\"{:.1}\"", room / 4.0)), "{text}");
        assert!(text.contains(&format!("width=\"{room:.1}\"")), "what is longer is cut: {text}");
        assert!(text.contains(">9.00 →</text>") && text.contains("slow &amp; long"));
        assert_eq!(text.matches("<rect class=\"bar").count(), 5, "three bars and two in the legend");
    }

    #[test]
    fn no_rows_are_drawn_too() {
        assert!(Bars { rows: Vec::new(), ..bars() }.svg().contains("class=\"guide\""));
    }
}
