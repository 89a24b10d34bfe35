//! The output queue: processing (OPOST), the cursor's column, flow control.

use crate::bytes::{continues_utf8, is_control, to_upper};
use crate::ring::Ring;
use crate::termios::Termios;
use abi::raw::general as raw;
use alloc::collections::TryReserveError;

/// Room that programs' output leaves for echoes.
const ECHO_ROOM: usize = 1024;

#[derive(Debug)]
pub(crate) struct Output {
    ring: Ring,
    /// The cursor's column, as far as it can be known.
    column: u32,
    /// Where the line being edited began.
    pub line_column: u32,
    /// Where output is held, if it is stopped: what came before may still go.
    held_at: Option<u64>,
}

impl Output {
    pub fn try_new(pages: usize) -> Result<Self, TryReserveError> {
        Ok(Self { ring: Ring::try_new(pages)?, column: 0, line_column: 0, held_at: None })
    }

    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Bytes that a program may write; none while stopped.
    pub fn room(&self) -> usize {
        if self.held_at.is_some() { 0 } else { self.ring.room().saturating_sub(ECHO_ROOM) }
    }

    pub fn is_stopped(&self) -> bool {
        self.held_at.is_some()
    }

    /// Holds all output from here on.
    pub fn stop(&mut self) {
        self.held_at.get_or_insert(self.ring.head());
    }

    /// Lets output go; whether that is news.
    pub fn start(&mut self) -> bool {
        self.held_at.take().is_some()
    }

    pub fn take(&mut self, into: &mut [u8]) -> usize {
        self.ring.take(into, self.held_at.unwrap_or(u64::MAX))
    }

    /// Bytes that may go out now.
    pub fn takeable(&self) -> usize {
        let end = self.held_at.unwrap_or(self.ring.head());
        end.saturating_sub(self.ring.tail()) as usize
    }

    /// A byte for the other side's line discipline, unprocessed.
    pub fn send(&mut self, byte: u8) {
        self.ring.push(byte);
    }

    /// Throws away what has not gone out.
    pub fn clear(&mut self) {
        self.ring.clear();
        if let Some(held_at) = &mut self.held_at {
            *held_at = self.ring.head();
        }
    }

    /// Marks the present column as the beginning of the line being edited.
    pub fn begin_line(&mut self) {
        self.line_column = self.column;
    }

    pub fn back_one_column(&mut self) {
        self.column = self.column.saturating_sub(1);
    }

    /// Programs' output: as much of it as fits; how much.
    pub fn write(&mut self, bytes: &[u8], termios: &Termios) -> usize {
        if !termios.output_has(raw::OPOST) {
            let room = self.room();
            return self.ring.extend(bytes.get(..bytes.len().min(room)).unwrap_or_default());
        }
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            let plain = rest.iter().take_while(|&&byte| !is_control(byte)).count();
            if plain > 0 && !termios.output_has(raw::OLCUC) {
                let written = self.write_plain(rest.get(..plain).unwrap_or_default(), termios);
                rest = rest.get(written..).unwrap_or_default();
                if written < plain {
                    break;
                }
                continue;
            }
            if self.room() < self.width(byte, termios) {
                break;
            }
            self.process(byte, termios);
            rest = after;
        }
        bytes.len() - rest.len()
    }

    /// A run of bytes that go out as they are.
    fn write_plain(&mut self, run: &[u8], termios: &Termios) -> usize {
        let run = run.get(..run.len().min(self.room())).unwrap_or_default();
        let utf8 = termios.input_has(raw::IUTF8);
        let columns = if utf8 { run.iter().filter(|&&byte| !continues_utf8(byte)).count() } else { run.len() };
        self.column = self.column.wrapping_add(columns as u32);
        self.ring.extend(run)
    }

    /// An echo: processed if programs' output is, dropped if there is no room at all.
    pub fn echo(&mut self, byte: u8, termios: &Termios) {
        if self.ring.room() < self.width(byte, termios) {
            return;
        }
        if byte == 0xFF {
            // Linux's echoes use this byte for themselves: it takes up a column and is never processed.
            self.column = self.column.wrapping_add(1);
            self.ring.push(byte);
        } else if termios.output_has(raw::OPOST) {
            self.process(byte, termios);
        } else {
            self.ring.push(byte);
        }
    }

    /// A control character as `^X`, whole or not at all.
    pub fn echo_caret(&mut self, byte: u8) {
        if self.ring.room() >= 2 {
            self.ring.push(b'^');
            self.ring.push(byte ^ 0o100);
            self.column = self.column.wrapping_add(2);
        }
    }

    /// Moves the cursor back over a tab; `columns` were taken up since the last tab, or since the line's beginning.
    pub fn erase_tab(&mut self, columns: u32, after_tab: bool) {
        let columns = if after_tab { columns } else { columns.wrapping_add(self.line_column) };
        let back = 8 - (columns & 7);
        if self.ring.room() >= back as usize {
            for _ in 0..back {
                self.ring.push(b'\x08');
                self.back_one_column();
            }
        }
    }

    /// How many bytes a byte becomes, at most.
    fn width(&self, byte: u8, termios: &Termios) -> usize {
        match byte {
            b'\n' if termios.output_has(raw::ONLCR) => 2,
            b'\t' if expands_tabs(termios) => 8 - (self.column & 7) as usize,
            _ => 1,
        }
    }

    /// Processing of one byte, for which there is room (`termios(3)`, c_oflag).
    fn process(&mut self, byte: u8, termios: &Termios) {
        let byte = match byte {
            b'\n' => return self.newline(termios),
            b'\r' => match self.carriage_return(termios) {
                Some(byte) => byte,
                None => return,
            },
            b'\t' => {
                let spaces = 8 - (self.column & 7);
                self.column = self.column.wrapping_add(spaces);
                if expands_tabs(termios) {
                    (0..spaces).for_each(|_| self.ring.push(b' '));
                    return;
                }
                byte
            }
            b'\x08' => {
                self.back_one_column();
                byte
            }
            _ if is_control(byte) => byte,
            _ => {
                let byte = if termios.output_has(raw::OLCUC) { to_upper(byte) } else { byte };
                if !(termios.input_has(raw::IUTF8) && continues_utf8(byte)) {
                    self.column = self.column.wrapping_add(1);
                }
                byte
            }
        };
        self.ring.push(byte);
    }

    fn newline(&mut self, termios: &Termios) {
        if termios.output_has(raw::ONLRET | raw::ONLCR) {
            self.column = 0;
        }
        if termios.output_has(raw::ONLCR) {
            self.ring.push(b'\r');
        }
        self.ring.push(b'\n');
        self.begin_line();
    }

    /// What a carriage return becomes, if anything.
    fn carriage_return(&mut self, termios: &Termios) -> Option<u8> {
        if termios.output_has(raw::ONOCR) && self.column == 0 {
            return None;
        }
        if termios.output_has(raw::OCRNL) {
            if termios.output_has(raw::ONLRET) {
                self.column = 0;
                self.begin_line();
            }
            return Some(b'\n');
        }
        self.column = 0;
        self.begin_line();
        Some(b'\r')
    }
}

fn expands_tabs(termios: &Termios) -> bool {
    termios.output & raw::TABDLY == raw::XTABS
}
