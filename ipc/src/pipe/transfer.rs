//! Reading and writing.
use super::{Pipe, READABLE, WRITABLE};
use crate::Failure;
use abi::Errno;
use memory::{Reader, Writer};
use sync::thread::Sleep;

/// How the open file description wants its transfers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flow {
    /// O_NONBLOCK.
    pub nonblocking: bool,
    /// O_DIRECT: each write of at most a page is a packet.
    pub packets: bool,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Written {
    /// Bytes that are in the pipe.
    pub bytes: usize,
    /// Why it ended before the last byte.
    pub failure: Option<Failure>,
}

impl Written {
    /// Whether the writer earns a SIGPIPE: also where part of the bytes went through before the last reader left.
    pub fn is_broken(&self) -> bool {
        self.failure == Some(Failure::Error(Errno::EPIPE))
    }

    /// What the call answers: a short count hides the failure.
    pub fn result(self) -> Result<usize, Failure> {
        match self.failure {
            Some(failure) if self.bytes == 0 => Err(failure),
            _ => Ok(self.bytes),
        }
    }
}

impl Pipe {
    /// Reads what is there, or waits for the first bytes. 0 where nobody can write any more.
    pub(super) fn read(&self, to: &mut Writer, flow: Flow) -> Result<usize, Failure> {
        if to.is_empty() {
            return Ok(0);
        }
        let mut waited = false;
        loop {
            let mut ring = self.ring.lock();
            if !ring.is_empty() {
                let was_full = ring.is_full();
                let outcome = ring.read(to);
                self.publish(&ring);
                let (made_room, left) = (was_full && !ring.is_full(), !ring.is_empty());
                drop(ring);
                self.after_read(made_room, waited && left);
                return outcome.map_err(Failure::from);
            }
            if !self.has_writers() {
                return Ok(0);
            }
            if flow.nonblocking {
                return Err(Errno::EAGAIN.into());
            }
            drop(ring);
            let ready = || (self.is(READABLE) || !self.has_writers()).then_some(());
            self.readable.wait_exclusive(Sleep::Interruptible, None, ready)?;
            waited = true;
        }
    }

    fn after_read(&self, made_room: bool, others_may_read: bool) {
        if made_room {
            self.writable.wake_one();
        }
        if others_may_read {
            self.readable.wake_one();
        }
        self.writers_ready.notify();
    }

    /// Writes everything, unless something comes in between.
    pub(super) fn write(&self, from: &mut Reader, flow: Flow) -> Written {
        let mut bytes = 0;
        let mut waited = false;
        let mut failure = None;
        while !from.is_empty() {
            let mut ring = self.ring.lock();
            let was_empty = ring.is_empty();
            let mut full = ring.is_full();
            if !self.has_readers() {
                failure = Some(Errno::EPIPE.into());
            } else {
                // Only the first part of a write may share a page: what follows starts pages of its own.
                let mut outcome = if bytes == 0 && !flow.packets { ring.merge(from) } else { Ok(0) };
                while let Ok(count) = outcome {
                    bytes += count;
                    full = ring.is_full();
                    if full || from.is_empty() {
                        break;
                    }
                    outcome = ring.append(from, flow.packets);
                }
                failure = outcome.err().map(Failure::from);
                self.publish(&ring);
            }
            drop(ring);
            if was_empty && bytes > 0 {
                self.readable.wake_one();
            }
            self.readers_ready.notify();
            if failure.is_some() || from.is_empty() {
                if waited && !full {
                    self.writable.wake_one();
                }
                break;
            }
            if let Err(error) = self.wait_for_room(flow) {
                failure = Some(error);
                break;
            }
            waited = true;
        }
        Written { bytes, failure }
    }

    fn wait_for_room(&self, flow: Flow) -> Result<(), Failure> {
        if flow.nonblocking {
            return Err(Errno::EAGAIN.into());
        }
        let ready = || (self.is(WRITABLE) || !self.has_readers()).then_some(());
        Ok(self.writable.wait_exclusive(Sleep::Interruptible, None, ready)?)
    }
}
