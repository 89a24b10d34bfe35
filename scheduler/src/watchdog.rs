//! Processors that do not get on.
//!
//! Each CPU has a timer that comes every so often. It looks whether this CPU went through the scheduler since it last asked it to,
//! and asks again. A program that computes, a kernel loop that may be preempted and an idle CPU all do so at once; a CPU
//! that does not is inside a section that holds off preemption, with interrupts on: a **soft** lock-up. The timer also looks whether
//! the next CPU's timer still comes; where it does not, that CPU has interrupts off: a **hard** lock-up. A machine with one CPU
//! cannot see the latter: nothing of its runs then. Who counts looks and when that is too long is [`sched::Watch`].
use crate::cpus;
use crate::timers::{Expire, Timer};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sched::Watch;
use sync::{InterruptsOff, Once, Rank, SpinLock};

/// Looks that make up the time after which a CPU is taken to be stuck (as in Linux's kernel/watchdog.c).
const LOOKS: u32 = 5;

/// What the kernel does about it. Called in hard-interrupt context.
pub trait Alarm: Sync {
    /// `cpu` has not gone through the scheduler for `seconds`.
    fn soft_lockup(&self, cpu: usize, seconds: u64);
    /// `cpu` has taken no timer interrupt for `seconds`.
    fn hard_lockup(&self, cpu: usize, seconds: u64);
}

struct Watchdog {
    /// Nanoseconds between two looks.
    period: u64,
    alarm: &'static dyn Alarm,
}

static WATCHDOG: Once<Watchdog> = Once::new();

/// Chooses after how many nanoseconds a CPU is stuck, and who is told. Once, before [`start_on_this_cpu`].
pub fn configure(limit: u64, alarm: &'static dyn Alarm) {
    let _ = WATCHDOG.set(Watchdog { period: limit / u64::from(LOOKS), alarm });
}

struct Looks {
    watchdog: &'static Watchdog,
    cpu: usize,
    /// Of this CPU's passes through the scheduler, and of the next CPU's looks.
    watches: SpinLock<(Watch, Watch), InterruptsOff>,
}

/// Starts watching this CPU; nothing without [`configure`]. Once per CPU, when it takes interrupts.
pub fn start_on_this_cpu() {
    let Some(watchdog) = WATCHDOG.get() else { return };
    let watches = SpinLock::new(Rank::Leaf, (Watch::new(LOOKS), Watch::new(LOOKS)));
    let looks = Arc::new(Looks { watchdog, cpu: arch::cpu::id(), watches });
    if let Some(timer) = Timer::calling(looks) {
        // From now on the others may look at it.
        cpus::this().looks.store(1, Ordering::Relaxed);
        timer.arm(crate::clock::now() + watchdog.period);
        // For as long as the machine runs.
        core::mem::forget(timer);
    }
}

/// The CPU that `cpu` keeps an eye on.
fn neighbour(cpu: usize) -> Option<usize> {
    let count = cpus::cpu_count();
    let after = (1..count).map(|step| (cpu + step) % count);
    after.into_iter().find(|&other| cpus::cpu(other).looks.load(Ordering::Relaxed) != 0)
}

impl Expire for Looks {
    fn expire(&self, now: u64) -> Option<u64> {
        let own = cpus::cpu(self.cpu);
        own.looks.fetch_add(1, Ordering::Relaxed);
        let neighbour = neighbour(self.cpu);
        let (soft, hard) = {
            let mut watches = self.watches.lock();
            let soft = watches.0.look(own.passes.load(Ordering::Relaxed));
            let hard = neighbour.map(|other| watches.1.look(cpus::cpu(other).looks.load(Ordering::Relaxed)));
            (soft, hard.flatten())
        };
        let seconds = |looks: u32| (u64::from(looks) * self.watchdog.period).div_ceil(1_000_000_000);
        if let Some(looks) = soft {
            self.watchdog.alarm.soft_lockup(self.cpu, seconds(looks));
        }
        if let (Some(looks), Some(other)) = (hard, neighbour) {
            self.watchdog.alarm.hard_lockup(other, seconds(looks));
        }
        arch::cpu::want_reschedule();
        Some(now + self.watchdog.period)
    }
}
