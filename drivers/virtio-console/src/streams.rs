//! Ports as files: what /dev/vportNpM does.
use crate::incoming::Chunk;
use crate::port::Port;
use abi::Errno;
use core::sync::atomic::Ordering;
use dma::{Buffer, Buffers};
use memory::frame::Use;
use memory::{Frame, PAGE_SIZE, Reader, Writer};

/// Pages that one write may fill: 32 KiB, as on Linux.
const MOST_PAGES: usize = 8;

/// What poll(2) says of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    pub readable: bool,
    pub writable: bool,
    /// The host has closed its side, or taken the port away.
    pub hung_up: bool,
}

impl Port {
    fn is_open(&self) -> bool {
        self.guest_open.load(Ordering::Acquire)
    }

    fn is_connected(&self) -> bool {
        self.host_open.load(Ordering::Acquire)
    }

    fn has_bytes(&self) -> bool {
        self.incoming.lock().has_bytes()
    }

    fn would_block_reader(&self) -> bool {
        self.is_open() && self.is_connected() && !self.has_bytes()
    }

    fn would_block_writer(&self) -> bool {
        if !self.is_open() {
            return false;
        }
        if !self.is_connected() {
            return true;
        }
        let mut outgoing = self.outgoing.lock();
        outgoing.room() == 0 && !outgoing.is_broken()
    }

    /// Reads at least one byte, from one of the pages that came in, unless the host has closed its side (0). EAGAIN where it
    /// would have to wait and must not, ENODEV without the port, EINTR for a signal, EFAULT. May sleep.
    pub fn read(&self, into: &mut Writer<'_>, may_wait: bool) -> Result<usize, Errno> {
        loop {
            if !self.is_open() {
                return Err(Errno::ENODEV);
            }
            if into.is_empty() {
                return Ok(0);
            }
            {
                let _turn = self.reading.lock();
                let chunk = self.incoming.lock().take();
                if let Some(chunk) = chunk {
                    return self.read_chunk(chunk, into);
                }
            }
            if self.incoming.lock().is_broken() {
                return Err(Errno::EIO);
            }
            if !self.is_connected() {
                return Ok(0);
            }
            if !may_wait {
                return Err(Errno::EAGAIN);
            }
            self.readers().wait_interruptible(|| !self.would_block_reader()).map_err(|_| Errno::EINTR)?;
        }
    }

    /// Copies from a chunk and puts the rest back; a fault loses nothing.
    fn read_chunk(&self, mut chunk: Chunk, into: &mut Writer<'_>) -> Result<usize, Errno> {
        let from = chunk.buffer.offset() + chunk.start;
        let answer = into.write_from_frame(chunk.buffer.frame(), from, chunk.end - chunk.start);
        chunk.start += answer.unwrap_or(0);
        self.incoming.lock().put_back(chunk);
        answer
    }

    /// Writes up to 32 KiB. EAGAIN where it would have to wait (for room, or for the host to open its side) and must not, ENODEV
    /// without the port, EINTR for a signal, EFAULT, ENOMEM. May sleep.
    pub fn write(&self, from: &mut Reader<'_>, may_wait: bool) -> Result<usize, Errno> {
        if from.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.is_open() {
                return Err(Errno::ENODEV);
            }
            if !self.would_block_writer() {
                let _turn = self.writing.lock();
                let room = self.outgoing.lock().room();
                if room > 0 {
                    return self.send_from(from, room.min(MOST_PAGES));
                }
                if self.outgoing.lock().is_broken() {
                    return Err(Errno::EIO);
                }
            }
            if !may_wait {
                return Err(Errno::EAGAIN);
            }
            self.writers().wait_interruptible(|| !self.would_block_writer()).map_err(|_| Errno::EINTR)?;
        }
    }

    /// Fills up to `pages` pages from the program and sends them as one request. No other writer comes between.
    fn send_from(&self, from: &mut Reader<'_>, pages: usize) -> Result<usize, Errno> {
        let pages = pages.min(from.remaining().div_ceil(PAGE_SIZE));
        let mut buffers = Buffers::new();
        buffers.try_reserve(pages).map_err(|_| Errno::ENOMEM)?;
        let mut taken = 0;
        let mut failure = None;
        while buffers.len() < pages {
            let Some(frame) = Frame::allocate_for(Use::Devices) else {
                failure = Some(Errno::ENOMEM);
                break;
            };
            let length = match from.read_to_frame(&frame, 0, PAGE_SIZE) {
                Ok(length) => length,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            };
            let Some(buffer) = Buffer::new(frame, 0, length, false) else { break };
            buffers.push(buffer);
            taken += length;
            if length < PAGE_SIZE {
                break;
            }
        }
        if taken == 0 {
            return Err(failure.unwrap_or(Errno::EFAULT));
        }
        match self.outgoing.lock().send(buffers) {
            Ok(()) => Ok(taken),
            Err(_) => Err(Errno::EIO),
        }
    }

    /// What the port is ready for. Whoever waits for more joins [`Port::readers`] and [`Port::writers`] first.
    pub fn readiness(&self) -> Readiness {
        if !self.is_open() {
            return Readiness { hung_up: true, ..Readiness::default() };
        }
        Readiness {
            readable: !self.would_block_reader(),
            writable: !self.would_block_writer(),
            hung_up: !self.is_connected(),
        }
    }
}
