//! `ioctl(2)` of a line (`ioctl_tty(2)`).
use crate::opening::Opening;
use crate::settings::{self, Form};
use crate::terminal::Terminal;
use crate::{caller, modem, owners};
use abi::Errno;
use abi::raw::general::{SIGINT, SIGQUIT, SIGTSTP, TCIFLUSH, TCIOFLUSH, TCOFLUSH};
use abi::raw::ioctl::*;
use alloc::sync::Arc;
use memory::UserPtr;
use tty::job_control::Attempt;
use tty::{Apply, Flow, Flush, WindowSize};
use vfs::OpenFile;

/// The line discipline that there is (linux/tty.h).
const N_TTY: u32 = 0;

/// Of a line's own opening. EIO once it is hung up, but ENOTTY for TIOCSPGRP.
pub fn of_line(opening: &Opening, file: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
    opening.check_line().map_err(|error| if command == TIOCSPGRP { Errno::ENOTTY } else { error })?;
    let terminal = &opening.terminal;
    if let Some(answer) = modem::control(terminal, command, argument) {
        return answer;
    }
    match command {
        TCXONC | TCFLSH | TCSBRK | TCSBRKP | TIOCSBRK | TIOCCBRK => flow(opening, command, argument),
        TIOCINQ => {
            let count = terminal.look(|state| state.discipline().input_queued());
            UserPtr::new(argument).write(&(count as u32)).map(|()| 0)
        }
        TIOCSTI => type_in(terminal, argument),
        TIOCVHANGUP if caller::is_administrator() => {
            terminal.hang_up();
            Ok(0)
        }
        TIOCVHANGUP => Err(Errno::EPERM),
        _ => common(terminal, Some(opening), file, command, argument),
    }
}

/// What both sides of a pseudo-terminal answer alike; `opening` is that of the line itself. ENOTTY for what is unknown.
pub fn common(
    terminal: &Arc<Terminal>,
    opening: Option<&Opening>,
    file: &OpenFile,
    command: u32,
    argument: usize,
) -> Result<usize, Errno> {
    if let Some(form) = reads_settings(command) {
        let now = terminal.look(|state| *state.discipline().termios());
        return settings::get(&now, form, argument).map(|()| 0);
    }
    if let Some((form, apply)) = writes_settings(command) {
        return settings::set(terminal, opening, form, apply, argument).map(|()| 0);
    }
    let write = |value: u32| UserPtr::new(argument).write(&value).map(|()| 0);
    match command {
        TIOCGWINSZ => get_window(terminal, argument),
        TIOCSWINSZ => set_window(terminal, argument),
        TIOCOUTQ => write(unsent(terminal, opening)),
        TIOCEXCL | TIOCNXCL => {
            terminal.look(|state| state.exclusive = command == TIOCEXCL);
            Ok(0)
        }
        TIOCGEXCL => write(u32::from(terminal.look(|state| state.exclusive))),
        TIOCGETD => write(N_TTY),
        TIOCSETD => set_discipline(terminal, argument),
        TIOCGDEV => write(terminal.number().encode() as u32),
        _ => owners::control(terminal, opening.is_none(), file, command, argument),
    }
}

fn reads_settings(command: u32) -> Option<Form> {
    match command {
        TCGETS => Some(Form::Plain),
        TCGETS2 => Some(Form::WithSpeeds),
        TCGETA => Some(Form::Short),
        _ => None,
    }
}

fn writes_settings(command: u32) -> Option<(Form, Apply)> {
    Some(match command {
        TCSETS => (Form::Plain, Apply::Now),
        TCSETSW => (Form::Plain, Apply::AfterDrain),
        TCSETSF => (Form::Plain, Apply::AfterDrainAndFlush),
        TCSETS2 => (Form::WithSpeeds, Apply::Now),
        TCSETSW2 => (Form::WithSpeeds, Apply::AfterDrain),
        TCSETSF2 => (Form::WithSpeeds, Apply::AfterDrainAndFlush),
        TCSETA => (Form::Short, Apply::Now),
        TCSETAW => (Form::Short, Apply::AfterDrain),
        TCSETAF => (Form::Short, Apply::AfterDrainAndFlush),
        _ => return None,
    })
}

/// Flushing, flow control, breaks, and waiting for output.
fn flow(opening: &Opening, command: u32, argument: usize) -> Result<usize, Errno> {
    let terminal = &opening.terminal;
    if command != TIOCCBRK {
        caller::check(terminal, Attempt::Change)?;
    }
    match command {
        TCFLSH => flush(terminal, Flush::from_argument(argument as u32).ok_or(Errno::EINVAL)?),
        TCXONC => {
            let flow = Flow::from_argument(argument as u32).ok_or(Errno::EINVAL)?;
            terminal.act(|state, effects| state.discipline().flow(flow, effects));
        }
        _ => {
            if command != TIOCCBRK {
                opening.drain()?;
            }
            modem::send_break(terminal, command, argument)?;
        }
    }
    Ok(0)
}

fn flush(terminal: &Terminal, what: Flush) {
    terminal.act(|state, effects| state.discipline().flush(what, effects));
    if let (true, Some(device)) = (what != Flush::Input, &terminal.device) {
        device.driver.discard();
    }
}

/// TCFLSH of a master: what it has not read is the line's output. EINVAL.
pub fn flush_master(terminal: &Terminal, argument: usize) -> Result<usize, Errno> {
    let mirrored = match argument as u32 {
        TCIFLUSH => TCOFLUSH,
        TCOFLUSH => TCIFLUSH,
        TCIOFLUSH => TCIOFLUSH,
        _ => return Err(Errno::EINVAL),
    };
    flush(terminal, Flush::from_argument(mirrored).ok_or(Errno::EINVAL)?);
    Ok(0)
}

/// Bytes on their way: none where the other side is a master, which has them already.
fn unsent(terminal: &Terminal, opening: Option<&Opening>) -> u32 {
    match (&terminal.device, opening) {
        (Some(device), Some(_)) => {
            let queued = terminal.look(|state| state.discipline().output_queued());
            (queued + device.driver.unsent()) as u32
        }
        _ => 0,
    }
}

fn get_window(terminal: &Terminal, argument: usize) -> Result<usize, Errno> {
    let WindowSize { rows, columns, x_pixels, y_pixels } = terminal.look(|state| state.discipline().window());
    UserPtr::new(argument).write(&abi::terminal::WindowSize { rows, columns, x_pixels, y_pixels }).map(|()| 0)
}

fn set_window(terminal: &Terminal, argument: usize) -> Result<usize, Errno> {
    let abi::terminal::WindowSize { rows, columns, x_pixels, y_pixels } = UserPtr::new(argument).read()?;
    let window = WindowSize { rows, columns, x_pixels, y_pixels };
    terminal.act(|state, effects| state.discipline().set_window(window, effects));
    Ok(0)
}

/// TIOCSETD: there is one line discipline.
fn set_discipline(terminal: &Terminal, argument: usize) -> Result<usize, Errno> {
    let wanted: u32 = UserPtr::new(argument).read()?;
    caller::check(terminal, Attempt::Change)?;
    if wanted == N_TTY {
        return Ok(0);
    }
    task::stub("terminals: line disciplines other than N_TTY");
    Err(Errno::EINVAL)
}

/// TIOCSTI: as if the byte had been typed. EPERM.
fn type_in(terminal: &Terminal, argument: usize) -> Result<usize, Errno> {
    let own = caller::with(|task| caller::is_controlled(task, terminal)).unwrap_or(true);
    if !own && !caller::is_administrator() {
        return Err(Errno::EPERM);
    }
    let byte: u8 = UserPtr::new(argument).read()?;
    terminal.act(|state, effects| state.discipline().receive(&[byte], effects));
    Ok(0)
}

/// TIOCSIG of a master: a signal to the line's foreground group. EINVAL for all but those that keys send.
pub fn signal(terminal: &Terminal, argument: usize) -> Result<usize, Errno> {
    let number = argument as u32;
    if ![SIGINT, SIGQUIT, SIGTSTP].contains(&number) {
        return Err(Errno::EINVAL);
    }
    if let Some(group) = terminal.owners().1 {
        task::signals::send_to_group(group, number, task::signals::Information::kernel());
    }
    Ok(0)
}
