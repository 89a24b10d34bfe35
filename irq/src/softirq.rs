//! Softirqs: work put off from interrupts, served with interrupts on.
use core::sync::atomic::{AtomicU64, Ordering};
use sync::ambient;
use sync::atomic_context::{Held, SoftirqsOff};
use sync::{Once, PerCpu};
use trace::points;

/// Rounds, and nanoseconds, that softirqs may take before a thread goes on with them.
const ROUNDS: u32 = 10;
const BUDGET: u64 = 2_000_000;

/// Linux's ten vectors, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Softirq {
    HighTasklet = 0,
    Timer = 1,
    NetworkTransmit = 2,
    NetworkReceive = 3,
    Block = 4,
    InterruptPoll = 5,
    Tasklet = 6,
    Scheduler = 7,
    HighResolutionTimer = 8,
    Rcu = 9,
}

impl Softirq {
    pub const COUNT: usize = 10;
    pub const ALL: [Self; Self::COUNT] = [
        Self::HighTasklet,
        Self::Timer,
        Self::NetworkTransmit,
        Self::NetworkReceive,
        Self::Block,
        Self::InterruptPoll,
        Self::Tasklet,
        Self::Scheduler,
        Self::HighResolutionTimer,
        Self::Rcu,
    ];

    /// As /proc/softirqs names it.
    pub const fn name(self) -> &'static str {
        const NAMES: [&str; Softirq::COUNT] =
            ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"];
        NAMES[self as usize]
    }
}

/// Serves one vector on this CPU: softirqs off, interrupts on, no sleeping.
pub trait Action: Sync {
    fn serve(&self);
}

struct Row([AtomicU64; Softirq::COUNT]);

/// The actions of all vectors, and how often each was served on each CPU.
pub struct Softirqs {
    actions: [Once<&'static dyn Action>; Softirq::COUNT],
    counts: PerCpu<Row>,
}

/// Marks `softirq` on this CPU. It is served when the interrupt or the softirqs-off section ends in which this is called, and
/// at once where there is neither. Any context but NMI.
#[inline]
pub fn raise(softirq: Softirq) {
    let _held = Held::<SoftirqsOff>::new();
    ambient::raise_softirq(softirq as u32);
}

impl Softirqs {
    /// For `cpus` CPUs; `None` without memory.
    pub fn new(cpus: usize) -> Option<Self> {
        let counts = PerCpu::new(cpus, |_| Row([const { AtomicU64::new(0) }; Softirq::COUNT]))?;
        Some(Self { actions: [const { Once::new() }; Softirq::COUNT], counts })
    }

    /// Sets a vector's action; false where it has one already.
    pub fn open(&self, softirq: Softirq, action: &'static dyn Action) -> bool {
        self.actions[softirq as usize].set(action).is_ok()
    }

    /// See [`raise`].
    #[inline]
    pub fn raise(&self, softirq: Softirq) {
        raise(softirq);
    }

    /// Serves what is raised on this CPU, in rounds, as long as the budget lasts; then calls `hand_over`, which wakes the CPU's
    /// ksoftirqd. The caller counts softirqs as off, and has interrupts on.
    pub fn serve(&self, hand_over: impl FnOnce()) {
        let end = ambient::now().saturating_add(BUDGET);
        for _ in 0..ROUNDS {
            self.round(ambient::take_softirqs());
            if ambient::pending_softirqs() == 0 {
                return;
            }
            if ambient::reschedule_wanted() || ambient::now() >= end {
                break;
            }
        }
        hand_over();
    }

    fn round(&self, mut pending: u32) {
        let row = self.counts.of(ambient::cpu());
        while pending != 0 {
            let number = pending.trailing_zeros() as usize;
            pending &= pending - 1;
            if let Some(counter) = row.and_then(|row| row.0.get(number)) {
                // Softirqs of one CPU do not interrupt each other: nobody else writes this counter.
                counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            }
            points::softirq_entry(number as u64);
            if let Some(action) = self.actions.get(number).and_then(Once::get) {
                action.serve();
            }
            points::softirq_exit(number as u64);
        }
    }

    /// How often `softirq` was served on CPU `cpu`.
    pub fn count(&self, softirq: Softirq, cpu: usize) -> u64 {
        self.counts.of(cpu).map_or(0, |row| row.0[softirq as usize].load(Ordering::Relaxed))
    }
}
