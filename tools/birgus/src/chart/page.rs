//! A page of HTML that stands alone: style sheet inside, nothing fetched, no scripts.

use super::svg::escape;
use std::fmt::Write;

/// Colours by the reader's preference; ink on white in print. The series' colours are told apart by the colour-blind too.
const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5d6672;--rule:#d9dee4;--back:#fff;--bad:#b3261e;--good:#1a7f4b;
--s0:#0b66c3;--s1:#c2571a;--s2:#3f8f4f;--s3:#8a4fbf;--s4:#7a6a00;--s5:#b0307a}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa4b0;--rule:#333b45;--back:#14181d;--bad:#ff8a80;--good:#6fd39b;
--s0:#6cb2ff;--s1:#ffa166;--s2:#85d494;--s3:#c8a2ef;--s4:#d9c64a;--s5:#f08fc4}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--rule:#bbb;--back:#fff;--bad:#b3261e;--good:#1a7f4b;
--s0:#0b66c3;--s1:#c2571a;--s2:#3f8f4f;--s3:#8a4fbf;--s4:#7a6a00;--s5:#b0307a}
body{max-width:none;margin:0;font-size:10pt}h2{break-after:avoid}figure,tr{break-inside:avoid}thead{display:table-header-group}
@page{margin:16mm}}
body{background:var(--back);color:var(--ink);font:16px/1.5 system-ui,sans-serif;max-width:860px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.7rem;line-height:1.2}h2{margin-top:2.4rem;border-bottom:1px solid var(--rule);padding-bottom:.2rem}
p.about{color:var(--soft);font-size:.9rem;overflow-wrap:anywhere}.bad{color:var(--bad)}.good{color:var(--good)}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem;width:100%}
th,td{padding:.15rem .6rem;border-bottom:1px solid var(--rule);text-align:right}
th:first-child,td:first-child,td:last-child,th:last-child{text-align:left}
figure{margin:1.4rem 0}figcaption{color:var(--soft);font-size:.9rem}svg{width:100%;height:auto;display:block}
svg text{font:11px ui-monospace,monospace;fill:var(--ink)}svg text.title{font:600 13px system-ui,sans-serif}
svg text.tick{fill:var(--soft);font-size:10px}svg text.figure{font-size:9.5px;fill:var(--soft)}
.grid{stroke:var(--rule);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1}
.guide{stroke:var(--bad);stroke-width:1.2;stroke-dasharray:5 3}
.line{fill:none;stroke-width:2}.bar{stroke:none}.mark{stroke:var(--back);stroke-width:.8}
.line.s1{stroke-dasharray:7 4}.line.s2{stroke-dasharray:2 3}.line.s3{stroke-dasharray:9 3 2 3}
";

/// Series that have a colour of their own.
const SERIES: usize = 6;

/// A page in the making.
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), body: String::new() }
    }

    /// A heading of a section.
    pub fn section(&mut self, heading: &str) {
        let _ = writeln!(self.body, "<h2>{}</h2>", escape(heading));
    }

    /// A paragraph; `class` is empty, `about` (small print), `good` or `bad`.
    pub fn paragraph(&mut self, class: &str, text: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let _ = writeln!(self.body, "<p{class}>{}</p>", escape(text));
    }

    /// A drawing, as [`super::Plot`] and [`super::Bars`] make them.
    pub fn figure(&mut self, svg: &str, caption: &str) {
        let caption =
            if caption.is_empty() { String::new() } else { format!("<figcaption>{}</figcaption>", escape(caption)) };
        let _ = writeln!(self.body, "<figure>{svg}{caption}</figure>");
    }

    /// A table: names and remarks left, figures right; a row with `true` is marked.
    pub fn table(&mut self, head: &[&str], rows: &[(Vec<String>, bool)]) {
        let cells = |name: &str, cells: &[&str]| -> String {
            cells.iter().map(|cell| format!("<{name}>{}</{name}>", escape(cell))).collect()
        };
        let _ = writeln!(self.body, "<table><thead><tr>{}</tr></thead><tbody>", cells("th", head));
        for (row, marked) in rows {
            let row: Vec<&str> = row.iter().map(String::as_str).collect();
            let class = if *marked { " class=\"bad\"" } else { "" };
            let _ = writeln!(self.body, "<tr{class}>{}</tr>", cells("td", &row));
        }
        self.body.push_str("</tbody></table>\n");
    }

    /// The whole page.
    pub fn finish(self) -> String {
        let (title, body) = (escape(&self.title), self.body);
        let colours: String = (0..SERIES)
            .map(|index| {
                format!(
                    ".line.s{index}{{stroke:var(--s{index})}}.bar.s{index},.mark.s{index}{{fill:var(--s{index})}}\n"
                )
            })
            .collect();
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>{title}</title><style>{STYLE}{colours}</style></head>\n<body><h1>{title}</h1>\n{body}</body></html>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn the_page_stands_alone() {
        let mut page = Page::new("A & B");
        page.section("one");
        page.paragraph("about", "x < y");
        page.figure("<svg></svg>", "caption");
        page.table(&["name", "figure"], &[(vec!["a".into(), "1".into()], true)]);
        let text = page.finish();
        assert!(text.starts_with("<!DOCTYPE html>") && text.contains("<title>A &amp; B</title>"));
        assert!(text.contains("<p class=\"about\">x &lt; y</p>") && text.contains("<tr class=\"bad\"><td>a</td>"));
        for fetched in ["http://", "https://", "<script", "<link", "@import", "url("] {
            assert!(!text.contains(fetched), "{fetched}");
        }
        for name in ["table", "figure", "p", "h2", "body", "html", "style"] {
            let opened = text.matches(&format!("<{name}>")).count() + text.matches(&format!("<{name} ")).count();
            assert_eq!(opened, text.matches(&format!("</{name}>")).count(), "{name}");
        }
    }
}
