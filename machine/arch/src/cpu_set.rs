//! A set of CPUs that any CPU may change at any time.
use core::sync::atomic::{AtomicU64, Ordering};

/// The most CPUs that the kernel starts. A limit of identifiers, like Linux's `CONFIG_NR_CPUS`.
pub const MAX_CPUS: usize = 256;

/// A set of CPU numbers below [`MAX_CPUS`].
#[derive(Debug, Default)]
pub struct CpuSet {
    words: [AtomicU64; MAX_CPUS / 64],
}

impl CpuSet {
    pub const fn new() -> Self {
        Self { words: [const { AtomicU64::new(0) }; MAX_CPUS / 64] }
    }

    /// Adds a CPU. Sequentially consistent: a flusher that misses the bit is ordered before the CR3 load.
    pub fn insert(&self, cpu: usize) {
        self.words[cpu / 64].fetch_or(1 << (cpu % 64), Ordering::SeqCst);
    }

    pub fn remove(&self, cpu: usize) {
        self.words[cpu / 64].fetch_and(!(1 << (cpu % 64)), Ordering::SeqCst);
    }

    pub fn contains(&self, cpu: usize) -> bool {
        self.words[cpu / 64].load(Ordering::SeqCst) >> (cpu % 64) & 1 != 0
    }

    /// The members at the time each word is read.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut bits = word.load(Ordering::SeqCst);
            core::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
                Some(index * 64 + bit)
            })
        })
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| word.load(Ordering::SeqCst) == 0)
    }
}
