//! The elements of a drawing, as text.

use std::fmt::{Display, Write};

/// A line across a chart at a value that means something, with its name.
#[derive(Clone, Debug)]
pub struct Guide {
    pub value: f64,
    pub label: String,
}

/// About as wide as a letter of the charts' font.
pub const LETTER: f64 = 6.4;

/// How text stands at its point.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing in the making, in units of about a pixel.
pub struct Canvas {
    width: f64,
    height: f64,
    title: String,
    body: String,
}

impl Canvas {
    pub fn new(width: f64, height: f64, title: &str) -> Self {
        Self { width, height, title: title.to_owned(), body: String::new() }
    }

    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.body,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    pub fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut way = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let _ = write!(way, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
        }
        let _ = writeln!(self.body, "<path class=\"{class}\" d=\"{way}\"/>");
    }

    pub fn rectangle(&mut self, class: &str, corner: (f64, f64), size: (f64, f64), hint: &str) {
        let ((x, y), (width, height)) = (corner, size);
        let _ = writeln!(
            self.body,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
             <title>{}</title></rect>",
            escape(hint)
        );
    }

    /// A series' mark at a point: series differ in its shape.
    pub fn mark(&mut self, series: usize, (x, y): (f64, f64), hint: &str) {
        let shape = match series % 3 {
            0 => format!("<circle class=\"mark s{series}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\">"),
            1 => format!(
                "<rect class=\"mark s{series}\" x=\"{:.1}\" y=\"{:.1}\" width=\"6\" height=\"6\">",
                x - 3.0,
                y - 3.0
            ),
            _ => format!(
                "<path class=\"mark s{series}\" d=\"M{x:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}Z\">",
                y - 4.0,
                x + 4.0,
                y + 3.0,
                x - 4.0,
                y + 3.0
            ),
        };
        let name = match series % 3 {
            0 => "circle",
            1 => "rect",
            _ => "path",
        };
        let _ = writeln!(self.body, "{shape}<title>{}</title></{name}>", escape(hint));
    }

    pub fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: impl Display) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(&text.to_string());
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    }

    /// Text that runs upwards, as beside a vertical axis.
    pub fn text_upwards(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escape(text)
        );
    }

    /// The element.
    pub fn finish(self) -> String {
        let Self { width, height, title, body } = self;
        let title = escape(&title);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" style=\"max-width:{width}px\" role=\"img\" \
             aria-label=\"{title}\">\n{body}</svg>\n"
        )
    }
}

/// Text inside an element or an attribute.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{Anchor, Canvas, escape};

    #[test]
    fn text_is_escaped_everywhere() {
        assert_eq!(escape("<T as A>::f & \"g\""), "&lt;T as A&gt;::f &amp; &quot;g&quot;");
        let mut canvas = Canvas::new(10.0, 10.0, "a<b");
        canvas.text("label", (1.0, 2.0), Anchor::Middle, "c<d");
        canvas.rectangle("bar", (0.0, 0.0), (1.0, 1.0), "e<f");
        canvas.mark(1, (5.0, 5.0), "g<h");
        let text = canvas.finish();
        assert_eq!(text.matches("&lt;").count(), 4, "{text}");
        assert!(!text.contains("a<b") && !text.contains("c<d"));
    }

    #[test]
    fn every_mark_is_closed() {
        let mut canvas = Canvas::new(10.0, 10.0, "");
        (0..3).for_each(|series| canvas.mark(series, (0.0, 0.0), "x"));
        let text = canvas.finish();
        for name in ["circle", "rect", "path"] {
            assert_eq!(text.matches(&format!("<{name} ")).count(), text.matches(&format!("</{name}>")).count());
        }
    }
}
