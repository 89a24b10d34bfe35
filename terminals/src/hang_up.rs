//! Hanging up.
use crate::session;
use crate::terminal::Terminal;
use tty::Flush;

impl Terminal {
    /// Ends all openings of the line; whose terminal it is does not change.
    pub(crate) fn hang_up_line(&self) {
        self.act(|state, effects| {
            state.hang_ups = state.hang_ups.wrapping_add(1);
            state.discipline().flush(Flush::Both, effects);
            effects.readable = true;
            effects.writable = true;
        });
    }

    /// The carrier is gone (`vhangup(2)`, the master's end): the session loses its terminal, and openings end.
    pub(crate) fn hang_up(&self) {
        session::lose(self);
        self.hang_up_line();
    }
}
