//! Bytes from the host.
use dma::{Buffer, Buffers};
use virtio::Queue;

/// Pages that a port lends to the host.
const LENT: usize = 8;

/// Bytes of one page that nobody has read yet.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub buffer: Buffer,
    pub start: usize,
    pub end: usize,
}

/// The queue in. Behind the port's lock.
pub(crate) struct Incoming {
    queue: Queue<()>,
    /// The page that is being read.
    current: Option<Chunk>,
    lent: usize,
}

impl Incoming {
    pub fn new(queue: Queue<()>) -> Self {
        Self { queue, current: None, lent: 0 }
    }

    /// Lends pages up to the bound; what memory is there for must do.
    pub fn lend(&mut self) {
        while self.lent < LENT {
            let Some(buffer) = Buffer::page() else { break };
            if self.queue.add(Buffers::from_iter([buffer]), ()).is_err() {
                break;
            }
            self.lent += 1;
        }
        self.queue.enable_interrupts();
        self.queue.kick();
    }

    fn lend_again(&mut self, buffer: Buffer) {
        if self.queue.add(Buffers::from_iter([buffer]), ()).is_ok() {
            self.queue.kick();
        } else {
            self.lent -= 1;
        }
    }

    /// Takes the oldest bytes, to be given back by [`Incoming::put_back`].
    pub fn take(&mut self) -> Option<Chunk> {
        if self.current.is_some() {
            return self.current.take();
        }
        while let Ok(Some(mut done)) = self.queue.take() {
            let Some(buffer) = done.buffers.pop() else { continue };
            let end = done.written.min(buffer.length());
            if end > 0 {
                return Some(Chunk { buffer, start: 0, end });
            }
            self.lend_again(buffer);
        }
        None
    }

    /// Keeps what was not read of a chunk, and lends its page again when nothing is left.
    pub fn put_back(&mut self, chunk: Chunk) {
        if chunk.start < chunk.end {
            self.current = Some(chunk);
        } else {
            self.lend_again(chunk.buffer);
        }
    }

    /// Whether there are bytes; where there are none, the next ones interrupt.
    pub fn has_bytes(&mut self) -> bool {
        self.current.is_some() || (!self.queue.is_broken() && self.queue.enable_interrupts())
    }

    /// Whether the device may have filled a page, for its interrupt handler.
    pub fn has_news(&self) -> bool {
        self.queue.has_news()
    }

    pub fn is_broken(&self) -> bool {
        self.queue.is_broken()
    }

    /// Forgets all bytes: a port that is closed keeps nothing.
    pub fn discard(&mut self) {
        while let Some(mut chunk) = self.take() {
            chunk.start = chunk.end;
            self.put_back(chunk);
        }
    }
}
