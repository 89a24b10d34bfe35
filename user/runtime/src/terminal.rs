//! Terminals and pseudo-terminals.

use crate::call::{Result, call, number};
use crate::{Descriptor, O_CLOEXEC, O_NOCTTY, O_RDWR, Text, open};

const TIOCSCTTY: usize = 0x540E;
const TIOCSWINSZ: usize = 0x5414;
const TIOCGPTN: usize = 0x8004_5430;
const TIOCSPTLCK: usize = 0x4004_5431;

/// Makes a terminal the controlling terminal of the session that the caller leads.
///
/// # Errors
/// `TIOCSCTTY(2const)`.
pub fn take_terminal(terminal: Descriptor) -> Result<()> {
    // SAFETY: no pointers.
    unsafe { call(number::IOCTL, [terminal as usize, TIOCSCTTY, 0, 0, 0, 0]).map(drop) }
}

/// Tells a terminal its size, and its foreground group by SIGWINCH.
pub fn set_window_size(terminal: Descriptor, rows: u16, columns: u16) {
    let size = [rows, columns, 0, 0];
    // SAFETY: `struct winsize` is four 16-bit numbers.
    let _ = unsafe { call(number::IOCTL, [terminal as usize, TIOCSWINSZ, size.as_ptr() as usize, 0, 0, 0]) };
}

/// A new pseudo-terminal: the master's and the slave's end.
///
/// # Errors
/// pty(7).
pub fn pseudo_terminal() -> Result<(Descriptor, Descriptor)> {
    let master = open(c"/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)?;
    let (mut number, locked) = (0_u32, 0_u32);
    let place = core::ptr::from_ref(&locked) as usize;
    // SAFETY: each reads or writes one integer.
    unsafe {
        call(number::IOCTL, [master as usize, TIOCSPTLCK, place, 0, 0, 0])?;
        call(number::IOCTL, [master as usize, TIOCGPTN, core::ptr::from_mut(&mut number) as usize, 0, 0, 0])?;
    }
    let mut path = Text::<32>::new();
    path.put(b"/dev/pts/").number(u64::from(number));
    let slave = open(path.path().unwrap_or(c"/dev/pts/0"), O_RDWR | O_NOCTTY | O_CLOEXEC)?;
    Ok((master, slave))
}
