//! Charts in SVG and a page that holds them: what `bench --html` and other reports draw with.
//!
//! A report is one file that fetches nothing: text, tables, and figures as SVG in the page itself. [`Plot`] draws lines over two
//! axes, [`Bars`] a bar for each row; both answer the text of an `<svg>` element, whose colours come from the page's style sheet
//! ([`Page`]), so that the same drawing is right on white, on black and on paper. Series differ in dash and mark as well as in colour:
//! a print without colours can still be read. Nothing here knows what is drawn; all text is escaped.

mod bars;
mod page;
mod plot;
mod scale;
mod svg;

pub use bars::{Bars, Row};
pub use page::Page;
pub use plot::{Plot, Series};
pub use scale::{Axis, Scale};
pub use svg::{Guide, escape};
