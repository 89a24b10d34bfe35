//! Moving threads that are runnable: to CPUs that have too little to do, and away from where they may not run.
//!
//! **Who is short of work pulls**, one thread at a time, from the CPU that has most: an idle CPU before it halts, a busy one every few ticks, in
//! softirq context. What is worth moving is [`sched`]'s to decide, from copies of the other CPUs' figures. An idle CPU has no tick; a
//! busy one on which threads wait wakes an idle one up for it.
//!
//! **Locks.** Two run queues are never locked at once. In between a thread is in nobody's queue; whoever looks for it meanwhile waits
//! ([`crate::share`]), and whoever moves it is not preempted: it would be in nobody's hands for as long as others run. Its CPUs may be changed meanwhile too, so who has moved one looks once more.
use crate::clock;
use crate::cpus::{self, Balancing, Cpu};
use crate::run::publish;
use crate::wake::{self, after_enqueue};
use alloc::sync::Arc;
use core::sync::atomic::{Ordering, fence};
use irq::Softirq;
use sched::{Balancer, CpuLoad, Migrant, Preempt, Pull};
use sync::Thread;
use sync::atomic_context::Held;

/// Queued threads that are looked at for one that may be moved.
const LOOKS: usize = 32;
/// Threads moved by one balance: it holds up what the softirq interrupted.
const MOST: usize = 16;

/// Has `decide` look at all CPUs as they are to be seen without their locks.
fn look<R>(cpu: &Cpu, decide: impl FnOnce(&mut Balancer, &[CpuLoad]) -> R) -> R {
    let mut balancing = cpu.balancing.lock();
    let Balancing { balancer, loads } = &mut *balancing;
    for (load, cpu) in loads.iter_mut().zip(cpus::all()) {
        load.running = cpu.running.load(Ordering::Relaxed);
        load.weight = cpu.load.load(Ordering::Relaxed);
    }
    decide(balancer, loads)
}

/// Threads that balancing moved, since boot.
pub fn threads_pulled() -> u64 {
    cpus::all().iter().map(|cpu| cpu.pulled.load(Ordering::Relaxed)).sum()
}

/// The periodic balance: of the softirq that has its name.
pub struct Balance;

impl irq::Action for Balance {
    fn serve(&self) {
        let own = arch::cpu::id();
        let cpu = cpus::this();
        if let Some(wanted) = look(cpu, |balancer, loads| balancer.periodic(own, loads)) {
            let moved = pull(own, &wanted);
            cpu.balancing.lock().balancer.pulled(moved);
        }
    }
}

/// The tick of a CPU that runs `running` threads: its balance, when that is due; and somebody idle is woken for what waits.
pub(crate) fn on_tick(cpu: &Cpu, running: usize, now: u64) {
    let count = cpus::cpu_count();
    if count == 1 || running == 0 || now < cpu.next_balance.load(Ordering::Relaxed) {
        return;
    }
    cpu.next_balance.store(now.saturating_add(sched::interval_ns(count, true)), Ordering::Relaxed);
    irq::raise(Softirq::Scheduler);
    if running > 1
        && let Some(chip) = cpus::chip()
        && let Some(idle) = (0..count).find(|&other| is_idle(other))
    {
        chip.kick(idle);
    }
}

fn is_idle(cpu: usize) -> bool {
    let cpu = cpus::cpu(cpu);
    cpu.online.load(Ordering::Relaxed) && cpu.running.load(Ordering::Relaxed) == 0
}

/// Before a CPU halts, by its idle thread: takes a thread that waits elsewhere.
pub(crate) fn pull_when_idle() {
    let own = arch::cpu::id();
    let waiting = |cpu: &Cpu| cpu.running.load(Ordering::Relaxed) > 1;
    if cpus::cpu(own).running.load(Ordering::Relaxed) == 0
        && cpus::all().iter().any(waiting)
        && let Some(wanted) = look(cpus::cpu(own), |_, loads| sched::idle_pull(own, loads))
    {
        pull(own, &wanted);
    }
}

/// Carries out `wanted` for CPU `own`; how many threads it moved.
fn pull(own: usize, wanted: &Pull) -> usize {
    let _held = Held::<sync::Preempt>::new();
    let (mut moved, mut weight) = (0, 0);
    while moved < wanted.threads.min(MOST) {
        let Some((migrant, share)) = take_from(wanted, own, weight) else { break };
        moved += 1;
        weight += u64::from(share);
        attach(own, migrant);
    }
    let cpu = cpus::cpu(own);
    cpu.pulled.store(cpu.pulled.load(Ordering::Relaxed).wrapping_add(moved as u64), Ordering::Relaxed);
    moved
}

/// A queued thread that may run on `own` and is light enough, and its weight.
fn take_from(wanted: &Pull, own: usize, moved: u64) -> Option<(Migrant<Arc<Thread>>, u32)> {
    let cpu = cpus::cpu(wanted.from);
    let mut queue = cpu.queue.lock();
    let mut share = 0;
    let position = queue.fair().find_movable(LOOKS, &mut |runnable| {
        share = runnable.entity.weight().share();
        runnable.owner.affinity.allows(own) && wanted.admits(share, moved)
    })?;
    let migrant = queue.fair_mut().detach(position)?;
    publish(cpu, &queue);
    Some((migrant, share))
}

/// Queues a thread on CPU `target`, or on another if it may not run there any more by then.
fn attach(mut target: usize, mut migrant: Migrant<Arc<Thread>>) {
    let owner = migrant.owner().clone();
    loop {
        let cpu = cpus::cpu(target);
        let position = {
            let mut queue = cpu.queue.lock();
            owner.set_cpu(target);
            let enqueued = queue.attach(migrant, clock::now());
            owner.virtual_time.store(enqueued.position.vruntime, Ordering::Relaxed);
            publish(cpu, &queue);
            after_enqueue(target, enqueued.preempt, queue.running());
            enqueued.position
        };
        // Whoever changes its CPUs does that first, and then looks where it is.
        fence(Ordering::SeqCst);
        if owner.affinity.allows(target) {
            return;
        }
        let mut queue = cpu.queue.lock();
        let Some(found) = queue.fair_mut().detach(position) else {
            // It runs, and sees for itself, or it is somebody else's to move.
            after_enqueue(target, Preempt::Yes, 0);
            return;
        };
        publish(cpu, &queue);
        migrant = found;
        target = wake::target_for_new(&owner);
    }
}

/// Finds a CPU for a thread that is in no queue.
pub(crate) fn settle(migrant: Migrant<Arc<Thread>>) {
    let target = wake::target_for_new(migrant.owner());
    attach(target, migrant);
}
