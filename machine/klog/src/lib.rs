//! The kernel's log: a ring of records that dmesg reads, echoed to a console.
//!
//! Readers keep places of their own; one place, from which lines are taken for good, is the system's ([`lines`]).
//!
//! A writer takes the ring's lock for the time of a copy, with interrupts off. An NMI, or a CPU that panics while holding
//! the lock, cannot wait: such a record skips the ring and goes straight to the console. Times are nanoseconds since boot.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod lines;
mod ring;

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU8, Ordering};
pub use ring::{CAPACITY, Place, Record, Ring};
use sync::{InterruptsOff, Once, PollQueue, Rank, SpinLock};

/// How grave a record is (syslog(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    Emergency = 0,
    Alert = 1,
    Critical = 2,
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

impl Level {
    /// The level with this number, from 0 to 7.
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Emergency,
            1 => Self::Alert,
            2 => Self::Critical,
            3 => Self::Error,
            4 => Self::Warning,
            5 => Self::Notice,
            6 => Self::Info,
            _ => Self::Debug,
        }
    }
}

/// Longest line; what is longer is cut.
const LINE: usize = 512;

/// Writes bytes where a person can read them.
pub type Console = &'static (dyn Fn(&[u8]) + Sync);

static RING: SpinLock<Ring, InterruptsOff> = SpinLock::new(Rank::Log, Ring::new());
static CONSOLE: Once<Console> = Once::new();
static READERS: Once<PollQueue> = Once::new();
/// Records below this level reach the console.
static CONSOLE_LEVEL: AtomicU8 = AtomicU8::new(Level::Debug as u8);

/// Gives the log a console. Its function takes no lock, allocates nothing and waits only a bounded time.
pub fn set_console(write: Console) {
    let _ = CONSOLE.set(write);
}

/// Only records more grave than `level` reach the console: `loglevel=`, and 4 for `quiet`.
pub fn set_console_level(level: u8) {
    CONSOLE_LEVEL.store(level, Ordering::Relaxed);
}

/// What the level was before the console was silenced; 0 where it is not.
static SAVED_LEVEL: AtomicU8 = AtomicU8::new(0);

/// Nothing but emergencies reaches the console, until [`restore_console`].
pub fn silence_console() {
    let old = CONSOLE_LEVEL.swap(1, Ordering::Relaxed);
    let _ = SAVED_LEVEL.compare_exchange(0, old, Ordering::Relaxed, Ordering::Relaxed);
}

/// The console has its level back.
pub fn restore_console() {
    let saved = SAVED_LEVEL.swap(0, Ordering::Relaxed);
    if saved != 0 {
        CONSOLE_LEVEL.store(saved, Ordering::Relaxed);
    }
}

pub fn console_level() -> u8 {
    CONSOLE_LEVEL.load(Ordering::Relaxed)
}

/// Runs `look` on the ring.
pub fn with_ring<R>(look: impl FnOnce(&mut Ring) -> R) -> R {
    look(&mut RING.lock())
}

/// Has readers told when a record comes. Allocates; once, before there are any.
pub fn admit_readers() {
    let _ = READERS.set(PollQueue::new());
}

/// Woken when a record comes.
pub fn readers() -> Option<&'static PollQueue> {
    READERS.get()
}

/// A line being put together without allocation.
struct Line {
    bytes: [u8; LINE],
    length: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let count = text.len().min(LINE - self.length);
        self.bytes[self.length..self.length + count].copy_from_slice(&text.as_bytes()[..count]);
        self.length += count;
        Ok(())
    }
}

/// Puts a record into the ring and on the console. Any context.
pub fn record(level: Level, arguments: fmt::Arguments<'_>) {
    record_from(0, level, arguments);
}

/// The facility of programs' messages (syslog(3), LOG_USER).
pub const USER: u8 = 1;

/// The same from a facility; 0 is the kernel.
pub fn record_from(facility: u8, level: Level, arguments: fmt::Arguments<'_>) {
    let now = sync::now();
    let mut line = Line { bytes: [0; LINE], length: 0 };
    let _ = line.write_fmt(arguments);
    let text = &line.bytes[..line.length];
    if let Some(mut ring) = RING.try_lock() {
        ring.push(facility << 3 | level as u8, now, text);
    }
    if (level as u8) < CONSOLE_LEVEL.load(Ordering::Relaxed) {
        console_line(now, text);
    }
    if let Some(readers) = READERS.get() {
        readers.wake_all();
    }
}

fn console_line(now: u64, text: &[u8]) {
    let Some(console) = CONSOLE.get() else { return };
    let mut stamp = Line { bytes: [0; LINE], length: 0 };
    let _ = write!(stamp, "[{:5}.{:06}] ", now / 1_000_000_000, now / 1000 % 1_000_000);
    console(&stamp.bytes[..stamp.length]);
    console(text);
    console(b"\n");
}

/// Straight to the console, for panics: no ring, no lock.
pub fn emergency(arguments: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; LINE], length: 0 };
    let _ = line.write_fmt(arguments);
    if let Some(console) = CONSOLE.get() {
        console(&line.bytes[..line.length]);
        console(b"\n");
    }
}

/// Logs at a level: `log!(Level::Info, "…", …)`.
#[macro_export]
macro_rules! log {
    ($level:expr, $($argument:tt)*) => { $crate::record($level, ::core::format_args!($($argument)*)) };
}

#[macro_export]
macro_rules! error {
    ($($argument:tt)*) => { $crate::record($crate::Level::Error, ::core::format_args!($($argument)*)) };
}

#[macro_export]
macro_rules! warning {
    ($($argument:tt)*) => { $crate::record($crate::Level::Warning, ::core::format_args!($($argument)*)) };
}

#[macro_export]
macro_rules! info {
    ($($argument:tt)*) => { $crate::record($crate::Level::Info, ::core::format_args!($($argument)*)) };
}

#[macro_export]
macro_rules! debug {
    ($($argument:tt)*) => { $crate::record($crate::Level::Debug, ::core::format_args!($($argument)*)) };
}
