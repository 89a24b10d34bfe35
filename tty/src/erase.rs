//! Erasing: characters, words, lines, and what the terminal shows of it.

use crate::LineDiscipline;
use crate::bytes::{continues_utf8, is_alphanumeric, is_control};
use abi::raw::general as raw;

impl LineDiscipline {
    /// ERASE: the last character, however many bytes it has.
    pub(crate) fn erase_character(&mut self) {
        let shows_erasure = self.termios.local & (raw::ECHOE | raw::ECHOPRT) != 0;
        let Some((position, first)) = self.last_character() else { return };
        if self.termios.local_has(raw::ECHO) && !shows_erasure {
            // Without ECHOE the terminal is paper: show the character typed instead.
            self.input.truncate(position);
            let erase = self.termios.special(crate::Special::Erase);
            erase.into_iter().for_each(|erase| self.echo(erase));
        } else {
            self.erase_from(position, first);
        }
        self.finish_if_empty();
    }

    /// WERASE: back over what is no word, then over a word (letters, digits, underscores).
    pub(crate) fn erase_word(&mut self) {
        let mut in_word = false;
        while let Some((position, first)) = self.last_character() {
            let of_word = is_alphanumeric(first) || first == b'_';
            if in_word && !of_word {
                break;
            }
            in_word |= of_word;
            self.erase_from(position, first);
        }
        self.finish_if_empty();
    }

    /// KILL: the whole line; character by character, by a newline, or by just showing the character typed.
    pub(crate) fn erase_line(&mut self) {
        if self.input.is_line_empty() {
            return;
        }
        let echoes = self.termios.local_has(raw::ECHO);
        let visibly = raw::ECHOK | raw::ECHOKE | raw::ECHOE;
        if echoes && self.termios.local & visibly == visibly {
            while let Some((position, first)) = self.last_character() {
                self.erase_from(position, first);
            }
            self.finish_if_empty();
            return;
        }
        self.input.truncate(self.input.line_start());
        if echoes {
            self.finish_erasing();
            let kill = self.termios.special(crate::Special::Kill);
            kill.into_iter().for_each(|kill| self.echo(kill));
            if self.termios.local_has(raw::ECHOK) {
                self.output.echo(b'\n', &self.termios);
            }
        }
    }

    /// Where the last character of the line being edited begins, and its first byte. `None` if the line is empty, or begins
    /// with the rest of a character.
    fn last_character(&self) -> Option<(u64, u8)> {
        let bytes = (self.input.line_start()..self.input.head()).rev();
        let mut bytes = bytes.filter_map(|position| self.input.get(position).map(|byte| (position, byte)));
        bytes.find(|&(_, byte)| !self.continues(byte))
    }

    fn continues(&self, byte: u8) -> bool {
        self.termios.input_has(raw::IUTF8) && continues_utf8(byte)
    }

    /// Drops the character that begins at `position`, and shows that it is gone.
    fn erase_from(&mut self, position: u64, first: u8) {
        let echoes = self.termios.local_has(raw::ECHO);
        if echoes && self.termios.local_has(raw::ECHOPRT) {
            self.print_erased(position, first);
        }
        self.input.truncate(position);
        if !echoes || self.termios.local_has(raw::ECHOPRT) {
            return;
        }
        if first == b'\t' {
            let (columns, after_tab) = self.columns_before();
            self.output.erase_tab(columns, after_tab);
            return;
        }
        let columns = match is_control(first) {
            true if self.termios.local_has(raw::ECHOCTL) => 2,
            true => 0,
            false => 1,
        };
        for _ in 0..columns {
            b"\x08 \x08".iter().for_each(|&byte| self.output.echo(byte, &self.termios));
        }
    }

    /// Erased characters shown between `\` and `/`, for terminals on paper.
    fn print_erased(&mut self, position: u64, first: u8) {
        if !core::mem::replace(&mut self.erasing, true) {
            self.output.echo(b'\\', &self.termios);
        }
        self.echo(first);
        for position in position + 1..self.input.head() {
            if let Some(byte) = self.input.get(position) {
                self.output.echo(byte, &self.termios);
                self.output.back_one_column();
            }
        }
    }

    /// Columns that the line takes up since its last tab, or since its beginning; and which of them.
    fn columns_before(&self) -> (u32, bool) {
        let mut columns = 0;
        for position in (self.input.line_start()..self.input.head()).rev() {
            match self.input.get(position) {
                Some(b'\t') => return (columns, true),
                Some(byte) if is_control(byte) => columns += 2 * u32::from(self.termios.local_has(raw::ECHOCTL)),
                Some(byte) if !self.continues(byte) => columns += 1,
                _ => {}
            }
        }
        (columns, false)
    }

    fn finish_if_empty(&mut self) {
        if self.input.is_line_empty() && self.termios.local_has(raw::ECHO) {
            self.finish_erasing();
        }
    }
}
