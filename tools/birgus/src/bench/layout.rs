//! Tables of text: for the terminal, and for Markdown.

use std::fmt::Write;

/// A table: the first column to the left, the others to the right.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub title: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(title: &str, head: &[&str]) -> Self {
        Self { title: title.to_owned(), head: head.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    /// Aligned, under its title.
    pub fn text(&self) -> String {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| lines().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..self.head.len()).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = format!("{}\n", self.title);
        for row in lines() {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let _ = if column == 0 { write!(line, "{cell:<width$}") } else { write!(line, "  {cell:>width$}") };
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// For docs/.
    pub fn markdown(&self) -> String {
        let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = format!("|---|{}\n", "---:|".repeat(self.head.len().saturating_sub(1)));
        let rows: String = self.rows.iter().map(|cells| row(cells)).collect();
        format!("### {}\n\n{}{rule}{rows}", self.title, row(&self.head))
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn both_ways() {
        let mut table = Table::new("Things", &["thing", "here"]);
        table.rows.push(vec!["a long one".into(), "7".into()]);
        table.rows.push(vec!["b".into(), String::new()]);
        assert_eq!(table.text(), "Things\nthing       here\na long one     7\nb\n");
        assert_eq!(table.markdown(), "### Things\n\n| thing | here |\n|---|---:|\n| a long one | 7 |\n| b |  |\n");
    }
}
