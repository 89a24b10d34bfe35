//! Reading and writing at a program's side.
use crate::caller;
use crate::opening::Opening;
use abi::Errno;
use abi::raw::general::TOSTOP;
use memory::{Reader, Writer};
use sync::{Sleep, WaitError};
use tty::job_control::Attempt;
use tty::{ReadRequest, Step};

/// Bytes that pass through a kernel stack at a time.
const PIECE: usize = 512;

/// What a read came to that ends before its time: what it has, or else its error.
pub(crate) fn so_far(done: usize, error: Errno) -> Result<usize, Errno> {
    if done > 0 { Ok(done) } else { Err(error) }
}

impl Opening {
    /// `read(2)`.
    pub(crate) fn take(&self, into: &mut Writer<'_>, may_wait: bool) -> Result<usize, Errno> {
        if self.check_line().is_err() {
            return Ok(0);
        }
        self.check_reader()?;
        let _turn = self.terminal.own.reading.take(may_wait)?;
        let mut request = self.terminal.look(|state| state.discipline().begin_read(sync::now()));
        let mut piece = [0; PIECE];
        let mut total = 0;
        while !into.is_empty() {
            let length = piece.len().min(into.remaining());
            match self.step(&mut request, &mut piece[..length]) {
                None | Some(Step::TimeUp) => break,
                Some(Step::Copied { count, done }) => {
                    into.write(&piece[..count])?;
                    total += count;
                    if done {
                        break;
                    }
                }
                Some(Step::Wait { .. }) if !may_wait => return so_far(total, Errno::EAGAIN),
                Some(Step::Wait { until }) => {
                    if let Err(error) = self.await_input(until) {
                        return so_far(total, error);
                    }
                }
            }
        }
        Ok(total)
    }

    /// At the start and after every sleep (POSIX, 11.1.4).
    fn check_reader(&self) -> Result<(), Errno> {
        if self.is_console { Ok(()) } else { caller::check(&self.terminal, Attempt::Read) }
    }

    /// The next step of a read; `None` once the line is hung up.
    fn step(&self, request: &mut ReadRequest, into: &mut [u8]) -> Option<Step> {
        self.terminal.act(|state, effects| {
            let hung_up = self.is_hung_up(state);
            (!hung_up).then(|| request.step(state.discipline(), into, sync::now(), effects))
        })
    }

    /// Sleeps until there is input or it is time for the next step. EINTR; what job control says.
    fn await_input(&self, until: Option<u64>) -> Result<(), Errno> {
        let look = || {
            let found = self.terminal.look(|state| self.is_hung_up(state) || state.discipline().has_input());
            found.then_some(())
        };
        match self.terminal.own.readers.wait(Sleep::Interruptible, until, look) {
            Err(WaitError::Interrupted) => Err(Errno::EINTR),
            _ => self.check_reader(),
        }
    }

    /// `write(2)`.
    pub(crate) fn give(&self, from: &mut Reader<'_>, may_wait: bool) -> Result<usize, Errno> {
        self.check_line()?;
        let tostop = self.terminal.look(|state| state.discipline().termios().local & TOSTOP != 0);
        if !self.is_console {
            caller::check(&self.terminal, Attempt::Write { tostop })?;
        }
        let _turn = self.terminal.own.writing.take(may_wait)?;
        let mut done = 0;
        while !from.is_empty() {
            let mut piece = [0; PIECE];
            let length = match from.read(&mut piece) {
                Ok(length) => length,
                Err(error) => return so_far(done, error),
            };
            let mut rest = &piece[..length];
            while !rest.is_empty() {
                match self.give_some(rest, may_wait) {
                    Ok(taken) => {
                        done += taken;
                        rest = &rest[taken..];
                    }
                    Err(error) => return so_far(done, error),
                }
            }
        }
        Ok(done)
    }

    /// Writes at least one byte.
    fn give_some(&self, bytes: &[u8], may_wait: bool) -> Result<usize, Errno> {
        let give = || {
            self.terminal.act(|state, effects| {
                if self.is_hung_up(state) {
                    return Some(Err(Errno::EIO));
                }
                let taken = state.discipline().write(bytes, effects);
                (taken > 0).then_some(Ok(taken))
            })
        };
        if !may_wait {
            return give().unwrap_or(Err(Errno::EAGAIN));
        }
        self.terminal.own.writers.wait(Sleep::Interruptible, None, give).unwrap_or(Err(Errno::EINTR))
    }

    /// Waits until what was written has gone out (`tcdrain(3)`); what the master of a pseudo-terminal has not read counts as
    /// gone, as on Linux. EINTR.
    pub(crate) fn drain(&self) -> Result<(), Errno> {
        let Some(device) = &self.terminal.device else { return Ok(()) };
        let gone = || {
            let queued =
                self.terminal.look(|state| if self.is_hung_up(state) { 0 } else { state.discipline().output_queued() });
            (queued == 0 && device.driver.unsent() == 0).then_some(())
        };
        let mut registrations = sync::Registrations::for_current(2).ok_or(Errno::ENOMEM)?;
        if !(registrations.add(&self.terminal.own.writers) && registrations.add(device.driver.moved())) {
            return Err(Errno::ENOMEM);
        }
        registrations.wait(None, gone).map_err(|_| Errno::EINTR)
    }
}
