//! Ends of a pipe: opening, closing, polling.
use super::{Flow, LEVELS, NO_READERS, NO_WRITERS, Pipe, READABLE, WRITABLE, Written};
use crate::Failure;
use abi::Errno;
use abi::raw::general::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use memory::{Reader, Writer};
use sync::thread::Sleep;
use sync::{Registrations, WaitQueue};

/// What an end was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    /// A FIFO opened with O_RDWR, which waits for nobody.
    ReadWrite,
}

impl Access {
    fn reads(self) -> bool {
        self != Self::Write
    }

    fn writes(self) -> bool {
        self != Self::Read
    }
}

/// One open file description's share in a pipe. Dropping it closes it, and may sleep.
pub struct PipeEnd {
    pipe: Arc<Pipe>,
    access: Access,
    /// Openings for writing when this end was opened without waiting for one: no hang-up is reported until there are more.
    unseen_writers: Option<u32>,
}

/// Ends of a pipe, and openings so far.
struct Others {
    readers: u32,
    writers: u32,
    reader_openings: u32,
    writer_openings: u32,
}

fn count_up(count: &AtomicU32) {
    count.fetch_add(1, Ordering::AcqRel);
}

/// True for the last one.
fn count_down(count: &AtomicU32) -> bool {
    count.fetch_sub(1, Ordering::AcqRel) == 1
}

impl PipeEnd {
    /// A new pipe's reading and writing end. ENOMEM.
    pub fn pair() -> Result<(Self, Self), Errno> {
        let pipe = Pipe::with(true)?;
        Ok((Self::join(&pipe, Access::Read).0, Self::join(&pipe, Access::Write).0))
    }

    /// Opens a FIFO, or a pipe of pipe(2) again. Unless `nonblocking`, the former waits until the other side is open too. ENXIO where
    /// a writer would have to wait but must not.
    pub fn open(pipe: &Arc<Pipe>, access: Access, nonblocking: bool) -> Result<Self, Failure> {
        if pipe.nameless {
            return Ok(Self::join(pipe, access).0);
        }
        if access == Access::Write && nonblocking && !pipe.has_readers() {
            return Err(Errno::ENXIO.into());
        }
        let (mut end, others) = Self::join(pipe, access);
        match access {
            Access::Read if others.writers != 0 => {}
            Access::Read if nonblocking => end.unseen_writers = Some(others.writer_openings),
            Access::Read => wait_for_change(&pipe.partners, &pipe.writer_openings, others.writer_openings)?,
            Access::Write if others.readers == 0 => {
                wait_for_change(&pipe.partners, &pipe.reader_openings, others.reader_openings)?;
            }
            Access::Write | Access::ReadWrite => {}
        }
        Ok(end)
    }

    /// Counts an end in; answers who was there when it was: a partner that this wakes may be gone again by the next look.
    fn join(pipe: &Arc<Pipe>, access: Access) -> (Self, Others) {
        let ring = pipe.ring.lock();
        let count = |counter: &AtomicU32| counter.load(Ordering::Acquire);
        let others = Others {
            readers: count(&pipe.readers),
            writers: count(&pipe.writers),
            reader_openings: count(&pipe.reader_openings),
            writer_openings: count(&pipe.writer_openings),
        };
        if access.reads() {
            count_up(&pipe.readers);
            count_up(&pipe.reader_openings);
        }
        if access.writes() {
            count_up(&pipe.writers);
            count_up(&pipe.writer_openings);
        }
        pipe.publish_ends(&ring);
        drop(ring);
        pipe.partners.wake_all();
        (Self { pipe: pipe.clone(), access, unseen_writers: None }, others)
    }

    pub fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    pub fn access(&self) -> Access {
        self.access
    }

    /// Reads (`read(2)`, `pipe(7)`): 0 at the end. EBADF; EFAULT; EAGAIN. Sleeps unless `flow` says otherwise.
    pub fn read(&self, to: &mut Writer, flow: Flow) -> Result<usize, Failure> {
        if !self.access.reads() {
            return Err(Errno::EBADF.into());
        }
        self.pipe.read(to, flow)
    }

    /// Writes (`write(2)`, `pipe(7)`). EBADF; EFAULT; EAGAIN; EPIPE. Sleeps unless `flow` says otherwise.
    pub fn write(&self, from: &mut Reader, flow: Flow) -> Written {
        if !self.access.writes() {
            return Written { bytes: 0, failure: Some(Errno::EBADF.into()) };
        }
        self.pipe.write(from, flow)
    }

    /// Joins the pollers; the caller looks at the end's readiness afterwards. ENOMEM.
    #[cold]
    pub fn register(&self, registrations: &mut Registrations) -> Result<(), Errno> {
        if self.access.reads() {
            self.pipe.readers_ready.register(registrations)?;
        }
        if self.access.writes() {
            self.pipe.writers_ready.register(registrations)?;
        }
        Ok(())
    }

    /// What the end is ready for, as poll(2) says it.
    #[inline]
    pub fn readiness(&self) -> u32 {
        let level = self.pipe.level.load(Ordering::Acquire) as usize % LEVELS;
        let mask = u32::from(READINESS[self.access as usize][level]);
        let hidden = mask & POLLHUP != 0
            && self.unseen_writers.is_some_and(|seen| seen == self.pipe.writer_openings.load(Ordering::Acquire));
        if hidden { mask & !POLLHUP } else { mask }
    }
}

/// For each access and each level of the pipe, what an end is ready for.
const READINESS: [[u16; LEVELS]; 3] = {
    let mut all = [[0; LEVELS]; 3];
    let mut level = 0;
    while level < LEVELS {
        let reading = when(level, READABLE, POLLIN | POLLRDNORM) | when(level, NO_WRITERS, POLLHUP);
        let writing = when(level, WRITABLE, POLLOUT | POLLWRNORM) | when(level, NO_READERS, POLLERR);
        all[Access::Read as usize][level] = reading;
        all[Access::Write as usize][level] = writing;
        all[Access::ReadWrite as usize][level] = reading | writing;
        level += 1;
    }
    all
};

const fn when(level: usize, bit: u32, mask: u32) -> u16 {
    if level as u32 & bit != 0 { mask as u16 } else { 0 }
}

fn wait_for_change(queue: &WaitQueue, openings: &AtomicU32, before: u32) -> Result<(), Failure> {
    let changed = || (openings.load(Ordering::Acquire) != before).then_some(());
    Ok(queue.wait(Sleep::Interruptible, None, changed)?)
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let pipe = &*self.pipe;
        let mut ring = pipe.ring.lock();
        let last_reader = self.access.reads() && count_down(&pipe.readers);
        let last_writer = self.access.writes() && count_down(&pipe.writers);
        if !pipe.has_readers() && !pipe.has_writers() {
            ring.clear();
        }
        pipe.publish_ends(&ring);
        drop(ring);
        if last_reader {
            pipe.writable.wake_all();
        }
        if last_writer {
            pipe.readable.wake_all();
        }
        if last_reader || last_writer {
            pipe.writers_ready.notify();
            pipe.readers_ready.notify();
        }
    }
}
