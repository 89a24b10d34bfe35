//! What a terminal needs of its device, and what the device's interrupts leave for it.
use abi::Errno;
use alloc::collections::VecDeque;
use sync::{InterruptsOff, PollQueue, Rank, SpinLock};
use tty::Termios;

/// A line's device. All may be called under the terminal's lock: nothing sleeps.
pub trait Driver: Send + Sync {
    /// Sends or queues as many bytes as there is room for; how many.
    fn send(&self, bytes: &[u8]) -> usize;
    /// How many it takes at the least.
    fn room(&self) -> usize;
    /// How many have not gone out.
    fn unsent(&self) -> usize;
    /// Forgets those.
    fn discard(&self);
    /// Woken when there is room again, and when all have gone out.
    fn moved(&self) -> &PollQueue;
    /// Speed and format of the line.
    fn configure(&self, termios: &Termios);
}

/// Bytes that came in and have not been through the line discipline. Filled by interrupts.
pub struct Received {
    bytes: SpinLock<VecDeque<u8>, InterruptsOff>,
    arrived: PollQueue,
}

impl Received {
    /// Room for `capacity` bytes; more are lost, as on a line without flow control. ENOMEM.
    pub fn new(capacity: usize) -> Result<Self, Errno> {
        let mut bytes = VecDeque::new();
        bytes.try_reserve_exact(capacity).map_err(|_| Errno::ENOMEM)?;
        Ok(Self { bytes: SpinLock::new(Rank::DeviceQueue, bytes), arrived: PollQueue::new() })
    }

    /// Keeps bytes, as far as there is room. Any context but NMI.
    pub fn put(&self, bytes: &[u8]) {
        let mut kept = self.bytes.lock();
        let room = kept.capacity() - kept.len();
        kept.extend(bytes.iter().take(room));
        drop(kept);
        self.arrived.wake_all();
    }

    pub(crate) fn arrived(&self) -> &PollQueue {
        &self.arrived
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.lock().is_empty()
    }

    /// Copies the oldest bytes, which stay.
    pub(crate) fn peek(&self, into: &mut [u8]) -> usize {
        let kept = self.bytes.lock();
        into.iter_mut().zip(kept.iter()).map(|(place, byte)| *place = *byte).count()
    }

    pub(crate) fn remove(&self, count: usize) {
        let mut kept = self.bytes.lock();
        let count = count.min(kept.len());
        kept.drain(..count);
    }
}
