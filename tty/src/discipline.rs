//! The line discipline N_TTY: what becomes of each byte of input (`termios(3)`).

use crate::bytes::to_lower;
use crate::input::Input;
use crate::output::Output;
use crate::{Effects, ReadRequest, Signal, Special, Termios, WindowSize};
use abi::raw::general as raw;
use alloc::collections::TryReserveError;

/// The state of one terminal. See the crate's root for locking.
#[derive(Debug)]
pub struct LineDiscipline {
    pub(crate) termios: Termios,
    pub(crate) input: Input,
    pub(crate) output: Output,
    /// Bytes that need more than to be queued and echoed.
    pub(crate) special: [u64; 4],
    /// Nothing does, and there are no echoes: input goes straight to the queue.
    pub(crate) raw: bool,
    /// In the middle of showing erased characters between `\` and `/` (ECHOPRT).
    pub(crate) erasing: bool,
    /// The next byte is to be taken as it is.
    pub(crate) literal_next: bool,
    /// Stopped by a call (TCOOFF), which no character undoes.
    pub(crate) stopped_by_call: bool,
    /// Input has been refused for lack of room.
    starved: bool,
    pub(crate) window: WindowSize,
    /// What the master in packet mode has not been told (TIOCPKT_*); `None` without packet mode.
    pub(crate) packets: Option<u8>,
}

impl LineDiscipline {
    /// A terminal with these settings, whose output queue has so many pages (a power of two). Allocates.
    pub fn try_new(termios: Termios, output_pages: usize) -> Result<Self, TryReserveError> {
        let mut terminal = Self {
            termios,
            input: Input::try_new()?,
            output: Output::try_new(output_pages.next_power_of_two())?,
            special: [0; 4],
            raw: false,
            erasing: false,
            literal_next: false,
            stopped_by_call: false,
            starved: false,
            window: WindowSize::default(),
            packets: None,
        };
        terminal.find_special();
        Ok(terminal)
    }

    /// Input from the device or the master. How many of the bytes were taken: fewer only if a program must read first
    /// ([`Effects::room`] will say when), and never fewer while a line is being edited that is merely too long.
    pub fn receive(&mut self, bytes: &[u8], effects: &mut Effects) -> usize {
        let queued = self.output.len();
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if !self.accepts_input() {
                self.starved = true;
                break;
            }
            if self.raw {
                let taken = self.input.extend(rest);
                rest = rest.get(taken..).unwrap_or_default();
                continue;
            }
            self.input.drop_excess();
            self.receive_byte(byte, effects);
            rest = after;
        }
        effects.readable |= !self.termios.canonical() && self.input.len() > 0;
        effects.output |= self.output.len() > queued;
        bytes.len() - rest.len()
    }

    /// A program's output. How many of the bytes were taken; the rest when [`Effects::writable`] says so.
    pub fn write(&mut self, bytes: &[u8], effects: &mut Effects) -> usize {
        let taken = self.output.write(bytes, &self.termios);
        effects.output |= taken > 0;
        taken
    }

    /// Bytes for the device or the master; how many. None while output is stopped.
    pub fn take_output(&mut self, into: &mut [u8], effects: &mut Effects) -> usize {
        let taken = self.output.take(into);
        effects.writable |= taken > 0;
        taken
    }

    /// Bytes that have not gone out (TIOCOUTQ; `tcdrain(3)` waits for none).
    #[must_use]
    pub fn output_queued(&self) -> usize {
        self.output.len()
    }

    /// Bytes that could be read (FIONREAD).
    #[must_use]
    pub fn input_queued(&self) -> usize {
        if self.termios.canonical() { self.input.readable_in_lines() } else { self.input.len() }
    }

    /// Whether `poll(2)` says POLLIN.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        if self.termios.canonical() {
            return self.input.has_line();
        }
        // A reader that waits for a number of bytes for ever is not woken by fewer.
        let wanted = if self.termios.wait_ns() == 0 { self.termios.minimum().max(1) } else { 1 };
        self.input.len() >= wanted
    }

    /// Whether a read would find anything, few bytes or many. What a reader waits for.
    #[must_use]
    pub fn has_input(&self) -> bool {
        if self.termios.canonical() { self.input.has_line() } else { self.input.len() > 0 }
    }

    /// Whether [`LineDiscipline::take_output`] would give any.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.output.takeable() > 0
    }

    /// Whether `poll(2)` says POLLOUT.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.output.room() > 0
    }

    /// Whether [`LineDiscipline::receive`] would take a byte. A line that is too long does not fill the queue: it may still
    /// end, and until then each byte replaces the last.
    #[must_use]
    pub fn accepts_input(&self) -> bool {
        self.input.room() > 0 || (self.termios.canonical() && !self.input.has_line())
    }

    /// Begins a read at `now`, in nanoseconds. See [`ReadRequest`].
    #[must_use]
    pub fn begin_read(&self, now: u64) -> ReadRequest {
        ReadRequest::new(&self.termios, now)
    }

    pub(crate) fn input_taken(&mut self, effects: &mut Effects) {
        if self.starved && self.input.room() > 0 {
            self.starved = false;
            effects.room = true;
        }
    }

    fn receive_byte(&mut self, byte: u8, effects: &mut Effects) {
        let stripped = if self.termios.input_has(raw::ISTRIP) { byte & 0x7F } else { byte };
        let lowers = self.termios.input_has(raw::IUCLC) && self.termios.local_has(raw::IEXTEN);
        let byte = if lowers { to_lower(stripped) } else { stripped };
        let literal = core::mem::take(&mut self.literal_next);
        if literal || !self.is_special(byte) {
            self.restart_by_any(effects);
            self.receive_plain(byte);
        } else if !self.receive_flow(byte, effects) && !self.receive_signal(byte, effects) {
            self.restart_by_any(effects);
            self.receive_mapped(byte, effects);
        }
    }

    fn receive_plain(&mut self, byte: u8) {
        if self.termios.local_has(raw::ECHO) {
            self.before_echo();
            self.echo(byte);
        }
        // So that it is not taken for the mark of a damaged byte (PARMRK).
        if byte == 0xFF && self.termios.input_has(raw::PARMRK) {
            self.input.push(byte);
        }
        self.input.push(byte);
    }

    /// STOP and START (IXON).
    fn receive_flow(&mut self, byte: u8, effects: &mut Effects) -> bool {
        if !self.termios.input_has(raw::IXON) {
            return false;
        }
        if self.termios.is(byte, Special::Start) {
            self.start(effects);
        } else if self.termios.is(byte, Special::Stop) {
            self.stop(effects);
        } else {
            return false;
        }
        true
    }

    /// INTR, QUIT and SUSP (ISIG).
    fn receive_signal(&mut self, byte: u8, effects: &mut Effects) -> bool {
        if !self.termios.local_has(raw::ISIG) {
            return false;
        }
        let signal = if self.termios.is(byte, Special::Interrupt) {
            Signal::Interrupt
        } else if self.termios.is(byte, Special::Quit) {
            Signal::Quit
        } else if self.termios.is(byte, Special::Suspend) {
            Signal::Suspend
        } else {
            return false;
        };
        self.signal(signal, effects);
        if self.termios.input_has(raw::IXON) {
            self.start(effects);
        }
        if self.termios.local_has(raw::ECHO) {
            self.echo(byte);
        }
        true
    }

    /// Sends a signal and, unless told not to, throws away what is queued.
    pub(crate) fn signal(&mut self, signal: Signal, effects: &mut Effects) {
        effects.signals.add(signal);
        if !self.termios.local_has(raw::NOFLSH) {
            self.discard_input(effects);
            self.discard_output(effects);
        }
    }

    /// Carriage returns and newlines as the settings map them; then canonical input's characters, or the byte itself.
    fn receive_mapped(&mut self, byte: u8, effects: &mut Effects) {
        let byte = match byte {
            b'\r' if self.termios.input_has(raw::IGNCR) => return,
            b'\r' if self.termios.input_has(raw::ICRNL) => b'\n',
            b'\n' if self.termios.input_has(raw::INLCR) => b'\r',
            _ => byte,
        };
        if self.termios.canonical() && self.receive_canonical(byte, effects) {
            return;
        }
        if byte == b'\n' && self.termios.local_has(raw::ECHO) {
            self.finish_erasing();
            self.output.echo(byte, &self.termios);
            self.input.push(byte);
        } else {
            self.receive_plain(byte);
        }
    }

    /// Any character restarts stopped output (IXANY).
    fn restart_by_any(&mut self, effects: &mut Effects) {
        if self.output.is_stopped() && self.termios.input & (raw::IXON | raw::IXANY) == raw::IXON | raw::IXANY {
            self.start(effects);
        }
    }

    /// Lets output go, unless a call stopped it.
    pub(crate) fn start(&mut self, effects: &mut Effects) {
        if !self.stopped_by_call && self.output.start() {
            effects.output = true;
            effects.writable = true;
            self.note_packet(raw::TIOCPKT_START, raw::TIOCPKT_STOP, effects);
        }
    }

    /// Holds output back.
    pub(crate) fn stop(&mut self, effects: &mut Effects) {
        if !self.output.is_stopped() {
            self.output.stop();
            self.note_packet(raw::TIOCPKT_STOP, raw::TIOCPKT_START, effects);
        }
    }

    /// Has the master told of `event`, and no longer of `opposite`, if it wants to know.
    pub(crate) fn note_packet(&mut self, event: u32, opposite: u32, effects: &mut Effects) {
        if let Some(events) = &mut self.packets {
            *events = *events & !(opposite as u8) | event as u8;
            effects.output = true;
        }
    }

    pub(crate) fn discard_input(&mut self, effects: &mut Effects) {
        self.input.clear();
        self.erasing = false;
        self.note_packet(raw::TIOCPKT_FLUSHREAD, 0, effects);
        self.input_taken(effects);
    }

    pub(crate) fn discard_output(&mut self, effects: &mut Effects) {
        self.output.clear();
        effects.writable = true;
        self.note_packet(raw::TIOCPKT_FLUSHWRITE, 0, effects);
    }

    pub(crate) fn before_echo(&mut self) {
        self.finish_erasing();
        if self.input.is_line_empty() {
            self.output.begin_line();
        }
    }

    /// Shows a byte; control characters as `^X` if so set (ECHOCTL).
    pub(crate) fn echo(&mut self, byte: u8) {
        if self.termios.local_has(raw::ECHOCTL) && crate::bytes::is_control(byte) && byte != b'\t' {
            self.output.echo_caret(byte);
        } else {
            self.output.echo(byte, &self.termios);
        }
    }

    pub(crate) fn finish_erasing(&mut self) {
        if core::mem::take(&mut self.erasing) {
            self.output.echo(b'/', &self.termios);
        }
    }

    #[inline]
    fn is_special(&self, byte: u8) -> bool {
        self.special.get(usize::from(byte / 64)).is_some_and(|word| word & (1 << (byte % 64)) != 0)
    }
}
