//! `ioctl(2)` about sessions and foreground groups (`ioctl_tty(2)`).
use crate::caller;
use crate::session::{self, errno_of};
use crate::terminal::Terminal;
use abi::Errno;
use abi::raw::ioctl::{TIOCGPGRP, TIOCGSID, TIOCNOTTY, TIOCSCTTY, TIOCSPGRP};
use alloc::sync::Arc;
use memory::UserPtr;
use task::{Task, groups};
use tty::job_control::{Attempt, check_foreground};
use vfs::OpenFile;

/// ENOTTY for what is none of these.
pub fn control(
    terminal: &Arc<Terminal>,
    by_master: bool,
    file: &OpenFile,
    command: u32,
    argument: usize,
) -> Result<usize, Errno> {
    let answer = caller::with(|task| match command {
        TIOCGPGRP => {
            check_own(task, terminal, by_master)?;
            UserPtr::new(argument).write(&terminal.owners().1.unwrap_or(0)).map(|()| 0)
        }
        TIOCGSID => {
            check_own(task, terminal, by_master)?;
            UserPtr::new(argument).write(&terminal.owners().0.ok_or(Errno::ENOTTY)?).map(|()| 0)
        }
        TIOCSPGRP => set_foreground(task, terminal, argument),
        TIOCSCTTY => session::acquire(task, terminal, argument == 1, file.check_readable().is_ok()).map(|()| 0),
        TIOCNOTTY if by_master => Err(Errno::ENOTTY),
        TIOCNOTTY => session::give_up(task, terminal).map(|()| 0),
        _ => Err(Errno::ENOTTY),
    });
    answer.unwrap_or(Err(Errno::ENOTTY))
}

/// The master may ask about its line's owners; others only about their own terminal's.
fn check_own(task: &Task, terminal: &Terminal, by_master: bool) -> Result<(), Errno> {
    if by_master || caller::is_controlled(task, terminal) { Ok(()) } else { Err(Errno::ENOTTY) }
}

fn set_foreground(task: &Task, terminal: &Terminal, argument: usize) -> Result<usize, Errno> {
    caller::check(terminal, Attempt::Change)
        .map_err(|error| if error == Errno::EIO { Errno::ENOTTY } else { error })?;
    let group: i32 = UserPtr::new(argument).read()?;
    let of_group = u32::try_from(group).ok().and_then(groups::session_of);
    let (session, caller) = (task.process.session(), caller::describe(task, terminal));
    check_foreground(&caller, session, terminal.owners().0, group, of_group).map_err(errno_of)?;
    terminal.look(|state| {
        // Unless the session lost the terminal just now.
        if state.session == Some(session) {
            state.foreground = Some(group as u32);
        }
    });
    Ok(0)
}
