//! The tree as a flame graph: one SVG without scripts from elsewhere; a box is as wide as what it stands for.

use super::tree::Profile;
use crate::chart::escape;
use std::fmt::Write;

const WIDTH: f64 = 1600.0;
const ROW: f64 = 17.0;
/// The least width that is drawn.
const NARROW: f64 = 0.3;
/// About as wide as a letter.
const LETTER: f64 = 6.6;

/// Draws it.
pub fn draw(profile: &Profile, title: &str) -> String {
    let mut boxes = String::new();
    let scale = WIDTH / profile.total().max(1) as f64;
    let depth = place(&mut boxes, profile, 0, 0.0, 0, scale);
    let height = (depth + 3) as f64 * ROW;
    let style = "text{font:11px monospace;pointer-events:none}rect{stroke:#fff;stroke-width:.4}";
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\"><style>{style}</style>\
         <text x=\"4\" y=\"13\">{}</text>\n{boxes}</svg>\n",
        escape(title)
    )
}

/// A box and those below; the deepest row.
fn place(to: &mut String, profile: &Profile, at: usize, left: f64, row: usize, scale: f64) -> usize {
    let node = &profile.nodes[at];
    let width = node.all as f64 * scale;
    if width < NARROW {
        return row;
    }
    let (name, top) = (profile.name(node.name), (row + 1) as f64 * ROW);
    let percent = node.all as f64 * 100.0 / profile.total().max(1) as f64;
    let _ = writeln!(
        to,
        "<g><title>{}: {:.0} instructions, {percent:.1} %; itself {:.0}</title>\
         <rect x=\"{left:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{ROW}\" fill=\"{}\"/>{}</g>",
        escape(name),
        profile.each(node.all),
        profile.each(node.own),
        colour(name),
        label(name, left, top, width)
    );
    let (mut deepest, mut next) = (row, left);
    for &child in node.children.values() {
        deepest = deepest.max(place(to, profile, child, next, row + 1, scale));
        next += profile.nodes[child].all as f64 * scale;
    }
    deepest
}

fn label(name: &str, left: f64, top: f64, width: f64) -> String {
    let room = (width / LETTER) as usize;
    if room < 3 {
        return String::new();
    }
    // Where a function lives matters less than what it is called.
    let length = name.chars().count();
    let shown: String = if length <= room { name.to_owned() } else { name.chars().skip(length - room).collect() };
    format!("<text x=\"{:.1}\" y=\"{}\">{}</text>", left + 2.0, top + 12.0, escape(&shown))
}

/// The same for the same crate, so that floors of the house can be told apart.
fn colour(name: &str) -> String {
    let crate_name = name.trim_start_matches(['<', '&']).split("::").next().unwrap_or(name);
    let hue = crate_name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 360;
    format!("hsl({hue},65%,75%)")
}

#[cfg(test)]
mod tests {
    use super::{colour, label};

    #[test]
    fn names_are_cut_from_the_left() {
        assert_eq!(label("outer::inner", 0.0, 0.0, 34.0), "<text x=\"2.0\" y=\"12\">inner</text>");
        assert_eq!(label("name", 0.0, 0.0, 5.0), "");
        assert_eq!(colour("<mm::space::A>::f"), colour("mm::tree::g"));
    }
}
