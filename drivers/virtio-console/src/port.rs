//! One port.
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use sync::{InterruptsOff, Mutex, Once, PollQueue, Rank, SpinLock};
use virtio::Queue;

/// Takes what a console port receives. Called from the interrupt handler: takes only locks that ban interrupts.
pub trait Sink: Send + Sync {
    fn receive(&self, bytes: &[u8]);
    /// The host's terminal has another size now.
    fn resized(&self, columns: u16, rows: u16);
}

/// Bytes that are handed to a sink at a time.
const BATCH: usize = 256;

/// A port of a console device. Its number never changes; whether the host has it there does.
pub struct Port {
    number: u32,
    pub(crate) incoming: SpinLock<Incoming, InterruptsOff>,
    pub(crate) outgoing: SpinLock<Outgoing, InterruptsOff>,
    /// One reader, and one writer, at a time.
    pub(crate) reading: Mutex<()>,
    pub(crate) writing: Mutex<()>,
    present: AtomicBool,
    console: AtomicBool,
    pub(crate) host_open: AtomicBool,
    pub(crate) guest_open: AtomicBool,
    name: SpinLock<Vec<u8>, InterruptsOff>,
    sink: Once<&'static dyn Sink>,
    /// Columns over rows, in one word.
    size: AtomicU32,
    readers: PollQueue,
    writers: PollQueue,
}

impl Port {
    pub(crate) fn new(number: u32, incoming: Queue<()>, outgoing: Queue<()>) -> Self {
        Self {
            number,
            incoming: SpinLock::new(Rank::Device, Incoming::new(incoming)),
            outgoing: SpinLock::new(Rank::Device, Outgoing::new(outgoing)),
            reading: Mutex::new(Rank::Pipe, ()),
            writing: Mutex::new(Rank::Pipe, ()),
            present: AtomicBool::new(false),
            console: AtomicBool::new(false),
            host_open: AtomicBool::new(false),
            guest_open: AtomicBool::new(false),
            name: SpinLock::new(Rank::DeviceQueue, Vec::new()),
            sink: Once::new(),
            size: AtomicU32::new(0),
            readers: PollQueue::new(),
            writers: PollQueue::new(),
        }
    }

    /// The M of /dev/vportNpM.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whether the host has the port.
    pub fn is_present(&self) -> bool {
        self.present.load(Ordering::Acquire)
    }

    /// Whether it carries a terminal.
    pub fn is_console(&self) -> bool {
        self.console.load(Ordering::Acquire)
    }

    /// Runs `look` on the name that the host gave, without a NUL; empty where there is none.
    pub fn with_name<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        look(&self.name.lock())
    }

    /// Columns and rows of the host's terminal, or zeros.
    pub fn size(&self) -> (u16, u16) {
        let size = self.size.load(Ordering::Relaxed);
        ((size >> 16) as u16, size as u16)
    }

    /// Woken when there is something to read, and when the other side comes or goes.
    pub fn readers(&self) -> &PollQueue {
        &self.readers
    }

    /// Woken when there is room to write, and when the other side comes or goes.
    pub fn writers(&self) -> &PollQueue {
        &self.writers
    }

    /// Gives all that comes in to `sink` from now on. Once, for a console port.
    pub fn set_sink(&self, sink: &'static dyn Sink) {
        if self.sink.set(sink).is_ok() {
            self.feed();
        }
    }

    /// Sends or drops: as many bytes as there is room for, answering how many. Any context but NMI.
    pub fn send(&self, bytes: &[u8]) -> usize {
        if !self.is_present() {
            return bytes.len();
        }
        self.outgoing.lock().send_bytes(bytes)
    }

    pub(crate) fn appear(&self) {
        self.incoming.lock().lend();
        self.present.store(true, Ordering::Release);
    }

    pub(crate) fn disappear(&self) {
        self.present.store(false, Ordering::Release);
        self.host_open.store(false, Ordering::Release);
        self.guest_open.store(false, Ordering::Release);
        self.wake();
    }

    pub(crate) fn become_console(&self) {
        self.console.store(true, Ordering::Release);
        self.host_open.store(true, Ordering::Release);
    }

    pub(crate) fn set_host_open(&self, open: bool) {
        self.host_open.store(open, Ordering::Release);
        self.wake();
    }

    /// Keeps a name, as long as it has no NUL; nothing without memory.
    pub(crate) fn set_name(&self, name: &[u8]) {
        let name = name.split(|&byte| byte == 0).next().unwrap_or(name);
        let mut kept = Vec::new();
        if kept.try_reserve_exact(name.len()).is_ok() {
            kept.extend_from_slice(name);
            let old = core::mem::replace(&mut *self.name.lock(), kept);
            drop(old);
        }
    }

    pub(crate) fn set_size(&self, columns: u16, rows: u16) {
        let size = u32::from(columns) << 16 | u32::from(rows);
        if self.size.swap(size, Ordering::Relaxed) != size
            && let Some(sink) = self.sink.get()
        {
            sink.resized(columns, rows);
        }
    }

    fn wake(&self) {
        self.readers.wake_all();
        self.writers.wake_all();
    }

    /// The interrupt's part.
    pub(crate) fn interrupt(&self) {
        if self.sink.get().is_some() {
            self.feed();
        } else if self.incoming.lock().has_news() {
            self.readers.wake_all();
        }
        if self.outgoing.lock().interrupt() {
            self.writers.wake_all();
        }
    }

    /// Hands what has come in to the sink.
    fn feed(&self) {
        let Some(sink) = self.sink.get() else { return };
        loop {
            let mut bytes = [0; BATCH];
            let length = {
                let mut incoming = self.incoming.lock();
                let Some(mut chunk) = incoming.take() else {
                    if incoming.has_bytes() {
                        continue;
                    }
                    return;
                };
                let wanted = BATCH.min(chunk.end - chunk.start);
                let length = chunk.buffer.read(chunk.start, &mut bytes[..wanted]);
                chunk.start += length;
                incoming.put_back(chunk);
                length
            };
            sink.receive(&bytes[..length]);
        }
    }
}
