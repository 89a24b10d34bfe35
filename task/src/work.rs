//! Workqueues: work that is put off and may sleep.
//!
//! **Problem.** An interrupt, a timer or whoever holds a spinlock finds something that has to be done where one may sleep. A thread for each
//! such thing would stand about most of the time; one thread for all would let what sleeps hold up the rest.
//!
//! **Model.** A [`Work`] is queued to a *pool*: that of the CPU, or the one that is bound to no CPU. Queueing allocates nothing and never fails.
//! Pools have workers, threads of the kernel's called `kworker/CPU:N` or `kworker/uPOOL:N`. How many are made, called and ended is
//! [`irq::Pool`]'s to decide: one runs per CPU, and another goes on when the item of the first sleeps. The scheduler says when that is.
//! Where a piece of work stands, and that it never runs in two places at once, is [`irq::Item`]'s.
//!
//! **Locks.** A pool's and a work's lock hold interrupts off, are never held together, and take only the link of a neighbour.
use crate::kernel_threads::{self, Role};
use crate::task::Task;
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use irq::{Accepted, Item, Next, Pool, Wake};
use sync::{InterruptsOff, Once, Rank, Sleep, SpinLock, Thread, WaitQueue};

/// Something to be done later, over and over.
pub struct Work {
    run: Box<dyn Fn() + Send + Sync>,
    item: SpinLock<Item, InterruptsOff>,
    /// The next in its queue; that queue's.
    next: SpinLock<Option<Arc<Self>>, InterruptsOff>,
    settled: WaitQueue,
}

/// Which workers are to do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Those of the CPU that queues it, whose caches know of it.
    ThisCpu,
    /// Those that run anywhere: for what computes for long.
    AnyCpu,
}

impl Work {
    /// Work that is `run` each time: in process context, where it may sleep.
    pub fn new(run: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            run: Box::new(run),
            item: SpinLock::new(Rank::Leaf, Item::new()),
            next: SpinLock::new(Rank::Leaf, None),
            settled: WaitQueue::new(),
        })
    }

    /// Has it done; false where it waits already. While it runs, it will run again. Any context but NMI.
    pub fn queue(self: &Arc<Self>, place: Place) -> bool {
        let Some(seat) = Seat::at(place) else { return false };
        let accepted = self.item.lock().want();
        if accepted == Accepted::Enqueue {
            seat.push(self.clone());
        }
        accepted != Accepted::No
    }

    /// Waits until what has been queued by now is done. May sleep; not from within the work itself.
    pub fn flush(&self) {
        let number = self.item.lock().accepted();
        self.settled.wait_until(|| self.item.lock().is_settled(number));
    }

    /// Takes it back if it waits, and waits for it if it runs; true where it was taken back. May sleep; not from within the work itself.
    pub fn cancel(&self) -> bool {
        let cancelled = self.item.lock().cancel();
        self.settled.wake_all();
        self.flush();
        cancelled
    }

    /// By a worker that took it out of its queue.
    fn execute(self: Arc<Self>, seat: &'static Seat) {
        if !self.item.lock().begin() {
            return;
        }
        let thread = sync::current();
        thread.tells_sleep.store(true, Ordering::Relaxed);
        seat.provide_successor();
        (self.run)();
        thread.tells_sleep.store(false, Ordering::Relaxed);
        let again = self.item.lock().end();
        self.settled.wake_all();
        if again {
            seat.push(self);
        }
    }
}

/// A pool with its queue.
struct Seat {
    cpu: Option<usize>,
    /// Its number, as Linux counts pools: two for each CPU, and then those of all.
    number: usize,
    queue: SpinLock<Queue, InterruptsOff>,
    idle: WaitQueue,
    /// Workers that were made.
    named: AtomicUsize,
}

struct Queue {
    pool: Pool,
    first: Option<Arc<Work>>,
    last: Option<Arc<Work>>,
}

/// One for each CPU, and one for all.
static SEATS: Once<Vec<Seat>> = Once::new();

/// Makes the pools, with a worker each where there is a CPU that runs. Once.
///
/// # Errors
/// ENOMEM.
pub fn start() -> Result<(), Errno> {
    let cpus = scheduler::cpu_count();
    let mut seats = Vec::new();
    seats.try_reserve_exact(cpus + 1).map_err(|_| Errno::ENOMEM)?;
    seats.extend((0..cpus).map(|cpu| Seat::new(Some(cpu), 2 * cpu, 1)));
    seats.push(Seat::new(None, 2 * cpus, cpus));
    let _ = SEATS.set(seats);
    scheduler::set_sleep_observer(&Observer);
    let runs = |cpu: usize| scheduler::statistics(cpu).is_some_and(|cpu| cpu.online);
    let seats = SEATS.get().into_iter().flatten();
    for seat in seats.filter(|seat| seat.cpu.is_none_or(runs)) {
        if !seat.make_worker() {
            return Err(Errno::ENOMEM);
        }
    }
    Ok(())
}

impl Seat {
    fn new(cpu: Option<usize>, number: usize, most_running: usize) -> Self {
        let queue = Queue { pool: Pool::new(most_running), first: None, last: None };
        Self {
            cpu,
            number,
            queue: SpinLock::new(Rank::Leaf, queue),
            idle: WaitQueue::new(),
            named: AtomicUsize::new(0),
        }
    }

    fn at(place: Place) -> Option<&'static Self> {
        match place {
            Place::ThisCpu => SEATS.get()?.get(arch::cpu::id()),
            Place::AnyCpu => SEATS.get()?.last(),
        }
    }

    fn push(&self, work: Arc<Work>) {
        let wake = {
            let mut queue = self.queue.lock();
            match queue.last.replace(work.clone()) {
                Some(last) => *last.next.lock_inside() = Some(work),
                None => queue.first = Some(work),
            }
            queue.pool.queued()
        };
        self.wake(wake);
    }

    /// For a worker that runs: the next piece, or it is idle from now on.
    fn take(&self) -> Option<Arc<Work>> {
        let mut queue = self.queue.lock();
        if !queue.pool.take() {
            return None;
        }
        let work = queue.first.take()?;
        queue.first = work.next.lock_inside().take();
        if queue.first.is_none() {
            // The same piece: another reference remains.
            queue.last = None;
        }
        Some(work)
    }

    fn wake(&self, wake: Wake) {
        if wake == Wake::One {
            // Whoever queues work may have a wait queue locked; nobody locks one while this is.
            self.idle.wake_one_inside();
        }
    }

    /// Makes a worker, which is idle. False without memory.
    fn make_worker(&'static self) -> bool {
        let number = self.named.fetch_add(1, Ordering::Relaxed);
        let role = Role::Worker(self.cpu);
        let made = match self.cpu {
            Some(cpu) => kernel_threads::spawn(format_args!("kworker/{cpu}:{number}"), role, || self.live()),
            None => kernel_threads::spawn(format_args!("kworker/u{}:{number}", self.number), role, || self.live()),
        };
        let wake = self.queue.lock().pool.made(made.is_some());
        self.wake(wake);
        made.is_some()
    }

    /// Sees to it that somebody is there to go on if this worker's item sleeps. Without memory nobody is: the others wait for this one then.
    fn provide_successor(&'static self) {
        let wanted = self.queue.lock().pool.begin_making();
        if wanted {
            self.make_worker();
        }
    }

    /// A worker's life.
    fn live(&'static self) {
        while self.is_needed() {
            while let Some(work) = self.take() {
                work.execute(self);
            }
        }
    }

    /// An idle worker waits for a call; false where there are too many.
    fn is_needed(&self) -> bool {
        loop {
            let next = self.queue.lock().pool.next(sync::now());
            match next {
                Next::Work => return true,
                Next::End => return false,
                Next::Sleep { until } => {
                    let called = || self.queue.lock().pool.has_call().then_some(());
                    let _ = self.idle.wait_exclusive(Sleep::Idle, until, called);
                }
            }
        }
    }
}

/// Told by the scheduler when a worker's item sleeps, and when it goes on.
struct Observer;

impl Observer {
    fn seat() -> Option<&'static Seat> {
        match Thread::with_local(|task: &Task| task.role)?? {
            Role::Worker(Some(cpu)) => SEATS.get()?.get(cpu),
            Role::Worker(None) => SEATS.get()?.last(),
            Role::Free | Role::Bound(_) => None,
        }
    }
}

impl scheduler::SleepObserver for Observer {
    fn sleeps(&self) {
        if let Some(seat) = Self::seat() {
            let wake = seat.queue.lock().pool.sleeps();
            seat.wake(wake);
        }
    }

    fn wakes(&self) {
        if let Some(seat) = Self::seat() {
            seat.queue.lock().pool.wakes();
        }
    }
}
