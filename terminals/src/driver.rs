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
    /// Holds the line low, or lets it go.
    fn set_break(&self, on: bool);
    /// The modem's lines (TIOCM_*).
    fn modem(&self) -> u32;
    /// Raises and lowers some of them.
    fn change_modem(&self, raise: u32, lower: u32);
}

/// What came in from a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    Byte(u8),
    /// A byte with a parity or framing error.
    Damaged(u8),
    Break,
}

/// What came in and has not been through the line discipline. Filled by interrupts.
pub struct Received {
    queue: SpinLock<VecDeque<Arrival>, InterruptsOff>,
    arrived: PollQueue,
}

impl Received {
    /// Room for `capacity` bytes; more are lost, as on a line without flow control. ENOMEM.
    pub fn new(capacity: usize) -> Result<Self, Errno> {
        let mut queue = VecDeque::new();
        queue.try_reserve_exact(capacity).map_err(|_| Errno::ENOMEM)?;
        Ok(Self { queue: SpinLock::new(Rank::DeviceQueue, queue), arrived: PollQueue::new() })
    }

    /// Keeps what came in, as far as there is room. Any context but NMI.
    pub fn put(&self, arrivals: impl Iterator<Item = Arrival>) {
        let mut queue = self.queue.lock();
        let room = queue.capacity() - queue.len();
        queue.extend(arrivals.take(room));
        drop(queue);
        self.arrived.wake_all();
    }

    pub(crate) fn arrived(&self) -> &PollQueue {
        &self.arrived
    }

    pub(crate) fn first(&self) -> Option<Arrival> {
        self.queue.lock().front().copied()
    }

    /// Copies the oldest good bytes, up to the first of another kind; all stay.
    pub(crate) fn peek(&self, into: &mut [u8]) -> usize {
        let queue = self.queue.lock();
        let bytes =
            queue.iter().map_while(|arrival| if let Arrival::Byte(byte) = arrival { Some(*byte) } else { None });
        into.iter_mut().zip(bytes).map(|(place, byte)| *place = byte).count()
    }

    pub(crate) fn remove(&self, count: usize) {
        let mut queue = self.queue.lock();
        let count = count.min(queue.len());
        queue.drain(..count);
    }
}
