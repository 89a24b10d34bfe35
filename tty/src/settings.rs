//! Changing a terminal: settings, flushing, flow, window (`ioctl_tty(2)`).

use crate::{Effects, LineDiscipline, Signal, Special, Termios, WindowSize};
use abi::raw::general as raw;

/// When new settings take effect (TCSETS, TCSETSW, TCSETSF).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Apply {
    Now,
    AfterDrain,
    AfterDrainAndFlush,
}

impl Apply {
    /// Whether the caller must first wait, interruptibly, until the output has gone out.
    #[must_use]
    pub fn waits(self) -> bool {
        self != Self::Now
    }

    /// Whether it must throw away input, before it waits.
    #[must_use]
    pub fn flushes(self) -> bool {
        self == Self::AfterDrainAndFlush
    }
}

/// What `tcflush(3)` throws away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flush {
    Input,
    Output,
    Both,
}

impl Flush {
    /// From TCFLSH's argument; `None` is EINVAL.
    #[must_use]
    pub fn from_argument(argument: u32) -> Option<Self> {
        match argument {
            raw::TCIFLUSH => Some(Self::Input),
            raw::TCOFLUSH => Some(Self::Output),
            raw::TCIOFLUSH => Some(Self::Both),
            _ => None,
        }
    }
}

/// What `tcflow(3)` does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    StopOutput,
    StartOutput,
    /// Send the other side a STOP character.
    StopInput,
    /// Send it a START character.
    StartInput,
}

impl Flow {
    /// From TCXONC's argument; `None` is EINVAL.
    #[must_use]
    pub fn from_argument(argument: u32) -> Option<Self> {
        match argument {
            raw::TCOOFF => Some(Self::StopOutput),
            raw::TCOON => Some(Self::StartOutput),
            raw::TCIOFF => Some(Self::StopInput),
            raw::TCION => Some(Self::StartInput),
            _ => None,
        }
    }
}

impl LineDiscipline {
    #[must_use]
    pub fn termios(&self) -> &Termios {
        &self.termios
    }

    /// New settings, in effect at once. For what must come first, see [`Apply`].
    pub fn set_termios(&mut self, termios: Termios, effects: &mut Effects) {
        let old = core::mem::replace(&mut self.termios, termios);
        if old.canonical() != termios.canonical() {
            self.input.switch_mode(termios.canonical());
            self.erasing = false;
            self.literal_next = false;
        }
        self.find_special();
        self.note_flow_control(&old, effects);
        // Otherwise nothing could ever start it again.
        if old.input_has(raw::IXON) && !termios.input_has(raw::IXON) {
            self.start(effects);
        }
        effects.readable = true;
        effects.writable = true;
    }

    /// Whether a master in packet mode should heed Ctrl-S and Ctrl-Q itself has changed (ioctl_tty(2), TIOCPKT).
    fn note_flow_control(&mut self, old: &Termios, effects: &mut Effects) {
        let by_usual_keys = |termios: &Termios| {
            termios.input_has(raw::IXON) && termios.is(0o23, Special::Stop) && termios.is(0o21, Special::Start)
        };
        match (by_usual_keys(old), by_usual_keys(&self.termios)) {
            (false, true) => self.note_packet(raw::TIOCPKT_DOSTOP, raw::TIOCPKT_NOSTOP, effects),
            (true, false) => self.note_packet(raw::TIOCPKT_NOSTOP, raw::TIOCPKT_DOSTOP, effects),
            _ => {}
        }
    }

    pub fn flush(&mut self, what: Flush, effects: &mut Effects) {
        if what != Flush::Output {
            self.discard_input(effects);
        }
        if what != Flush::Input {
            self.discard_output(effects);
        }
    }

    pub fn flow(&mut self, what: Flow, effects: &mut Effects) {
        match what {
            Flow::StopOutput => {
                self.stopped_by_call = true;
                self.stop(effects);
            }
            Flow::StartOutput => {
                if core::mem::take(&mut self.stopped_by_call) {
                    self.start(effects);
                }
            }
            Flow::StopInput => self.send(Special::Stop, effects),
            Flow::StartInput => self.send(Special::Start, effects),
        }
    }

    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.output.is_stopped()
    }

    #[must_use]
    pub fn window(&self) -> WindowSize {
        self.window
    }

    /// A new size of the window; tells the foreground group if it is another.
    pub fn set_window(&mut self, window: WindowSize, effects: &mut Effects) {
        if self.window != window {
            self.window = window;
            effects.signals.add(Signal::WindowChanged);
        }
    }

    fn send(&mut self, special: Special, effects: &mut Effects) {
        if let Some(byte) = self.termios.special(special) {
            self.output.send(byte);
            effects.output = true;
        }
    }

    /// Finds the bytes that need more than queueing and echoing.
    pub(crate) fn find_special(&mut self) {
        let termios = &self.termios;
        let looks_at = raw::ISTRIP | raw::IUCLC | raw::IGNCR | raw::ICRNL | raw::INLCR | raw::IXON | raw::PARMRK;
        self.raw = !termios.input_has(looks_at) && !termios.local_has(raw::ICANON | raw::ISIG | raw::ECHO);
        self.special = [0; 4];
        let mut add = |byte: u8| {
            if let Some(word) = self.special.get_mut(usize::from(byte / 64)) {
                *word |= 1 << (byte % 64);
            }
        };
        if termios.input_has(raw::IGNCR | raw::ICRNL) {
            add(b'\r');
        }
        if termios.input_has(raw::INLCR) || termios.canonical() {
            add(b'\n');
        }
        use Special::{EndOfFile, EndOfLine, EndOfLine2, Erase, Interrupt, Kill, LiteralNext};
        use Special::{Quit, Reprint, Start, Stop, Suspend, WordErase};
        let extended = termios.canonical() && termios.local_has(raw::IEXTEN);
        let groups: [(bool, &[Special]); 4] = [
            (termios.canonical(), &[Erase, Kill, EndOfFile, EndOfLine]),
            (extended, &[WordErase, LiteralNext, EndOfLine2, Reprint]),
            (termios.input_has(raw::IXON), &[Start, Stop]),
            (termios.local_has(raw::ISIG), &[Interrupt, Quit, Suspend]),
        ];
        let wanted = groups.iter().filter(|(wanted, _)| *wanted).flat_map(|(_, specials)| specials.iter());
        wanted.filter_map(|&special| termios.special(special)).for_each(add);
    }
}
