//! Softirqs: work put off from interrupts, served with interrupts on.
//!
//! **A flood.** Where a round leaves more than it found, the tail of the interrupt goes on for as long as its [`Budget`] lasts. Then the CPU's
//! softirqs are *handed over* to its thread, ksoftirqd, which the fair class schedules like any other. As long as it has them no tail
//! serves any, or every interrupt would take its budget anew and the flood would have the CPU after all. The thread gives them back
//! when it finds nothing left. What is raised is a bit of the CPU's own word the whole time, so nothing is lost on the way: only who
//! takes the bits changes.
use crate::Budget;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use sync::ambient;
use sync::atomic_context::{Held, SoftirqsOff};
use sync::{Once, PerCpu};
use trace::points;

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

/// One CPU's side. Only that CPU writes it.
struct Own {
    counts: [AtomicU64; Softirq::COUNT],
    /// The thread serves, not the tails of interrupts.
    handed_over: AtomicBool,
    /// How often that became so.
    floods: AtomicU64,
}

impl Own {
    fn new() -> Self {
        Self {
            counts: [const { AtomicU64::new(0) }; Softirq::COUNT],
            handed_over: AtomicBool::new(false),
            floods: AtomicU64::new(0),
        }
    }
}

/// Adds one to a counter that nobody else writes: softirqs of one CPU do not interrupt each other.
fn count(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// The actions of all vectors, and how often each was served on each CPU.
pub struct Softirqs {
    actions: [Once<&'static dyn Action>; Softirq::COUNT],
    cpus: PerCpu<Own>,
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
        let cpus = PerCpu::new(cpus, |_| Own::new())?;
        Some(Self { actions: [const { Once::new() }; Softirq::COUNT], cpus })
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

    /// Where an interrupt or a softirqs-off section ends: serves what is raised on this CPU, in rounds, as long as the budget lasts.
    /// Then `wake` is asked to wake the CPU's thread for the rest; false where there is none yet, and the rest waits for the next
    /// interrupt. The caller counts softirqs as off, and has interrupts on.
    pub fn serve(&self, wake: impl FnOnce() -> bool) {
        let Some(own) = self.cpus.of(ambient::cpu()).filter(|own| !own.handed_over.load(Ordering::Relaxed)) else {
            return;
        };
        let mut budget = Budget::starting(ambient::now());
        loop {
            self.round(own, ambient::take_softirqs());
            if ambient::pending_softirqs() == 0 {
                return;
            }
            if !budget.allows_another(ambient::now(), ambient::reschedule_wanted()) {
                break;
            }
        }
        // In this order: whoever wakes finds its work.
        own.handed_over.store(true, Ordering::Release);
        if wake() {
            count(&own.floods);
        } else {
            own.handed_over.store(false, Ordering::Release);
        }
    }

    /// Whether CPU `cpu`'s thread has something to serve.
    pub fn is_handed_over(&self, cpu: usize) -> bool {
        self.cpus.of(cpu).is_some_and(|own| own.handed_over.load(Ordering::Acquire))
    }

    /// Serves what was handed over, until nothing is left. By the CPU's thread, which gives way to others between rounds, and stays on
    /// its CPU.
    pub fn serve_in_thread(&self) {
        let Some(own) = self.cpus.of(ambient::cpu()) else { return };
        while self.is_handed_over(ambient::cpu()) {
            let _held = Held::<SoftirqsOff>::new();
            match ambient::take_softirqs() {
                0 => {
                    own.handed_over.store(false, Ordering::Release);
                    // An interrupt that came before that has left its own here; one that comes now sees to it itself, when the guard goes.
                    if ambient::pending_softirqs() != 0 {
                        own.handed_over.store(true, Ordering::Release);
                    }
                }
                pending => ambient::serve_in_section(|| self.round(own, pending)),
            }
        }
    }

    fn round(&self, own: &Own, mut pending: u32) {
        while pending != 0 {
            let number = pending.trailing_zeros() as usize;
            pending &= pending - 1;
            if let Some(counter) = own.counts.get(number) {
                count(counter);
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
        self.cpus.of(cpu).map_or(0, |own| own.counts[softirq as usize].load(Ordering::Relaxed))
    }

    /// How often CPU `cpu` handed its softirqs over to its thread.
    pub fn floods(&self, cpu: usize) -> u64 {
        self.cpus.of(cpu).map_or(0, |own| own.floods.load(Ordering::Relaxed))
    }
}
