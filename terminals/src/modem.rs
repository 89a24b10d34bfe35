//! A serial line's own commands: breaks and the modem's lines (`ioctl_tty(2)`).
use crate::terminal::{Device, Terminal};
use abi::Errno;
use abi::raw::general::{TIOCM_DTR, TIOCM_LOOP, TIOCM_OUT1, TIOCM_OUT2, TIOCM_RTS};
use abi::raw::ioctl::*;
use memory::UserPtr;
use sync::{Sleep, WaitError, WaitQueue};

/// How long a break is that nobody measured, and the unit of TCSBRKP, in nanoseconds.
const BREAK: u64 = 250_000_000;
const TENTH: u64 = 100_000_000;
/// The lines that programs may set.
const SETTABLE: u32 = TIOCM_DTR | TIOCM_RTS | TIOCM_OUT1 | TIOCM_OUT2 | TIOCM_LOOP;

/// TCSBRK, TCSBRKP, TIOCSBRK and TIOCCBRK, once the output has gone out. A pseudo-terminal has no line to hold low. EINTR.
pub fn send_break(terminal: &Terminal, command: u32, argument: usize) -> Result<(), Errno> {
    let Some(Device { driver, .. }) = &terminal.device else { return Ok(()) };
    let length = match command {
        TIOCSBRK | TIOCCBRK => {
            driver.set_break(command == TIOCSBRK);
            return Ok(());
        }
        // Only to wait (tcdrain(3)).
        TCSBRK if argument != 0 => return Ok(()),
        TCSBRKP if argument != 0 => TENTH.saturating_mul(argument as u64),
        _ => BREAK,
    };
    driver.set_break(true);
    let end = sync::now().saturating_add(length);
    let slept = WaitQueue::new().wait(Sleep::Interruptible, Some(end), || None::<()>);
    driver.set_break(false);
    if slept == Err(WaitError::Interrupted) { Err(Errno::EINTR) } else { Ok(()) }
}

/// TIOCMGET, TIOCMSET, TIOCMBIS, TIOCMBIC. ENOTTY where there are no such lines; `None` for other commands.
pub fn control(terminal: &Terminal, command: u32, argument: usize) -> Option<Result<usize, Errno>> {
    if ![TIOCMGET, TIOCMSET, TIOCMBIS, TIOCMBIC].contains(&command) {
        return None;
    }
    let Some(Device { driver, .. }) = &terminal.device else { return Some(Err(Errno::ENOTTY)) };
    if command == TIOCMGET {
        return Some(UserPtr::new(argument).write(&driver.modem()).map(|()| 0));
    }
    let change = UserPtr::<u32>::new(argument).read().map(|lines| {
        let lines = lines & SETTABLE;
        match command {
            TIOCMSET => driver.change_modem(lines, SETTABLE & !lines),
            TIOCMBIS => driver.change_modem(lines, 0),
            _ => driver.change_modem(0, lines),
        }
        0
    });
    Some(change)
}
