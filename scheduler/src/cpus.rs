//! What each CPU has of its own.
use crate::accounting::{self, Spent};
use crate::remote::Remote;
use crate::timers::TimerAction;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use sched::{Balancer, CpuLoad, Entity, Migrant, RunQueue, Runnable, Tunables};
use sync::{InterruptsOff, Once, Rank, SoftirqsOff, SpinLock, Thread};
use time::TimerQueue;
use trace::points;

pub(crate) type Account = alloc::boxed::Box<Entity<Arc<Thread>>>;

/// The hardware behind time and other CPUs.
pub trait Chip: Sync {
    /// Has the timer interrupt come `nanoseconds` from now, in place of any earlier wish. Interrupts are off.
    fn arm_timer(&self, nanoseconds: u64);
    /// Interrupts another CPU so that it reschedules.
    fn kick(&self, cpu: usize);
}

/// One CPU's side of the scheduler.
pub(crate) struct Cpu {
    pub queue: SpinLock<RunQueue<Arc<Thread>>, InterruptsOff>,
    pub timers: SpinLock<TimerQueue<TimerAction>, InterruptsOff>,
    pub idle: Once<Arc<Thread>>,
    /// Whoever left this CPU's queue last while it stood on its stack, until the next thread sees to it.
    pub left: SpinLock<Option<Left>, InterruptsOff>,
    pub online: AtomicBool,
    /// Runnable threads, and the queue's `min_vruntime`: copies for other CPUs to look at without the lock.
    pub running: AtomicUsize,
    pub min_vruntime: AtomicU64,
    /// The weight of those threads together.
    pub load: AtomicU64,
    pub uninterruptible: AtomicI64,
    /// When the next timer interrupt is due.
    pub armed: AtomicU64,
    /// Nanoseconds for which the CPU was halted, and since when it is (0: it is not).
    pub idle_time: AtomicU64,
    pub idle_since: AtomicU64,
    pub spent: Spent,
    pub next_tick: AtomicU64,
    /// How often this CPU went through the scheduler; written by it alone.
    pub passes: AtomicU64,
    /// How often the watchdog's timer came.
    pub looks: AtomicU64,
    pub remote: Remote,
    /// The periodic balance's memory, when it is due next, and how many threads came here by balancing.
    pub balancing: SpinLock<Balancing, SoftirqsOff>,
    pub next_balance: AtomicU64,
    pub pulled: AtomicU64,
}

/// For [`crate::balance`].
pub(crate) struct Balancing {
    pub balancer: Balancer,
    /// A place for a row of each CPU.
    pub loads: Vec<CpuLoad>,
}

/// Why a thread left the queue while it stood on its stack.
pub(crate) enum Left {
    /// It has ended: only its account is left.
    Ended { account: Runnable<Arc<Thread>> },
    /// It may not run on this CPU any more.
    Moving(Migrant<Arc<Thread>>),
}

static CPUS: Once<Vec<Cpu>> = Once::new();
static CHIP: Once<&'static dyn Chip> = Once::new();

fn balancing(count: usize) -> Balancing {
    Balancing { balancer: Balancer::default(), loads: alloc::vec![CpuLoad::default(); count] }
}

/// Makes the data of `count` CPUs. Once, on the first CPU, before it becomes an idle thread.
///
/// # Panics
/// Without memory, or when called again.
pub fn start_cpus(count: usize, chip: &'static dyn Chip) {
    let tunables = Tunables::for_cpus(count);
    let mut cpus = Vec::new();
    cpus.reserve_exact(count);
    for _ in 0..count {
        cpus.push(Cpu {
            queue: SpinLock::new(Rank::RunQueue, RunQueue::new(tunables)),
            timers: SpinLock::new(Rank::Timers, TimerQueue::new()),
            idle: Once::new(),
            left: SpinLock::new(Rank::RunQueue, None),
            online: AtomicBool::new(false),
            running: AtomicUsize::new(0),
            min_vruntime: AtomicU64::new(0),
            load: AtomicU64::new(0),
            balancing: SpinLock::new(Rank::Leaf, balancing(count)),
            next_balance: AtomicU64::new(0),
            pulled: AtomicU64::new(0),
            uninterruptible: AtomicI64::new(0),
            armed: AtomicU64::new(u64::MAX),
            idle_time: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            spent: Spent::new(),
            next_tick: AtomicU64::new(u64::MAX),
            passes: AtomicU64::new(0),
            looks: AtomicU64::new(0),
            remote: Remote::new(),
        });
    }
    assert!(CPUS.set(cpus).is_ok() && CHIP.set(chip).is_ok(), "CPUs are started once");
}

#[inline(always)]
pub(crate) fn all() -> &'static [Cpu] {
    CPUS.get().map_or(&[], |cpus| cpus.as_slice())
}

/// The data of CPU `number`.
#[inline(always)]
pub(crate) fn cpu(number: usize) -> &'static Cpu {
    &all()[number]
}

/// This CPU's data. Stale unless preemption is held off.
#[inline(always)]
pub(crate) fn this() -> &'static Cpu {
    cpu(arch::cpu::id())
}

pub(crate) fn chip() -> Option<&'static dyn Chip> {
    CHIP.get().copied()
}

/// How many CPUs there are, started or not.
pub fn cpu_count() -> usize {
    all().len()
}

/// What one CPU did.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuStatistics {
    pub online: bool,
    pub running: usize,
    pub switches: u64,
    /// Nanoseconds: halted; and what the tick found running: programs, programs with a positive nice value, the kernel,
    /// softirqs.
    pub idle: u64,
    pub user: u64,
    pub nice: u64,
    pub system: u64,
    pub softirq: u64,
}

impl CpuStatistics {
    /// Adds another CPU's figures.
    pub fn add(&mut self, other: &Self) {
        self.running += other.running;
        self.switches = self.switches.wrapping_add(other.switches);
        self.idle = self.idle.wrapping_add(other.idle);
        self.user = self.user.wrapping_add(other.user);
        self.nice = self.nice.wrapping_add(other.nice);
        self.system = self.system.wrapping_add(other.system);
        self.softirq = self.softirq.wrapping_add(other.softirq);
    }
}

/// A row for each CPU.
pub fn statistics(number: usize) -> Option<CpuStatistics> {
    let cpu = all().get(number)?;
    let (running, switches) = {
        let queue = cpu.queue.lock();
        (queue.running(), queue.switches())
    };
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let since = read(&cpu.idle_since);
    let halted = if since == 0 { 0 } else { crate::clock::now().saturating_sub(since) };
    Some(CpuStatistics {
        online: cpu.online.load(Ordering::Relaxed),
        running,
        switches,
        idle: read(&cpu.idle_time).saturating_add(halted),
        user: read(&cpu.spent.user),
        nice: read(&cpu.spent.nice),
        system: read(&cpu.spent.system),
        softirq: read(&cpu.spent.softirq),
    })
}

/// Turns whoever runs on this CPU's boot stack into its idle thread. Once per CPU.
///
/// # Panics
/// When called again on one CPU.
pub fn become_idle_thread() {
    let number = arch::cpu::id();
    let thread = Arc::new(Thread::boot());
    thread.label.set_name(&idle_name(number));
    thread.set_cpu(number);
    assert!(this().idle.set(thread.clone()).is_ok(), "one idle thread per CPU");
    Thread::become_boot(thread);
    this().online.store(true, Ordering::Release);
}

/// As Linux calls it.
fn idle_name(number: usize) -> [u8; 16] {
    let text = alloc::format!("swapper/{number}");
    core::array::from_fn(|index| text.as_bytes().get(index).copied().unwrap_or(0))
}

/// The idle thread's life: runs whoever is runnable, and halts while nobody is.
pub fn idle() -> ! {
    loop {
        crate::balance::pull_when_idle();
        arch::instructions::disable_interrupts();
        let cpu = this();
        let wanted = arch::cpu::preempt_word() & arch::cpu::NO_RESCHEDULE == 0;
        if wanted || cpu.running.load(Ordering::Acquire) != 0 {
            arch::instructions::enable_interrupts();
            crate::run::leave_idle();
            continue;
        }
        let since = crate::clock::now();
        cpu.idle_since.store(since.max(1), Ordering::Relaxed);
        // Whoever an interrupt wakes does not run before the halt is accounted for.
        arch::cpu::preempt_increment();
        points::cpu_idle(1);
        arch::instructions::enable_interrupts_and_halt();
        // In this order a reader may miss the last halt for a moment, and never counts it twice.
        cpu.idle_since.store(0, Ordering::Relaxed);
        points::cpu_idle(0);
        let now = crate::clock::now();
        let slept = now.saturating_sub(since);
        cpu.idle_time.store(cpu.idle_time.load(Ordering::Relaxed).wrapping_add(slept), Ordering::Relaxed);
        accounting::after_idle(now);
        // A wanted reschedule is what the loop looks at next.
        arch::cpu::preempt_decrement();
    }
}
