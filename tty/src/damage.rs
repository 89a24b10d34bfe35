//! What a line brings beside good bytes: breaks and bytes with errors (`termios(3)`: IGNBRK, BRKINT, PARMRK, INPCK, IGNPAR).

use crate::{Effects, LineDiscipline, Signal};
use abi::raw::general as raw;

impl LineDiscipline {
    /// The line was held low for longer than a character.
    pub fn receive_break(&mut self, effects: &mut Effects) {
        if self.termios.input_has(raw::IGNBRK) {
            return;
        }
        if self.termios.input_has(raw::BRKINT) {
            return self.signal(Signal::Interrupt, effects);
        }
        self.receive_marked(0, effects);
    }

    /// A byte came with a parity or framing error.
    pub fn receive_damaged(&mut self, byte: u8, effects: &mut Effects) {
        if !self.termios.input_has(raw::INPCK) {
            self.queue_as_is(&[byte], effects);
        } else if !self.termios.input_has(raw::IGNPAR) {
            self.receive_marked(byte, effects);
        }
    }

    /// As NUL, or as itself with a mark in front that no good byte can be taken for (PARMRK).
    fn receive_marked(&mut self, byte: u8, effects: &mut Effects) {
        if self.termios.input_has(raw::PARMRK) {
            self.queue_as_is(&[0xFF, 0, byte], effects);
        } else {
            self.queue_as_is(&[0], effects);
        }
    }

    fn queue_as_is(&mut self, bytes: &[u8], effects: &mut Effects) {
        self.input.drop_excess();
        self.input.extend(bytes);
        effects.readable |= !self.termios.canonical();
    }
}
