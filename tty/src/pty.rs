//! A pseudo-terminal: a slave that is a terminal to programs, and a master that is its keyboard and screen (`pty(7)`).

use crate::{Effects, Flush, LineDiscipline, Termios};
use abi::raw::general as raw;
use alloc::collections::TryReserveError;

/// Pages of the slave's output queue: what programs may write before the master reads.
const OUTPUT_PAGES: usize = 4;

/// What the master's read finds.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PtyRead {
    Data(usize),
    /// Nothing yet.
    Wait,
    /// Nothing, and the slave has been closed by all: EIO, until it is opened again.
    Closed,
}

/// Both sides, under one lock. The effects of the master's calls concern the slave's readers and writers and the slave's
/// foreground group; of those of the slave's calls, `output` and `room` concern the master's.
#[derive(Debug)]
pub struct PtyPair {
    pub slave: LineDiscipline,
    opens: usize,
    /// The slave has been open, and is no more.
    slave_closed: bool,
    master_closed: bool,
    locked: bool,
}

impl PtyPair {
    /// As after `posix_openpt(3)`: the master is open, the slave locked and not open. Allocates.
    pub fn try_new() -> Result<Self, TryReserveError> {
        let slave = LineDiscipline::try_new(Termios::for_slave(), OUTPUT_PAGES)?;
        Ok(Self { slave, opens: 0, slave_closed: false, master_closed: false, locked: true })
    }

    /// TIOCSPTLCK, `unlockpt(3)`.
    pub fn set_locked(&mut self, locked: bool) {
        self.locked = locked;
    }

    /// TIOCGPTLCK.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// Counts an open of the slave; false (EIO) if it is locked or the master is gone.
    #[must_use]
    pub fn open_slave(&mut self) -> bool {
        let admitted = !self.locked && !self.master_closed;
        if admitted {
            self.opens += 1;
            self.slave_closed = false;
        }
        admitted
    }

    /// Counts a close of the slave. After the last, the master reads what is left, and then EIO.
    pub fn close_slave(&mut self, effects: &mut Effects) {
        self.opens = self.opens.saturating_sub(1);
        if self.opens == 0 {
            self.slave_closed = true;
            effects.output = true;
            effects.room = true;
        }
    }

    /// The master is gone: the slave is hung up. The caller sends SIGHUP and SIGCONT to the terminal's session leader and
    /// foreground group; from now on the slave's reads return 0 once they would wait, and its writes EIO.
    pub fn close_master(&mut self, effects: &mut Effects) {
        self.master_closed = true;
        self.slave.flush(Flush::Both, effects);
        effects.readable = true;
        effects.writable = true;
    }

    /// Whether the slave is hung up.
    #[must_use]
    pub fn is_hung_up(&self) -> bool {
        self.master_closed
    }

    /// Whether the master sees POLLHUP.
    #[must_use]
    pub fn is_slave_closed(&self) -> bool {
        self.slave_closed
    }

    /// Types at the slave; how many bytes it took. Fewer than all: wait for [`Effects::room`].
    pub fn write_master(&mut self, bytes: &[u8], effects: &mut Effects) -> usize {
        self.slave.receive(bytes, effects)
    }

    /// TIOCPKT: whether the master is told of flushes and flow control.
    pub fn set_packet_mode(&mut self, on: bool) {
        if on != self.packet_mode() {
            self.slave.packets = on.then_some(0);
        }
    }

    /// TIOCGPKT.
    #[must_use]
    pub fn packet_mode(&self) -> bool {
        self.slave.packets.is_some()
    }

    /// Whether the master's `poll(2)` says POLLPRI.
    #[must_use]
    pub fn has_packet_event(&self) -> bool {
        self.slave.packets.is_some_and(|events| events != 0)
    }

    /// Reads what the slave shows. In packet mode each read begins with a byte that says what follows: events alone, or data.
    pub fn read_master(&mut self, into: &mut [u8], effects: &mut Effects) -> PtyRead {
        let Some(events) = self.slave.packets else { return self.read_plain(into, effects) };
        let Some((header, rest)) = into.split_first_mut() else { return PtyRead::Wait };
        *header = events;
        if events != 0 {
            self.slave.packets = Some(0);
            return PtyRead::Data(1);
        }
        match self.read_plain(rest, effects) {
            PtyRead::Data(count) => PtyRead::Data(count + 1),
            other => other,
        }
    }

    fn read_plain(&mut self, into: &mut [u8], effects: &mut Effects) -> PtyRead {
        match self.slave.take_output(into, effects) {
            0 if self.slave_closed => PtyRead::Closed,
            0 => PtyRead::Wait,
            count => PtyRead::Data(count),
        }
    }

    /// Whether the master's `poll(2)` says POLLIN. (That the slave is closed is another event, POLLHUP.)
    #[must_use]
    pub fn is_master_readable(&self) -> bool {
        self.has_packet_event() || self.slave.output.takeable() > 0
    }

    /// Whether it says POLLOUT.
    #[must_use]
    pub fn is_master_writable(&self) -> bool {
        self.slave.accepts_input()
    }

    /// New settings of the slave: there is no line that could have another character size or parity.
    pub fn set_termios(&mut self, mut termios: Termios, effects: &mut Effects) {
        termios.control = (termios.control & !(raw::CSIZE | raw::PARENB)) | raw::CS8 | raw::CREAD;
        self.slave.set_termios(termios, effects);
    }
}
