//! The user's own terminal: raw while an interactive command runs, and as it was afterwards on every way out.

use anyhow::{Context, Result};
use rustix::termios::{OptionalActions, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr};
use std::io;
use std::sync::Mutex;

/// The settings to go back to; in one place, because a panic must find them too.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The key that ends the machine: Ctrl-].
pub const QUIT: u8 = 0x1d;

/// Raw mode, until dropped.
pub struct Raw(());

impl Raw {
    /// Switches standard input's terminal to raw mode; nothing happens when it is not a terminal.
    pub fn enter() -> Result<Option<Self>> {
        let Ok(before) = tcgetattr(io::stdin()) else {
            return Ok(None);
        };
        let mut raw = before.clone();
        raw.make_raw();
        *BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(before);
        std::panic::set_hook(Box::new(|info| {
            restore();
            eprintln!("birgus: {info}");
        }));
        tcsetattr(io::stdin(), OptionalActions::Flush, &raw).context("cannot set the terminal")?;
        Ok(Some(Self(())))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &before);
    }
}

/// Rows and columns of the terminal, or the classical ones.
pub fn size() -> (u16, u16) {
    match tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(io::stdin())) {
        Ok(Winsize { ws_row, ws_col, .. }) if ws_row > 0 && ws_col > 0 => (ws_row, ws_col),
        _ => (24, 80),
    }
}
