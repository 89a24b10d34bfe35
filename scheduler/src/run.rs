//! The switch: who runs next, and what the old thread leaves behind.
use crate::cpus::{self, Cpu, Left};
use crate::{accounting, clock, timers};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sched::{RunQueue, Runnable};
use sync::atomic_context::Held;
use sync::thread::{self, Sleep};
use sync::{InterruptsOff, Once, SpinGuard, Thread, hooks};
use trace::points::{self, Event};

pub(crate) type Queue<'a> = SpinGuard<'a, RunQueue<Arc<Thread>>, InterruptsOff>;

/// Whoever serves softirqs; `serve` runs with them counted as disabled and interrupts on.
pub trait Softirqs: Sync {
    fn serve(&self);
}

static SOFTIRQS: Once<&'static dyn Softirqs> = Once::new();

/// Told by a thread that asks for it (`tells_sleep`) of its sleeps: before and after each, on the thread itself. It has announced the
/// sleep by then, so that nothing in here may sleep.
pub trait SleepObserver: Sync {
    fn sleeps(&self);
    fn wakes(&self);
}

static OBSERVER: Once<&'static dyn SleepObserver> = Once::new();

/// Says who is told. Once.
pub fn set_sleep_observer(observer: &'static dyn SleepObserver) {
    let _ = OBSERVER.set(observer);
}

struct Scheduler;

/// Makes this the scheduler that `sync` asks. Once, after [`crate::become_idle_thread`] on the first CPU.
pub fn register(softirqs: &'static dyn Softirqs) {
    let _ = SOFTIRQS.set(softirqs);
    hooks::register(&Scheduler);
}

impl hooks::Hooks for Scheduler {
    /// A thread that comes back from being preempted has interrupts on again, deep in its stack, and the next interrupt may well wish to
    /// preempt it once more. That wish is left to the loop here: a preemption inside a preemption inside … ends no stack.
    fn preempt(&self) {
        let current = sync::current();
        while arch::cpu::preempt_word() == 0 && !current.preempting.swap(true, Ordering::Relaxed) {
            while arch::cpu::preempt_word() == 0 && reschedule(false) {}
            current.preempting.store(false, Ordering::Relaxed);
        }
    }

    fn schedule(&self, deadline: Option<u64>) {
        let observer = if sync::current().tells_sleep.load(Ordering::Relaxed) { OBSERVER.get() } else { None };
        observer.inspect(|observer| observer.sleeps());
        match deadline {
            None => {
                reschedule(true);
            }
            Some(deadline) => timers::sleep_until(deadline, || {
                reschedule(true);
            }),
        }
        observer.inspect(|observer| observer.wakes());
    }

    fn wake(&self, thread: &Thread) -> bool {
        crate::wake::wake(thread, crate::wake::ORDINARY)
    }

    fn serve_softirqs(&self) {
        if let Some(softirqs) = SOFTIRQS.get() {
            softirqs.serve();
        }
    }

    fn now(&self) -> u64 {
        clock::now()
    }

    fn enter_kernel_space(&self) {
        memory::enter_kernel_space();
    }

    fn thread_started(&self) {
        after_switch();
    }

    fn thread_ended(&self) -> ! {
        crate::threads::exit_thread()
    }
}

/// The idle thread gives way.
pub(crate) fn leave_idle() {
    reschedule(false);
}

/// Lets others of this CPU go first (sched_yield(2)).
pub fn yield_now() {
    {
        let mut queue = lock_own();
        if queue.running() <= 1 {
            return;
        }
        queue.fair_mut().yield_current();
    }
    reschedule(false);
}

/// This CPU's queue, locked. The thread may have been moved between the look at the CPU's number and the lock.
fn lock_own() -> Queue<'static> {
    loop {
        let cpu = cpus::this();
        let queue = cpu.queue.lock();
        if core::ptr::eq(cpu, cpus::this()) {
            return queue;
        }
    }
}

/// Gives way: the running thread is not where it may run, and comes back where it may.
pub(crate) fn move_away() {
    reschedule(false);
}

/// Runs `action` with this CPU's run queue locked: for provoking panics there.
pub fn with_queue_locked<R>(action: impl FnOnce() -> R) -> R {
    let _queue = cpus::this().queue.lock();
    action()
}

/// Nanoseconds that `thread` has had a CPU: up to now if it runs, exact if it does not. Any context in which a run queue may be
/// locked.
pub fn run_time(thread: &Thread) -> u64 {
    if thread.is_on_cpu() {
        let mut queue = cpus::cpu(thread.cpu()).queue.lock();
        // Whoever runs there by now: a thread that has left meanwhile was counted when it did.
        note_run_time(&mut queue, clock::now());
    }
    thread.run_time.load(Ordering::Relaxed)
}

/// Copies the running thread's account to where it can be read without the queue.
fn note_run_time(queue: &mut Queue<'_>, now: u64) {
    queue.fair_mut().update_current(now);
    if let Some(current) = queue.fair().current() {
        current.owner.run_time.store(current.entity.sum_exec_ns(), Ordering::Relaxed);
        // Where it stands, should it be queued now.
        current.owner.virtual_time.store(current.entity.vruntime(), Ordering::Relaxed);
    }
}

/// Chooses who runs, and switches; true where another reschedule is wanted already. With `may_block`, a thread that
/// announced a sleep is parked; a preempted one stays runnable whatever it announced.
fn reschedule(may_block: bool) -> bool {
    let cpu = cpus::this();
    let mut queue = cpu.queue.lock();
    // The thread may have been moved between the look at the CPU's number and the lock.
    let cpu = if core::ptr::eq(cpu, cpus::this()) {
        cpu
    } else {
        drop(queue);
        return reschedule(may_block);
    };
    arch::cpu::clear_reschedule();
    cpu.passes.store(cpu.passes.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    let now = clock::now();
    let current = sync::current();
    let mut blocked = false;
    if may_block {
        let state = current.state();
        if state != thread::RUNNING && state != thread::WAKING {
            block(cpu, &mut queue, &current, state, now);
            blocked = true;
        }
    }
    note_run_time(&mut queue, now);
    if !blocked && !current.affinity.allows(current.cpu()) {
        leave(cpu, &mut queue, now);
    }
    let idle = cpu.idle.get();
    let next = queue.pick_next(now).or(idle);
    let stay = next.is_none_or(|next| core::ptr::eq(Arc::as_ptr(next), &raw const *current));
    publish(cpu, &queue);
    timers::tick(cpu, queue.running(), now);
    if stay {
        return false;
    }
    accounting::count_switch(&current, blocked);
    let for_good = blocked && current.state() == Sleep::Dead as u32;
    let wanted = sync::switch(queue, for_good, |queue| match (queue.current(), idle) {
        (Some(next), _) | (None, Some(next)) => {
            if points::is_on(Event::SchedSwitch) {
                trace_switch(&current, next, blocked);
            }
            next
        }
        (None, None) => unreachable!("a CPU that schedules has an idle thread"),
    });
    after_switch();
    wanted
}

#[cold]
#[inline(never)]
fn trace_switch(previous: &Thread, next: &Thread, blocked: bool) {
    // Whoever is being woken already is as good as runnable.
    let state = if blocked { previous.state() & !thread::WAKING } else { thread::RUNNING };
    let label = &next.label;
    points::sched_switch(previous.label.name(), u64::from(state), label.name(), u64::from(label.number()));
    // Whoever was made after tracing began has its doors watched from here on.
    if next.work() & thread::work::TRACE == 0 {
        next.add_work(thread::work::TRACE);
    }
}

fn block(cpu: &Cpu, queue: &mut Queue<'_>, current: &Thread, state: u32, now: u64) {
    let kind = if state == Sleep::Uninterruptible as u32 {
        current.blocked_since.store(now, Ordering::Relaxed);
        sched::Sleep::Uninterruptible
    } else {
        sched::Sleep::Interruptible
    };
    let Some(runnable) = queue.block(kind, now) else { return };
    current.run_time.store(runnable.entity.sum_exec_ns(), Ordering::Relaxed);
    if state == Sleep::Dead as u32 {
        let before = cpu.left.lock_inside().replace(Left::Ended { account: runnable });
        debug_assert!(before.is_none(), "the seat is emptied after each switch");
    } else {
        let Runnable { entity, owner } = runnable;
        current.park((entity, owner));
    }
}

/// Takes out the running thread, which may not run here any more, for whoever runs next to find another CPU for it: it cannot be queued
/// there as long as it stands on its stack. Where the seat is taken, it goes next time.
#[cold]
fn leave(cpu: &Cpu, queue: &mut Queue<'_>, now: u64) {
    let mut left = cpu.left.lock_inside();
    if left.is_some() {
        arch::cpu::want_reschedule();
    } else if let Some(migrant) = queue.fair_mut().detach_current(now) {
        *left = Some(Left::Moving(migrant));
    }
}

/// Copies for other CPUs.
pub(crate) fn publish(cpu: &Cpu, queue: &RunQueue<Arc<Thread>>) {
    cpu.running.store(queue.running(), Ordering::Release);
    cpu.min_vruntime.store(queue.fair().min_vruntime(), Ordering::Relaxed);
    cpu.load.store(queue.fair().load(), Ordering::Relaxed);
    cpu.uninterruptible.store(queue.uninterruptible(), Ordering::Relaxed);
}

/// On the new stack, with nothing held: sees to a thread that left its queue here. Without preemption, or another CPU's seat might be
/// looked into while somebody still stands on the stack that is named there.
fn after_switch() {
    let ended = {
        let _held = Held::<sync::Preempt>::new();
        // The seat is free again before another CPU's queue is locked.
        let left = cpus::this().left.lock().take();
        match left {
            Some(Left::Moving(migrant)) => {
                crate::balance::settle(migrant);
                None
            }
            Some(Left::Ended { account }) => Some(account),
            None => None,
        }
    };
    if let Some(account) = ended {
        account.owner.release();
    }
}
