//! An opening of a terminal as a file.
use crate::terminal::{State, Terminal};
use crate::{caller, control, session};
use abi::Errno;
use abi::file::{OpenFlags, PollEvents};
use abi::time::Timespec;
use alloc::sync::Arc;
use memory::{Reader, Writer};
use sync::Registrations;
use tty::Effects;
use vfs::{FileOperations, OpenFile, Times};

/// An opening of a line, by its own name or as the console.
pub struct Opening {
    pub(crate) terminal: Arc<Terminal>,
    /// As often as the line had been hung up then.
    hang_ups: u32,
    /// By `/dev/console`: neither hung up nor subject to job control's stops.
    pub(crate) is_console: bool,
}

/// Opens a line. EIO of a pseudo-terminal that is locked or has no master; EBUSY.
pub fn open(terminal: &Arc<Terminal>, flags: OpenFlags, is_console: bool) -> Result<Arc<dyn FileOperations>, Errno> {
    let privileged = caller::is_administrator();
    let hang_ups = terminal.look(|state| {
        if state.exclusive && !privileged {
            return Err(Errno::EBUSY);
        }
        if state.pair().is_some_and(|pair| !pair.open_slave()) {
            return Err(Errno::EIO);
        }
        state.opens += 1;
        Ok(state.hang_ups)
    })?;
    let opening = Arc::new(Opening { terminal: terminal.clone(), hang_ups, is_console });
    let no_terminal = is_console || flags.contains(OpenFlags::NO_CONTROLLING_TERMINAL);
    session::acquire_by_opening(terminal, no_terminal, flags.reads());
    Ok(opening)
}

impl Opening {
    /// Whether the line was hung up since it was opened.
    pub(crate) fn is_hung_up(&self, state: &mut State) -> bool {
        let hung_up = state.hang_ups != self.hang_ups && !self.is_console;
        hung_up || state.pair().is_some_and(|pair| pair.is_hung_up())
    }

    /// EIO once it was hung up.
    pub(crate) fn check_line(&self) -> Result<(), Errno> {
        if self.terminal.look(|state| self.is_hung_up(state)) { Err(Errno::EIO) } else { Ok(()) }
    }
}

pub(crate) fn may_wait(file: &OpenFile) -> bool {
    !file.flags().contains(OpenFlags::NON_BLOCKING)
}

/// Notes that the terminal is in use, for idle times; in steps of eight seconds, so that nobody can measure what is typed
/// (tty_update_time).
fn touch(file: &OpenFile, which: impl FnOnce(&mut Times) -> &mut Timespec) {
    let now = file.inode().superblock().now();
    file.inode().change_times(|times| {
        let time = which(times);
        if (time.seconds ^ now.seconds) & !7 != 0 {
            time.seconds = now.seconds;
        }
    });
}

impl FileOperations for Opening {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        let count = self.take(into, may_wait(file))?;
        touch(file, |times| &mut times.accessed);
        Ok(count)
    }

    fn write(&self, file: &OpenFile, _: &mut u64, from: &mut Reader<'_>) -> Result<usize, Errno> {
        let count = self.give(from, may_wait(file))?;
        touch(file, |times| &mut times.modified);
        Ok(count)
    }

    fn poll(&self, _: &OpenFile, registrations: Option<&mut Registrations>) -> PollEvents {
        let own = &self.terminal.own;
        if let Some(registrations) = registrations
            && !(registrations.add(&own.readers) && registrations.add(&own.writers))
        {
            return PollEvents::ERROR;
        }
        self.terminal.look(|state| {
            let (input, output) =
                (PollEvents::IN | PollEvents::READ_NORMAL, PollEvents::OUT | PollEvents::WRITE_NORMAL);
            if self.is_hung_up(state) {
                return input | output | PollEvents::ERROR | PollEvents::HANG_UP;
            }
            let mut events = PollEvents::empty();
            events.set(input, state.discipline().is_readable());
            events.set(output, state.discipline().is_writable());
            events
        })
    }

    fn ioctl(&self, file: &OpenFile, command: u32, argument: usize) -> Result<usize, Errno> {
        control::of_line(self, file, command, argument)
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let was_last = self.terminal.act(|state, effects: &mut Effects| {
            state.opens = state.opens.saturating_sub(1);
            if let Some(pair) = state.pair() {
                pair.close_slave(effects);
            }
            state.opens == 0
        });
        // A pseudo-terminal's slave is kept open by its master (tty_release).
        if was_last && !self.terminal.is_pair() {
            session::forget(&self.terminal);
        }
    }
}
