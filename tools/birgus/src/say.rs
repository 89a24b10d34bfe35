//! What the tool says: answers on standard output; about itself nothing while all is well, a spinner for a long step on a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Arguments;
use std::io::{self, IsTerminal, Write};
use std::panic::{self, UnwindSafe};
use std::time::Duration;

/// What the answers were to be written to takes no more of them.
struct OutputFailed(io::Error);

/// Writes a part of an answer. Where that fails there is nothing left to do: everything is ended in order, machines too, down to [`to_the_end`].
pub fn answer(text: Arguments<'_>) {
    if let Err(error) = io::stdout().write_fmt(text) {
        panic::resume_unwind(Box::new(OutputFailed(error)));
    }
}

/// Runs `all`; or answers the status where nobody wanted to read any more (`birgus … | head`), or an answer could not be written.
pub fn to_the_end(all: impl FnOnce() -> u8 + UnwindSafe) -> u8 {
    panic::catch_unwind(all).unwrap_or_else(|reason| match reason.downcast::<OutputFailed>() {
        // As a program that SIGPIPE ended.
        Ok(failed) if failed.0.kind() == io::ErrorKind::BrokenPipe => 141,
        Ok(failed) => {
            line(format!("standard output: {}", failed.0));
            1
        }
        Err(reason) => panic::resume_unwind(reason),
    })
}

/// As the standard library's, but see [`answer`].
macro_rules! print {
    ($($what:tt)*) => { $crate::say::answer(format_args!($($what)*)) };
}

/// As the standard library's, but see [`answer`].
macro_rules! println {
    ($($what:tt)*) => { $crate::say::answer(format_args!("{}\n", format_args!($($what)*))) };
}

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
