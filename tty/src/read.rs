//! Reads: how many bytes, and how long to wait for them (`termios(3)`, "Canonical and noncanonical mode").

use crate::{Effects, LineDiscipline, Termios};

/// What a read should do next.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// So many bytes have been taken (perhaps none: an end of file). The read goes on only if it is not `done` and its
    /// caller has room for more.
    Copied { count: usize, done: bool },
    /// Sleep until [`Effects::readable`] or `until` (nanoseconds; `None` is for ever), then step again. A caller who may not
    /// sleep, is interrupted, or finds the terminal hung up returns what it has, or else its error.
    Wait { until: Option<u64> },
    /// The time is up: return what there is, if only nothing.
    TimeUp,
}

/// A `read(2)` of a terminal under way.
///
/// Canonical input: at most one line, as soon as there is one. Raw input: with VMIN bytes, or VTIME after the last one; if
/// VMIN is 0, with any bytes, or VTIME after the beginning. One read after the other, please: two at a time would share lines.
#[derive(Clone, Copy, Debug)]
pub struct ReadRequest {
    minimum: usize,
    /// How long to wait for each further byte, if there is a limit.
    between_ns: Option<u64>,
    until: Option<u64>,
    got: usize,
}

impl ReadRequest {
    pub(crate) fn new(termios: &Termios, now: u64) -> Self {
        let (minimum, wait) = (termios.minimum(), termios.wait_ns());
        let mut request = Self { minimum: minimum.max(1), between_ns: None, until: None, got: 0 };
        if !termios.canonical() {
            if minimum == 0 {
                request.until = Some(now.saturating_add(wait));
            } else if wait > 0 {
                request.between_ns = Some(wait);
            }
        }
        request
    }

    /// Bytes read so far.
    #[must_use]
    pub fn got(&self) -> usize {
        self.got
    }

    /// Takes what may be read now into `into`, which is not empty and no longer than what the reader has room for.
    pub fn step(&mut self, terminal: &mut LineDiscipline, into: &mut [u8], now: u64, effects: &mut Effects) -> Step {
        let canonical = terminal.termios.canonical();
        let available = if canonical { terminal.input.has_line() } else { terminal.input.len() > 0 };
        if !available {
            let time_up = self.until.is_some_and(|until| until <= now);
            return if time_up { Step::TimeUp } else { Step::Wait { until: self.until } };
        }
        let (count, done) = if canonical {
            terminal.input.take_line(into)
        } else {
            let count = terminal.input.take(into);
            (count, self.got + count >= self.minimum && terminal.input.len() == 0)
        };
        self.got = self.got.saturating_add(count);
        if let Some(between) = self.between_ns {
            self.until = Some(now.saturating_add(between));
        }
        terminal.input_taken(effects);
        Step::Copied { count, done }
    }
}
