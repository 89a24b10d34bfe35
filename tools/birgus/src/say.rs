//! What the tool says about itself: nothing while all is well, a spinner for a long step on a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// A long step; the line disappears when the value is dropped.
pub struct Step(ProgressBar);

/// Shows that a long step goes on, if somebody is watching.
pub fn step(text: impl Into<String>) -> Step {
    if !std::io::stderr().is_terminal() {
        return Step(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style).with_message(text.into());
    bar.enable_steady_tick(Duration::from_millis(120));
    Step(bar)
}

impl Drop for Step {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// One line on standard error, marked as the tool's own.
pub fn line(text: impl AsRef<str>) {
    eprintln!("birgus: {}", text.as_ref());
}
