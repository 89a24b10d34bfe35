//! The lengths of time that shape the fair class.

/// Nanoseconds, all of them. Scaled by the number of CPUs as Linux does: more CPUs, fewer switches needed for the same
/// felt latency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tunables {
    /// The time in which every runnable entity should run once, while there are few.
    pub latency_ns: u64,
    /// The least that an entity runs before the tick may take the CPU away; stretches the period when there are many.
    pub min_granularity_ns: u64,
    /// How far behind the running entity a waking one must be to preempt it.
    pub wakeup_granularity_ns: u64,
}

/// A thread that slept longer than this has no virtual runtime worth keeping.
pub(crate) const LONG_SLEEP_NS: u64 = 60_000_000_000;

impl Tunables {
    /// The values for a machine with `cpus` CPUs online.
    #[must_use]
    pub fn for_cpus(cpus: usize) -> Self {
        let factor = u64::from(1 + cpus.clamp(1, 8).ilog2());
        Self {
            latency_ns: 6_000_000 * factor,
            min_granularity_ns: 750_000 * factor,
            wakeup_granularity_ns: 1_000_000 * factor,
        }
    }

    /// The time in which `running` entities should each run once.
    #[must_use]
    pub(crate) fn period_ns(&self, running: usize) -> u64 {
        (running as u64).saturating_mul(self.min_granularity_ns).max(self.latency_ns)
    }
}
