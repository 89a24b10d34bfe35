//! Where a thread may run.
use arch::CpuSet;
use core::sync::atomic::{AtomicBool, Ordering};

/// The CPUs on which a thread may run: all, until somebody says otherwise.
pub struct Affinity {
    restricted: AtomicBool,
    cpus: CpuSet,
}

impl Affinity {
    pub(crate) const fn all() -> Self {
        Self { restricted: AtomicBool::new(false), cpus: CpuSet::new() }
    }

    /// Whether the thread may run on this CPU.
    #[inline]
    pub fn allows(&self, cpu: usize) -> bool {
        !self.restricted.load(Ordering::Acquire) || self.cpus.contains(cpu)
    }

    /// Restricts the thread to the CPUs below `count` that `wanted` picks; they are at least one. A look meanwhile may find more allowed
    /// than there will be, never none.
    pub fn set(&self, count: usize, wanted: impl Fn(usize) -> bool) {
        for cpu in (0..count).filter(|&cpu| wanted(cpu)) {
            self.cpus.insert(cpu);
        }
        self.restricted.store(true, Ordering::Release);
        for cpu in (0..count).filter(|&cpu| !wanted(cpu)) {
            self.cpus.remove(cpu);
        }
    }

    /// Takes over another thread's, as a child does.
    pub fn inherit(&self, from: &Self, count: usize) {
        if from.restricted.load(Ordering::Acquire) {
            self.set(count, |cpu| from.allows(cpu));
        }
    }
}
