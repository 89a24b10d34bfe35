//! Bytes to the host.
use dma::{Buffer, Buffers, RingError};
use virtio::Queue;

/// Pages that may be on their way.
const MOST: usize = 16;

/// The queue out. Behind the port's lock.
pub(crate) struct Outgoing {
    queue: Queue<()>,
    /// Buffers that the host has.
    under_way: usize,
}

impl Outgoing {
    pub fn new(mut queue: Queue<()>) -> Self {
        queue.disable_interrupts();
        Self { queue, under_way: 0 }
    }

    /// Frees what the host is done with; true where that was something.
    pub fn reclaim(&mut self) -> bool {
        let before = self.under_way;
        while let Ok(Some(done)) = self.queue.take() {
            self.under_way -= done.buffers.len();
        }
        self.under_way < before
    }

    /// How many buffers there is room for now. Where there is none, an interrupt will tell of some.
    pub fn room(&mut self) -> usize {
        self.reclaim();
        if self.free() > 0 || self.queue.is_broken() {
            return self.free();
        }
        if self.queue.enable_interrupts() {
            self.reclaim();
        }
        self.free()
    }

    fn free(&self) -> usize {
        MOST.saturating_sub(self.under_way).min(self.queue.free())
    }

    pub fn is_broken(&self) -> bool {
        self.queue.is_broken()
    }

    /// Sends buffers, for which there is room; gives them back where there is not.
    pub fn send(&mut self, buffers: Buffers) -> Result<(), (RingError, Buffers)> {
        let count = buffers.len();
        self.queue.add(buffers, ()).map_err(|rejected| (rejected.error, rejected.buffers))?;
        self.under_way += count;
        self.queue.kick();
        // Most hosts are done by now.
        self.reclaim();
        Ok(())
    }

    /// Sends a copy of as many bytes as there is room for. Any context; does not sleep.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        for piece in bytes.chunks(memory::PAGE_SIZE) {
            let buffer = if self.room() == 0 { None } else { Buffer::of_bytes(piece) };
            let Some(buffer) = buffer else { break };
            if self.send(Buffers::from_iter([buffer])).is_err() {
                break;
            }
            sent += piece.len();
        }
        sent
    }

    /// The interrupt's part: true where writers may go on.
    pub fn interrupt(&mut self) -> bool {
        let freed = self.queue.has_news() && self.reclaim();
        if freed && self.free() > 0 {
            self.queue.disable_interrupts();
        }
        freed || self.queue.is_broken()
    }
}
