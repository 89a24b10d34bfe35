//! Waking.
use crate::clock;
use crate::cpus::{self, Account, Cpu};
use crate::run::publish;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sched::{CpuLoad, Home, Preempt, Runnable};
use sync::Thread;
use sync::thread::Sleep;

/// Sleeps that an ordinary wake-up ends.
pub(crate) const ORDINARY: u32 =
    Sleep::Interruptible as u32 | Sleep::Killable as u32 | Sleep::Uninterruptible as u32 | Sleep::Idle as u32;

/// Wakes a thread that job control or a tracer stopped.
pub fn wake_stopped(thread: &Thread) -> bool {
    wake(thread, Sleep::Stopped as u32)
}

/// Ends an interruptible sleep: a signal is pending. A thread that runs on another CPU is interrupted there.
pub fn interrupt_sleep(thread: &Thread) -> bool {
    wake_or_interrupt(thread, Sleep::Interruptible as u32)
}

/// Ends every sleep that a fatal signal ends. A thread that runs on another CPU is interrupted there.
pub fn kill_sleep(thread: &Thread) -> bool {
    wake_or_interrupt(thread, Sleep::Interruptible as u32 | Sleep::Killable as u32 | Sleep::Stopped as u32)
}

/// Whoever calls this has given the thread work to look at before it enters user mode. Where it is in user mode, it has to leave that first;
/// on this CPU it cannot be.
fn wake_or_interrupt(thread: &Thread, mask: u32) -> bool {
    if wake(thread, mask) {
        return true;
    }
    let cpu = thread.cpu();
    if cpu != arch::cpu::id() && thread.is_on_cpu() {
        cpus::chip().inspect(|chip| chip.kick(cpu));
    }
    false
}

/// Ends a sleep of one of the kinds in `mask`; false where the thread was in none.
pub(crate) fn wake(thread: &Thread, mask: u32) -> bool {
    let uninterruptible = thread.state() == Sleep::Uninterruptible as u32;
    if !thread.begin_wake(mask) {
        return false;
    }
    let (home, parked) = loop {
        let home = thread.cpu();
        let queue = cpus::cpu(home).queue.lock();
        if thread.cpu() != home {
            continue;
        }
        let parked = thread.unpark();
        if parked.is_none() {
            // It has not let go of its CPU: it will see that it is not asleep any more.
            thread.finish_sleep();
            return true;
        }
        drop(queue);
        break (home, parked);
    };
    let Some((entity, owner)) = parked else { return true };
    let Ok(entity) = entity.downcast::<sched::Entity<Arc<Thread>>>() else {
        unreachable!("the scheduler parks accounts only");
    };
    let kind = if uninterruptible { sched::Sleep::Uninterruptible } else { sched::Sleep::Interruptible };
    enqueue_woken(thread, Runnable { entity, owner }, home, kind);
    true
}

fn enqueue_woken(thread: &Thread, runnable: Runnable<Arc<Thread>>, home: usize, kind: sched::Sleep) {
    let target = target_for(home, &runnable.owner);
    let cpu = cpus::cpu(target);
    let mut queue = cpu.queue.lock();
    let now = clock::now();
    let place = if target == home {
        Home::Here
    } else {
        Home::Elsewhere { min_vruntime: cpus::cpu(home).min_vruntime.load(Ordering::Relaxed) }
    };
    runnable.owner.set_cpu(target);
    runnable.owner.finish_sleep();
    let enqueued = queue.wake(runnable, place, kind, now);
    thread.virtual_time.store(enqueued.position.vruntime, Ordering::Relaxed);
    publish(cpu, &queue);
    after_enqueue(target, enqueued.preempt, queue.running());
}

/// Makes a new thread runnable.
pub(crate) fn enqueue_new(entity: Account, owner: Arc<Thread>, target: usize) {
    let cpu = cpus::cpu(target);
    let mut queue = cpu.queue.lock();
    let now = clock::now();
    owner.set_cpu(target);
    let enqueued = queue.start(Runnable { entity, owner: owner.clone() }, now);
    owner.virtual_time.store(enqueued.position.vruntime, Ordering::Relaxed);
    publish(cpu, &queue);
    after_enqueue(target, enqueued.preempt, queue.running());
}

/// Has a CPU look at a thread that it was given, where that changes what it does. (The tick runs there already if another
/// thread does.)
pub(crate) fn after_enqueue(target: usize, preempt: Preempt, running: usize) {
    let here = target == arch::cpu::id();
    if preempt == Preempt::Yes || running == 1 {
        if here {
            arch::cpu::want_reschedule();
        } else if let Some(chip) = cpus::chip() {
            chip.kick(target);
        }
    }
}

fn target_for(home: usize, thread: &Thread) -> usize {
    let cpus = cpus::all();
    if cpus.len() == 1 {
        return home;
    }
    let idle = |number: usize| {
        let cpu = &cpus[number];
        cpu.online.load(Ordering::Relaxed) && cpu.running.load(Ordering::Relaxed) == 0 && thread.affinity.allows(number)
    };
    let waker = arch::cpu::id();
    if idle(home) {
        return home;
    }
    if idle(waker) {
        return waker;
    }
    (0..cpus.len()).find(|&number| idle(number)).unwrap_or_else(|| allowed_near(home, thread))
}

/// `home`, or where the thread may run if not there.
fn allowed_near(home: usize, thread: &Thread) -> usize {
    let allowed = |cpu: usize| thread.affinity.allows(cpu) && cpus::cpu(cpu).online.load(Ordering::Relaxed);
    if allowed(home) { home } else { (0..cpus::cpu_count()).find(|&cpu| allowed(cpu)).unwrap_or(home) }
}

/// The CPU for a new thread made on this one.
pub(crate) fn target_for_new(thread: &Thread) -> usize {
    let cpus = cpus::all();
    let here = arch::cpu::id();
    if cpus.len() == 1 {
        return here;
    }
    let load = |cpu: &Cpu| CpuLoad { running: cpu.running.load(Ordering::Relaxed), weight: 0 };
    let key = |number: usize| (load(&cpus[number]).running, number != here);
    (0..cpus.len())
        .filter(|&number| cpus[number].online.load(Ordering::Relaxed) && thread.affinity.allows(number))
        .min_by_key(|&number| key(number))
        .unwrap_or(here)
}

/// The interrupt by which another CPU asks this one to reschedule, or to look at its timers.
pub fn reschedule_interrupt() {
    crate::timers::arm_for_next(crate::cpus::this());
    arch::cpu::want_reschedule();
}
