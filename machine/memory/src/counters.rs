//! What memory is used for, counted by CPU: for /proc/meminfo and vmstat.
//!
//! Each CPU adds to a row of its own; only the sums over all rows mean anything, since what one CPU takes another may give back.
use core::sync::atomic::{AtomicI64, Ordering::Relaxed};
use sync::{Once, PerCpu};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Counter {
    /// Pages of page tables, the CPUs' stocks of empty ones included.
    TablePages,
    /// Pages of kernel stacks, those that CPUs keep included.
    StackPages,
    /// Page faults served, and those of them for which a device was read.
    Faults,
    MajorFaults,
    /// Programs ended because there was no memory.
    OutOfMemory,
    /// Open files: no memory of their own to speak of, but what pins most of it.
    OpenFiles,
}

const COUNTERS: usize = Counter::OpenFiles as usize + 1;

struct Row([AtomicI64; COUNTERS]);

impl Row {
    const fn new() -> Self {
        Self([const { AtomicI64::new(0) }; COUNTERS])
    }
}

/// Before there are rows for the CPUs.
static BOOT: Row = Row::new();
static ROWS: Once<PerCpu<Row>> = Once::new();

/// Gives each of `cpus` CPUs a row. Once, when the heap works and the number is known.
pub fn start_counters(cpus: usize) {
    if let Some(rows) = PerCpu::new(cpus, |_| Row::new()) {
        let _ = ROWS.set(rows);
    }
}

/// Adds to a counter. Any context.
#[inline]
pub fn count(counter: Counter, amount: i64) {
    // A thread that is moved meanwhile adds to another CPU's row, which does no harm but to its cache.
    let row = ROWS.get().and_then(|rows| rows.of(sync::ambient::cpu())).unwrap_or(&BOOT);
    row.0[counter as usize].fetch_add(amount, Relaxed);
}

/// What was counted up to now.
pub fn counted(counter: Counter) -> u64 {
    let rows = ROWS.get().into_iter().flat_map(|rows| rows.iter());
    let sum: i64 = rows.chain([&BOOT]).map(|row| row.0[counter as usize].load(Relaxed)).sum();
    sum.max(0) as u64
}
