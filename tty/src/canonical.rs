//! The characters that edit and end lines (ICANON).

use crate::{Effects, LineDiscipline, Special};
use abi::raw::general as raw;

impl LineDiscipline {
    /// Heeds a byte of canonical input, if it is one of those; whether it was.
    pub(crate) fn receive_canonical(&mut self, byte: u8, effects: &mut Effects) -> bool {
        let is = |special| self.termios.is(byte, special);
        let extended = self.termios.local_has(raw::IEXTEN);
        if is(Special::Erase) {
            self.erase_character();
        } else if extended && is(Special::WordErase) {
            self.erase_word();
        } else if is(Special::Kill) {
            self.erase_line();
        } else if extended && is(Special::LiteralNext) {
            self.expect_literal();
        } else if extended && is(Special::Reprint) && self.termios.local_has(raw::ECHO) {
            self.reprint(byte);
        } else if byte == b'\n' {
            if self.termios.local_has(raw::ECHO | raw::ECHONL) {
                self.output.echo(b'\n', &self.termios);
            }
            self.end_line(byte, effects);
        } else if is(Special::EndOfFile) {
            self.end_line(0, effects);
        } else if is(Special::EndOfLine) || (extended && is(Special::EndOfLine2)) {
            if self.termios.local_has(raw::ECHO) {
                if self.input.is_line_empty() {
                    self.output.begin_line();
                }
                self.echo(byte);
            }
            self.end_line(byte, effects);
        } else {
            return false;
        }
        true
    }

    fn end_line(&mut self, byte: u8, effects: &mut Effects) {
        self.input.end_line(byte);
        effects.readable = true;
    }

    /// LNEXT: shows a `^` that the next character overwrites.
    fn expect_literal(&mut self) {
        self.literal_next = true;
        if self.termios.local_has(raw::ECHO) {
            self.finish_erasing();
            if self.termios.local_has(raw::ECHOCTL) {
                self.output.echo(b'^', &self.termios);
                self.output.echo(b'\x08', &self.termios);
            }
        }
    }

    /// REPRINT: the line so far, on a line of its own.
    fn reprint(&mut self, byte: u8) {
        self.finish_erasing();
        self.echo(byte);
        self.output.echo(b'\n', &self.termios);
        for position in self.input.line_start()..self.input.head() {
            if let Some(byte) = self.input.get(position) {
                self.echo(byte);
            }
        }
    }
}
