//! A ring with a bell.
use crate::transport::Transport;
use alloc::sync::Arc;
use dma::{Buffers, Completion, Quiesced, Rejected, Ring, RingError};

/// A queue of a device. Not shared: put it behind a lock.
pub struct Queue<T> {
    ring: Ring<T>,
    transport: Arc<dyn Transport>,
    index: u16,
}

impl<T> Queue<T> {
    pub(crate) fn new(ring: Ring<T>, transport: Arc<dyn Transport>, index: u16) -> Self {
        Self { ring, transport, index }
    }

    /// Gives the device a request, of which it learns by [`Queue::kick`].
    pub fn add(&mut self, buffers: Buffers, token: T) -> Result<(), Rejected<T>> {
        self.ring.add(buffers, token)
    }

    /// Notifies the device of what was added, where it wants to know.
    pub fn kick(&mut self) {
        if self.ring.wants_notification() {
            self.transport.notify(self.index);
        }
    }

    /// The next completion.
    pub fn take(&mut self) -> Result<Option<Completion<T>>, RingError> {
        self.ring.take()
    }

    /// Whether [`Queue::take`] has something to say.
    pub fn has_news(&self) -> bool {
        self.ring.has_news()
    }

    pub fn free(&self) -> usize {
        self.ring.free()
    }

    pub fn in_flight(&self) -> usize {
        self.ring.in_flight()
    }

    pub fn is_broken(&self) -> bool {
        self.ring.is_broken()
    }

    /// See [`Ring::disable_interrupts`].
    pub fn disable_interrupts(&mut self) {
        self.ring.disable_interrupts();
    }

    /// See [`Ring::enable_interrupts`].
    pub fn enable_interrupts(&mut self) -> bool {
        self.ring.enable_interrupts()
    }

    /// Frees the queue of a stopped device, and gives back what was in flight.
    pub fn retire(self, device: &Quiesced) -> impl Iterator<Item = (T, Buffers)> {
        self.ring.retire(device)
    }
}
