//! How often each vector arrived on each CPU.
use core::sync::atomic::{AtomicU64, Ordering};
use sync::PerCpu;

struct Row([AtomicU64; 256]);

/// Counts of all vectors by CPU: the columns of /proc/interrupts.
pub struct Counts(PerCpu<Row>);

impl Counts {
    pub(crate) fn new(cpus: usize) -> Option<Self> {
        PerCpu::new(cpus, |_| Row([const { AtomicU64::new(0) }; 256])).map(Self)
    }

    /// Counts `vector` on this CPU. Interrupts are off, and no other CPU writes this row: a plain addition will do.
    #[inline]
    pub fn count(&self, vector: u8) {
        if let Some(row) = self.0.of(sync::ambient::cpu()) {
            let counter = &row.0[usize::from(vector)];
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// How often `vector` arrived on CPU `cpu`.
    pub fn of(&self, vector: u8, cpu: usize) -> u64 {
        self.0.of(cpu).map_or(0, |row| row.0[usize::from(vector)].load(Ordering::Relaxed))
    }

    /// All interrupts of CPU `cpu`: the `intr` line of /proc/stat.
    pub fn total(&self, cpu: usize) -> u64 {
        self.0.of(cpu).map_or(0, |row| row.0.iter().map(|count| count.load(Ordering::Relaxed)).sum())
    }

    /// Forgets a vector's past: it belongs to another line now.
    pub(crate) fn clear(&self, vector: u8) {
        self.0.iter().for_each(|row| row.0[usize::from(vector)].store(0, Ordering::Relaxed));
    }
}
