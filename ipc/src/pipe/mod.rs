//! Pipes and FIFOs (`pipe(7)`, `fifo(7)`).
//!
//! **Model.** A ring of chunks, each a stretch of a page of its own, so that pages can be handed on without a copy. A write
//! of at most a page goes into one slot (or behind the last chunk, if it fits there whole), hence it is atomic; larger ones
//! are cut, and others may come in between where they wait for room.
//!
//! **State and its summary.** The ring is under a sleeping lock, because user memory is copied under it. What sleepers and
//! pollers need to know (readable, writable, readers, writers) is in atomics that change only under that lock, and before
//! the wake-ups that announce the change.
//!
//! **FIFOs** are the same object with several openings: an opening for one side waits until the other side has been opened
//! since, which counters of openings say even where the partner has gone again meanwhile.
mod end;
mod ring;
mod transfer;

pub use end::{Access, PipeEnd};
pub use transfer::{Flow, Written};

use crate::Readiness;
use abi::{Errno, PAGE_SIZE};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use ring::Ring;
use sync::{Mutex, MutexGuard, Rank, WaitQueue};

/// Bytes that a new pipe holds.
pub const DEFAULT_CAPACITY: usize = 16 * PAGE_SIZE;
/// Bytes that an unprivileged process may ask for: what /proc/sys/fs/pipe-max-size says.
pub const MAXIMUM_CAPACITY: usize = 1 << 20;
/// The longest write that is never interleaved with others (limits.h).
pub const PIPE_BUF: usize = 4096;

const READABLE: u32 = 1;
const WRITABLE: u32 = 2;
/// Nobody has that side open.
const NO_READERS: u32 = 4;
const NO_WRITERS: u32 = 8;
/// How many values these four make.
const LEVELS: usize = 16;

/// A pipe, used through its [`PipeEnd`]s.
pub struct Pipe {
    /// Made by pipe(2): whoever opens it again, through /proc/PID/fd, never waits for the other side.
    nameless: bool,
    ring: Mutex<Ring>,
    /// `READABLE`, `WRITABLE`, `NO_READERS`, `NO_WRITERS`: what a poller looks at.
    level: AtomicU32,
    readers: AtomicU32,
    writers: AtomicU32,
    /// How often a side was opened, ever.
    reader_openings: AtomicU32,
    writer_openings: AtomicU32,
    /// Threads that wait for bytes, one woken at a time.
    readable: WaitQueue,
    /// Threads that wait for room, one woken at a time.
    writable: WaitQueue,
    /// Openings that wait for the other side.
    partners: WaitQueue,
    readers_ready: Readiness,
    writers_ready: Readiness,
}

impl Pipe {
    /// A pipe without ends, as a FIFO's inode keeps it. ENOMEM.
    pub fn new() -> Result<Arc<Self>, Errno> {
        Self::with(false)
    }

    fn with(nameless: bool) -> Result<Arc<Self>, Errno> {
        Ok(Arc::new(Self {
            nameless,
            ring: Mutex::new(Rank::Pipe, Ring::new(DEFAULT_CAPACITY / PAGE_SIZE)?),
            level: AtomicU32::new(WRITABLE | NO_READERS | NO_WRITERS),
            readers: AtomicU32::new(0),
            writers: AtomicU32::new(0),
            reader_openings: AtomicU32::new(0),
            writer_openings: AtomicU32::new(0),
            readable: WaitQueue::new(),
            writable: WaitQueue::new(),
            partners: WaitQueue::new(),
            readers_ready: Readiness::new(),
            writers_ready: Readiness::new(),
        }))
    }

    /// Bytes that can be read now (FIONREAD).
    pub fn bytes(&self) -> usize {
        self.ring.lock().bytes()
    }

    /// Bytes that fit (F_GETPIPE_SZ).
    pub fn capacity(&self) -> usize {
        self.ring.lock().slots() * PAGE_SIZE
    }

    /// Makes the pipe hold at least `bytes` (F_SETPIPE_SZ; `privileged` means CAP_SYS_RESOURCE); answers how many it holds
    /// now. EINVAL beyond 2 GiB; EPERM beyond the limit; EBUSY where what is in it would not fit; ENOMEM. May sleep.
    pub fn set_capacity(&self, bytes: usize, privileged: bool) -> Result<usize, Errno> {
        if bytes > 1 << 31 {
            return Err(Errno::EINVAL);
        }
        let pages = bytes.div_ceil(PAGE_SIZE).max(1).next_power_of_two();
        let mut ring = self.ring.lock();
        if pages > ring.slots() && pages * PAGE_SIZE > MAXIMUM_CAPACITY && !privileged {
            return Err(Errno::EPERM);
        }
        ring.resize(pages)?;
        self.publish(&ring);
        drop(ring);
        self.writable.wake_all();
        self.writers_ready.notify();
        Ok(pages * PAGE_SIZE)
    }

    /// Brings the summary up to date with the ring; wake-ups come afterwards.
    fn publish(&self, ring: &MutexGuard<'_, Ring>) {
        let ends = self.level.load(Ordering::Relaxed) & (NO_READERS | NO_WRITERS);
        self.publish_all(ring, ends);
    }

    /// The same after an end came or went.
    fn publish_ends(&self, ring: &MutexGuard<'_, Ring>) {
        let unless = |there: bool, bit: u32| if there { 0 } else { bit };
        self.publish_all(ring, unless(self.has_readers(), NO_READERS) | unless(self.has_writers(), NO_WRITERS));
    }

    fn publish_all(&self, ring: &MutexGuard<'_, Ring>, ends: u32) {
        let readable = if ring.is_empty() { 0 } else { READABLE };
        let writable = if ring.is_full() { 0 } else { WRITABLE };
        self.level.store(readable | writable | ends, Ordering::Release);
    }

    #[inline]
    fn is(&self, level: u32) -> bool {
        self.level.load(Ordering::Acquire) & level != 0
    }

    #[inline]
    fn has_readers(&self) -> bool {
        self.readers.load(Ordering::Acquire) != 0
    }

    #[inline]
    fn has_writers(&self) -> bool {
        self.writers.load(Ordering::Acquire) != 0
    }
}

#[cfg(test)]
mod tests;
