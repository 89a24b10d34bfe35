//! What a terminal's owner must do after a call, once it has dropped the terminal's lock.

/// Signals that a terminal sends to its foreground process group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Signal {
    /// SIGINT.
    Interrupt,
    /// SIGQUIT.
    Quit,
    /// SIGTSTP.
    Suspend,
    /// SIGWINCH.
    WindowChanged,
}

/// A set of [`Signal`]s.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Signals(u8);

impl Signals {
    pub(crate) fn add(&mut self, signal: Signal) {
        self.0 |= 1 << signal as u8;
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub fn contains(self, signal: Signal) -> bool {
        self.0 & (1 << signal as u8) != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Signal> {
        let all = [Signal::Interrupt, Signal::Quit, Signal::Suspend, Signal::WindowChanged];
        all.into_iter().filter(move |&signal| self.contains(signal))
    }
}

/// Filled by the calls that take it; several calls may fill the same one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Effects {
    /// To send to the foreground process group.
    pub signals: Signals,
    /// Readers and pollers should look again.
    pub readable: bool,
    /// Writers and pollers should look again.
    pub writable: bool,
    /// There may be output that the device, or the master, can take.
    pub output: bool,
    /// Input that was refused for lack of room may be offered again.
    pub room: bool,
}
