//! One direction of bytes between two descriptors that never block.

use runtime::{Descriptor, Errno, POLLIN, POLLOUT, Pages, Poll, close, read, write};

/// What moves at a time: as much as a pipe holds.
const ROOM: usize = 64 << 10;

/// Bytes on their way from one descriptor to another.
pub struct Stream {
    from: Descriptor,
    to: Descriptor,
    buffer: Pages,
    start: usize,
    end: usize,
    /// Bytes read so far.
    pub received: u64,
    /// Bytes written so far.
    pub sent: u64,
    /// Nothing more will be read.
    pub ended: bool,
    /// The reader is gone: what comes is read and dropped.
    pub deaf: bool,
}

impl Stream {
    pub fn new(from: Descriptor, to: Descriptor) -> runtime::Result<Self> {
        let buffer = Pages::new(ROOM)?;
        Ok(Self { from, to, buffer, start: 0, end: 0, received: 0, sent: 0, ended: false, deaf: false })
    }

    /// Whether bytes were read that are not yet written.
    pub fn is_pending(&self) -> bool {
        self.start < self.end
    }

    /// What to wait for before the next [`pump`](Self::pump).
    pub fn interest(&self) -> Poll {
        if self.is_pending() {
            Poll { descriptor: self.to, events: POLLOUT, returned: 0 }
        } else if self.ended {
            Poll { descriptor: -1, events: 0, returned: 0 }
        } else {
            Poll { descriptor: self.from, events: POLLIN, returned: 0 }
        }
    }

    /// Moves bytes until one side would block, the source ends, or (so that no stream starves another) `limit` were read.
    /// Returns whether the source had an end of file.
    pub fn pump(&mut self, limit: u64) -> bool {
        let stop = self.received.saturating_add(limit);
        while self.flush() && !self.ended && self.received < stop {
            match read(self.from, &mut self.buffer) {
                Ok(0) => return true,
                Ok(length) => {
                    self.start = 0;
                    self.end = length;
                    self.received += length as u64;
                }
                Err(Errno::EAGAIN) => break,
                Err(_) => return true,
            }
        }
        false
    }

    /// Writes what is pending; `false` when some stays.
    fn flush(&mut self) -> bool {
        while self.is_pending() && !self.deaf {
            match write(self.to, self.buffer.get(self.start..self.end).unwrap_or(&[])) {
                Ok(length) => {
                    self.start += length;
                    self.sent += length as u64;
                }
                Err(Errno::EAGAIN) => return false,
                Err(_) => self.deaf = true,
            }
        }
        self.start = self.end;
        true
    }

    /// Closes the source, once nothing more is wanted of it.
    pub fn close_source(self) {
        close(self.from);
    }

    /// Closes the destination: the reader sees the end behind the last byte.
    pub fn close_destination(&mut self) {
        if !core::mem::replace(&mut self.ended, true) {
            close(self.to);
        }
        self.start = self.end;
    }
}
