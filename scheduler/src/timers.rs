//! Timers: deadlines of sleepers, callbacks, and the tick.
use crate::accounting;
use crate::clock;
use crate::cpus::{self, Cpu};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sched::Preempt;
use sync::Thread;
use time::{Room, TICK_NS, TimerId};

/// What happens when a timer expires. Called from the timer interrupt; wakes or sends, and no more. Answers the next deadline
/// of a timer that repeats.
pub trait Expire: Send + Sync {
    fn expire(&self, now: u64) -> Option<u64>;
}

#[derive(Debug)]
pub(crate) enum TimerAction {
    Wake(Arc<Thread>),
    Call(Arc<dyn Expire>),
}

impl core::fmt::Debug for dyn Expire {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("callback")
    }
}

/// A timer in the queue of the CPU on which it was made; gone when dropped.
#[derive(Debug)]
pub struct Timer {
    cpu: usize,
    id: TimerId,
}

impl Timer {
    /// A timer for `action`, not armed; `None` without memory.
    fn add(action: TimerAction) -> Option<Self> {
        let cpu = arch::cpu::id();
        let queue = &cpus::cpu(cpu).timers;
        let mut action = action;
        loop {
            let wanted = {
                let mut timers = queue.lock();
                match timers.add(action) {
                    Ok(id) => return Some(Self { cpu, id }),
                    Err(back) => action = back,
                }
                timers.room_wanted()
            };
            if let Some(wanted) = wanted {
                let mut room = Room::new(wanted).ok()?;
                queue.lock().grow(&mut room);
            }
        }
    }

    /// A timer that calls `target` when it expires, not armed. `None` without memory. May sleep.
    pub fn calling(target: Arc<dyn Expire>) -> Option<Self> {
        Self::add(TimerAction::Call(target))
    }

    /// Arms it for `deadline`, in nanoseconds since boot; changes the deadline of one that is armed.
    pub fn arm(&self, deadline: u64) {
        let cpu = cpus::cpu(self.cpu);
        let mut timers = cpu.timers.lock();
        timers.arm(self.id, deadline);
        if deadline < cpu.armed.load(Ordering::Relaxed) {
            if self.cpu == arch::cpu::id() {
                arm_hardware(cpu, deadline);
            } else if let Some(chip) = cpus::chip() {
                // The other CPU's reschedule interrupt looks at its timers.
                chip.kick(self.cpu);
            }
        }
    }

    /// Takes the deadline away; false where it had expired or was never armed.
    pub fn disarm(&self) -> bool {
        cpus::cpu(self.cpu).timers.lock().disarm(self.id)
    }

    /// When it expires, if it is armed.
    pub fn deadline(&self) -> Option<u64> {
        cpus::cpu(self.cpu).timers.lock().deadline(self.id)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let payload = cpus::cpu(self.cpu).timers.lock().release(self.id);
        drop(payload);
    }
}

/// Gives back what the queues keep for timers to come. Any context that may allocate.
pub(crate) fn give_back() {
    for cpu in cpus::all() {
        loop {
            let surplus = cpu.timers.lock().give_back();
            if surplus.is_none() {
                break;
            }
        }
        let wanted = cpu.timers.lock().surplus();
        if let Some(mut room) = wanted.and_then(|wanted| Room::new(wanted).ok()) {
            cpu.timers.lock().grow(&mut room);
        }
    }
}

/// Runs `sleep` with a timer that wakes this thread at `deadline`. Without memory for the timer the sleep is skipped: callers
/// look at their deadline again, as after any early wake-up.
pub(crate) fn sleep_until(deadline: u64, sleep: impl FnOnce()) {
    if let Some(timer) = Timer::add(TimerAction::Wake(Thread::current_shared())) {
        timer.arm(deadline);
        sleep();
    }
}

/// Has the timer interrupt come at `wanted`. This CPU, with its timers locked.
fn arm_hardware(cpu: &Cpu, wanted: u64) {
    cpu.armed.store(wanted, Ordering::Relaxed);
    if let Some(chip) = cpus::chip() {
        chip.arm_timer(wanted.saturating_sub(clock::now()));
    }
}

/// Has it come for whatever is next. This CPU, interrupts off.
pub(crate) fn arm_for_next(cpu: &Cpu) {
    let timers = cpu.timers.lock();
    let wanted = timers.next_deadline().unwrap_or(u64::MAX).min(cpu.next_tick.load(Ordering::Relaxed));
    if wanted != cpu.armed.load(Ordering::Relaxed) && wanted != u64::MAX {
        arm_hardware(cpu, wanted);
    }
}

/// Keeps the tick going while it is needed: to share the CPU, and to sample what it does. This CPU, interrupts off.
pub(crate) fn tick(cpu: &Cpu, running: usize, now: u64) {
    let next = cpu.next_tick.load(Ordering::Relaxed);
    if running == 0 {
        cpu.next_tick.store(u64::MAX, Ordering::Relaxed);
    } else if next == u64::MAX {
        cpu.next_tick.store(now + TICK_NS, Ordering::Relaxed);
        if now + TICK_NS < cpu.armed.load(Ordering::Relaxed)
            && let Some(chip) = cpus::chip()
        {
            cpu.armed.store(now + TICK_NS, Ordering::Relaxed);
            chip.arm_timer(TICK_NS);
        }
    }
}

/// The timer interrupt, which came from user mode or not: serves what has expired, and arms the hardware again.
pub fn timer_interrupt(from_user: bool) {
    let cpu = cpus::this();
    let now = clock::now();
    cpu.armed.store(u64::MAX, Ordering::Relaxed);
    loop {
        let mut timers = cpu.timers.lock();
        let Some((id, _, action)) = timers.pop_expired(now) else {
            drop(timers);
            serve_tick(cpu, now, from_user);
            arm_for_next(cpu);
            break;
        };
        match action {
            TimerAction::Wake(thread) => {
                let thread = thread.clone();
                drop(timers);
                crate::wake::wake(&thread, crate::wake::ORDINARY);
            }
            TimerAction::Call(target) => {
                let target = target.clone();
                drop(timers);
                if let Some(again) = target.expire(now) {
                    cpu.timers.lock().arm(id, again);
                }
            }
        }
    }
}

fn serve_tick(cpu: &Cpu, now: u64, from_user: bool) {
    let due = cpu.next_tick.load(Ordering::Relaxed);
    if due > now {
        return;
    }
    let running = {
        let mut queue = cpu.queue.lock();
        let nice = queue.fair().current().is_some_and(|current| current.entity.nice().value() > 0);
        accounting::sample(cpu, now.saturating_sub(due).saturating_add(TICK_NS), from_user, nice);
        if queue.tick(now) == Preempt::Yes {
            arch::cpu::want_reschedule();
        }
        queue.running()
    };
    accounting::update_load(now);
    crate::balance::on_tick(cpu, running, now);
    let next = if running > 0 { now + TICK_NS } else { u64::MAX };
    cpu.next_tick.store(next, Ordering::Relaxed);
}
