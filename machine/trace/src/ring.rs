//! Rings of records, one per CPU.
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering, fence};

/// Words of arguments in a record.
pub const ARGUMENTS: usize = 6;
/// Bytes that a record takes.
pub const RECORD_SIZE: usize = size_of::<Slot>();
/// What of the header comes after the number: time; event and context; thread; stack.
const WORDS: usize = 4 + ARGUMENTS;
/// Records to a page.
const PER_CHUNK: usize = 4096 / size_of::<Slot>();

/// One record, and its number plus one; 0 while it is being written.
struct Slot {
    number: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl Slot {
    const fn new() -> Self {
        Self { number: AtomicU64::new(0), words: [const { AtomicU64::new(0) }; WORDS] }
    }
}

/// A point that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// What the time-stamp counter said.
    pub cycles: u64,
    /// Index into [`crate::POINTS`].
    pub event: u8,
    /// The preempt word.
    pub context: u32,
    /// The number of the running thread.
    pub thread: u32,
    /// About where the stack pointer stood.
    pub stack: u64,
    pub arguments: [u64; ARGUMENTS],
}

/// What a reader finds at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Record(Record),
    /// It has been overwritten, or is being: the oldest that still stands has this number.
    Overtaken(u64),
    /// It is not written yet.
    Nothing,
}

/// The records of one CPU, the oldest overwritten first.
pub struct Ring {
    /// A page each, so that any size can be had from scattered memory.
    chunks: Vec<Vec<Slot>>,
    /// The number of the next record.
    next: AtomicU64,
    /// The number before which nothing is to be shown.
    cleared: AtomicU64,
}

impl Ring {
    /// For at least `records`; `None` without memory.
    pub fn new(records: usize) -> Option<Self> {
        let count = records.div_ceil(PER_CHUNK).max(2);
        let mut chunks = Vec::new();
        chunks.try_reserve_exact(count).ok()?;
        for _ in 0..count {
            let mut chunk = Vec::new();
            chunk.try_reserve_exact(PER_CHUNK).ok()?;
            chunk.extend((0..PER_CHUNK).map(|_| Slot::new()));
            chunks.push(chunk);
        }
        Some(Self { chunks, next: AtomicU64::new(0), cleared: AtomicU64::new(0) })
    }

    /// How many records it holds.
    pub fn capacity(&self) -> usize {
        self.chunks.len() * PER_CHUNK
    }

    fn slot(&self, number: u64) -> &Slot {
        let at = (number % self.capacity() as u64) as usize;
        &self.chunks[at / PER_CHUNK][at % PER_CHUNK]
    }

    /// Adds a record. By one writer at a time, or by one that interrupts another and ends first.
    pub fn write(&self, record: &Record) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let slot = self.slot(number);
        slot.number.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        let [time, about, thread, stack, arguments @ ..] = &slot.words;
        time.store(record.cycles, Ordering::Relaxed);
        about.store(u64::from(record.event) << 32 | u64::from(record.context), Ordering::Relaxed);
        thread.store(u64::from(record.thread), Ordering::Relaxed);
        stack.store(record.stack, Ordering::Relaxed);
        for (word, argument) in arguments.iter().zip(record.arguments) {
            word.store(argument, Ordering::Relaxed);
        }
        slot.number.store(number + 1, Ordering::Release);
    }

    /// The record of that number.
    pub fn read(&self, number: u64) -> Found {
        let slot = self.slot(number);
        let before = slot.number.load(Ordering::Acquire);
        let words: [u64; WORDS] = core::array::from_fn(|index| slot.words[index].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let after = slot.number.load(Ordering::Relaxed);
        if before == number + 1 && after == before {
            let [cycles, about, thread, stack, arguments @ ..] = words;
            let (event, context) = ((about >> 32) as u8, about as u32);
            return Found::Record(Record { cycles, event, context, thread: thread as u32, stack, arguments });
        }
        if number >= self.next.load(Ordering::Acquire) || self.oldest() <= number {
            return Found::Nothing;
        }
        Found::Overtaken(self.oldest())
    }

    /// The number that the next record will have: how many there have been.
    pub fn next(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// The oldest that is still there. (The slot that is written next is not counted on.)
    pub fn oldest(&self) -> u64 {
        let kept = (self.next() + 1).saturating_sub(self.capacity() as u64);
        kept.max(self.cleared.load(Ordering::Relaxed))
    }

    /// How many were overwritten before anybody wanted them away.
    pub fn overwritten(&self) -> u64 {
        self.oldest() - self.cleared.load(Ordering::Relaxed)
    }

    /// Has what was written until now not shown any more.
    pub fn clear(&self) {
        self.cleared.store(self.next(), Ordering::Relaxed);
    }
}
