//! Threads as the lower floors know them: a stack to switch to, a run state, work to do before user mode.
//!
//! The **run state** follows one protocol: the thread itself announces a sleep ([`Thread::prepare_to_sleep`]) and takes
//! that back ([`Thread::finish_sleep`]); whoever wakes it exchanges "sleeping" for "waking" exactly once and enqueues it.
use crate::Affinity;
use crate::rank::Rank;
#[cfg(target_os = "none")]
use crate::spin::SpinLock;
#[cfg(target_os = "none")]
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
#[cfg(target_os = "none")]
use core::{any::Any, cell::UnsafeCell};

/// How a thread sleeps: what may wake it besides its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Sleep {
    /// Any pending signal.
    Interruptible = 1,
    /// A fatal signal.
    Killable = 2,
    /// Nothing else.
    Uninterruptible = 4,
    /// Stopped by job control or a tracer: a fatal signal, or being continued.
    Stopped = 8,
    /// For ever: the thread has ended.
    Dead = 16,
    /// Nothing else, and it is no sign of load: a thread of the kernel's has nothing to do.
    Idle = 32,
}

/// The state of a thread that runs or is on a run queue.
pub const RUNNING: u32 = 0;
/// Being moved from sleep to a run queue.
pub const WAKING: u32 = 1 << 8;

/// Reasons to do something before the thread returns to user mode.
pub mod work {
    /// A signal may be deliverable.
    pub const SIGNAL: u32 = 1 << 0;
    /// A fatal signal is pending: killable sleeps end.
    pub const KILL: u32 = 1 << 1;
    /// Other work of the task's: it knows which.
    pub const NOTIFY: u32 = 1 << 2;
    /// A system call has to be restarted or its mask restored.
    pub const RESTORE_MASK: u32 = 1 << 3;
    /// A tick of the clock found it running, and it wants to know; no sleep ends for it.
    pub const TICK: u32 = 1 << 5;
    /// It took memory out of the kernel's reserve.
    pub const SHORTAGE: u32 = 1 << 6;
    /// Its ways into the kernel and out are trace points; see `trap::enter_user`. No sleep ends for it.
    pub const TRACE: u32 = 1 << 7;
}

/// What a thread is called: for whoever shows threads without knowing whose they are. Nothing depends on it.
#[derive(Debug, Default)]
pub struct Label {
    number: AtomicU32,
    name: [AtomicU64; 2],
}

impl Label {
    const fn new() -> Self {
        Self { number: AtomicU32::new(0), name: [const { AtomicU64::new(0) }; 2] }
    }

    /// A task's number; 0 for a thread that has none.
    pub fn number(&self) -> u32 {
        self.number.load(Ordering::Relaxed)
    }

    pub fn set_number(&self, number: u32) {
        self.number.store(number, Ordering::Relaxed);
    }

    /// A name of up to 16 bytes, as two words in the order of memory. It may be torn by a change.
    pub fn name(&self) -> [u64; 2] {
        [self.name[0].load(Ordering::Relaxed), self.name[1].load(Ordering::Relaxed)]
    }

    pub fn set_name(&self, name: &[u8; 16]) {
        for (word, bytes) in self.name.iter().zip(name.as_chunks::<8>().0) {
            word.store(u64::from_le_bytes(*bytes), Ordering::Relaxed);
        }
    }
}

/// One flow of control with a kernel stack.
pub struct Thread {
    state: AtomicU32,
    work: AtomicU32,
    cpu: AtomicU32,
    /// The number of its account with the scheduler, 0 before it has one, and where that stands while it is queued: both the scheduler's.
    pub account: AtomicU64,
    pub virtual_time: AtomicU64,
    /// Nanoseconds of processor time, as the scheduler accounts it.
    pub run_time: AtomicU64,
    /// When its last uninterruptible sleep began, in nanoseconds since boot.
    pub blocked_since: AtomicU64,
    /// What the tick found it doing, in nanoseconds; the scheduler's, as the counts below are.
    pub sampled_user: AtomicU64,
    pub sampled_system: AtomicU64,
    /// How often it gave its CPU up to sleep, and had to give it up to others.
    pub voluntary_switches: AtomicU64,
    pub involuntary_switches: AtomicU64,
    pub label: Label,
    /// Where it may run.
    pub affinity: Affinity,
    /// Whether it wants [`work::TICK`].
    pub wants_ticks: AtomicBool,
    /// Whether somebody is to be told when it goes to sleep; written by itself.
    pub tells_sleep: AtomicBool,
    /// It is giving way to another thread that should run; written by itself.
    pub preempting: AtomicBool,
    /// It is making memory free, and may use the reserve meanwhile; written by itself.
    pub relieving: AtomicBool,
    #[cfg(target_os = "none")]
    pub(crate) machine: MachineThread,
    #[cfg(not(target_os = "none"))]
    host: std::thread::Thread,
}

/// What only the machine needs.
#[cfg(target_os = "none")]
pub(crate) struct MachineThread {
    /// True from before the switch to the thread until after the switch away from it.
    pub on_cpu: AtomicBool,
    /// It is never switched to again.
    pub is_gone: AtomicBool,
    pub stack_pointer: UnsafeCell<usize>,
    pub context_end: usize,
    /// One past the stack; 0 for a boot stack.
    stack_end: usize,
    /// The stack itself, until the thread has left it for the last time.
    stack: SpinLock<Option<Box<dyn Stack>>>,
    /// What it is going to run, until it does.
    main: SpinLock<Option<Box<Main>>>,
    parked: SpinLock<Option<Parked>>,
    pub user: UnsafeCell<Option<arch::user_state::UserState>>,
    space: UnsafeCell<Option<Arc<dyn Space>>>,
    held: [UnsafeCell<u64>; 4],
    local: UnsafeCell<Option<*const (dyn Any + Sync)>>,
}

// SAFETY: the cells are touched by the thread itself, or by the scheduler while the thread is off its CPU.
#[cfg(target_os = "none")]
unsafe impl Sync for Thread {}
// SAFETY: as above; the raw pointer is used by the thread itself only.
#[cfg(target_os = "none")]
unsafe impl Send for Thread {}

/// What a sleeping thread is kept by: the scheduler's account of it, and a reference, so that nobody can free a stack on
/// which somebody sleeps.
#[cfg(target_os = "none")]
pub type Parked = (Box<dyn Any + Send>, Arc<Thread>);

/// What a new thread runs.
#[cfg(target_os = "none")]
pub type Main = dyn FnOnce() + Send;

#[cfg(target_os = "none")]
extern "sysv64" fn begin() -> ! {
    crate::switch::finish_first_switch();
    crate::hooks::hooks().thread_started();
    let main = crate::ambient::current().machine.main.lock().take();
    if let Some(main) = main {
        main();
    }
    crate::hooks::hooks().thread_ended()
}

/// Memory for a kernel stack.
///
/// # Safety
/// `top` is the 16-byte aligned end of at least 8 KiB of writable memory that nothing else uses while `self` lives.
#[cfg(target_os = "none")]
pub unsafe trait Stack: Send + Sync {
    fn top(&self) -> usize;
}

/// An address space that a CPU can be switched to.
///
/// # Safety
/// After `enter` the kernel half is mapped as before.
#[cfg(target_os = "none")]
pub unsafe trait Space: Send + Sync {
    /// Makes it this CPU's address space. Interrupts are off.
    fn enter(&self);
    /// This CPU left it for another.
    fn leave(&self);
}

/// Debug check of the lock order; see [`crate::rank`].
pub(crate) fn check_rank(held: u64, rank: Rank, same: bool) {
    let bit = rank as u8 + u8::from(same);
    assert!(same || held >> bit == 0, "lock order: {rank:?} taken while holding ranks {held:#x}");
}

impl Thread {
    /// The CPU whose run queue it is on, or was last.
    pub fn cpu(&self) -> usize {
        self.cpu.load(Ordering::Relaxed) as usize
    }

    pub fn set_cpu(&self, cpu: usize) {
        self.cpu.store(cpu as u32, Ordering::Relaxed);
    }

    /// The run state: [`RUNNING`], [`WAKING`], or a [`Sleep`].
    pub fn state(&self) -> u32 {
        self.state.load(Ordering::Acquire)
    }

    /// Announces a sleep. The condition is looked at afterwards.
    pub fn prepare_to_sleep(&self, sleep: Sleep) {
        self.state.store(sleep as u32, Ordering::SeqCst);
    }

    /// Takes the announcement back, or notes that the sleep is over.
    pub fn finish_sleep(&self) {
        self.state.store(RUNNING, Ordering::Relaxed);
    }

    /// Moves it from one of the sleeps in `mask` to "waking"; true for the one waker who did so and must enqueue it.
    pub fn begin_wake(&self, mask: u32) -> bool {
        core::sync::atomic::fence(Ordering::SeqCst);
        let state = self.state.load(Ordering::Relaxed);
        state & mask != 0 && self.state.compare_exchange(state, WAKING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Work to do before user mode: bits of [`work`].
    #[inline(always)]
    pub fn work(&self) -> u32 {
        self.work.load(Ordering::Relaxed)
    }

    pub fn add_work(&self, bits: u32) {
        self.work.fetch_or(bits, Ordering::SeqCst);
    }

    pub fn remove_work(&self, bits: u32) {
        self.work.fetch_and(!bits, Ordering::SeqCst);
    }

    /// Whether a sleep of this kind must end because of a signal.
    pub fn is_interrupted(&self, sleep: Sleep) -> bool {
        let bits = match sleep {
            Sleep::Interruptible => work::SIGNAL | work::KILL | work::NOTIFY,
            Sleep::Killable | Sleep::Stopped => work::KILL,
            Sleep::Uninterruptible | Sleep::Idle | Sleep::Dead => 0,
        };
        self.work.load(Ordering::SeqCst) & bits != 0
    }
}

#[cfg(target_os = "none")]
impl Thread {
    /// A thread that will run `main` on `stack` when the scheduler first switches to it, and end with it. The top
    /// `context_size` bytes of the stack are left free for the registers of its user mode.
    pub fn new(stack: Box<dyn Stack>, context_size: usize, main: Box<Main>) -> Self {
        let end = stack.top();
        let top = (end - context_size) & !0xf;
        // SAFETY: the stack is fresh memory of our own, by its trait's contract.
        let stack_pointer = unsafe { arch::stack_switch::prepare(top, begin) };
        let mut thread = Self::with(stack_pointer, end, end);
        thread.machine.stack = SpinLock::new(Rank::Leaf, Some(stack));
        thread.machine.main = SpinLock::new(Rank::Leaf, Some(main));
        thread
    }

    /// Lets go of what a thread that is not going to be started would run, which may own the thread.
    pub fn abandon(&self) {
        let main = self.machine.main.lock().take();
        drop(main);
    }

    const fn with(stack_pointer: usize, stack_end: usize, context_end: usize) -> Self {
        Self {
            state: AtomicU32::new(RUNNING),
            work: AtomicU32::new(0),
            cpu: AtomicU32::new(0),
            account: AtomicU64::new(0),
            virtual_time: AtomicU64::new(0),
            run_time: AtomicU64::new(0),
            blocked_since: AtomicU64::new(0),
            sampled_user: AtomicU64::new(0),
            sampled_system: AtomicU64::new(0),
            voluntary_switches: AtomicU64::new(0),
            involuntary_switches: AtomicU64::new(0),
            label: Label::new(),
            affinity: Affinity::all(),
            wants_ticks: AtomicBool::new(false),
            tells_sleep: AtomicBool::new(false),
            preempting: AtomicBool::new(false),
            relieving: AtomicBool::new(false),
            machine: MachineThread {
                on_cpu: AtomicBool::new(false),
                is_gone: AtomicBool::new(false),
                stack_pointer: UnsafeCell::new(stack_pointer),
                context_end,
                stack_end,
                stack: SpinLock::new(Rank::Leaf, None),
                main: SpinLock::new(Rank::Leaf, None),
                parked: SpinLock::new(Rank::Leaf, None),
                user: UnsafeCell::new(None),
                space: UnsafeCell::new(None),
                held: [const { UnsafeCell::new(0) }; 4],
                local: UnsafeCell::new(None),
            },
        }
    }

    /// For the very first thread of each CPU, which exists before the heap does.
    pub const fn boot() -> Self {
        Self::with(0, 0, 0)
    }

    /// Makes `thread` the running one: whoever runs on the boot stack becomes it, for ever. Once per CPU, before the CPU's
    /// first switch.
    pub fn become_boot(thread: Arc<Self>) {
        thread.machine.on_cpu.store(true, Ordering::Relaxed);
        arch::cpu::set_current(Arc::into_raw(thread) as usize);
    }

    /// Another owner of the running thread.
    pub fn current_shared() -> Arc<Self> {
        let current = crate::ambient::current();
        // SAFETY: every thread that can sleep or own anything was made in an `Arc` (boot threads never get here).
        unsafe {
            Arc::increment_strong_count(&raw const *current);
            Arc::from_raw(&raw const *current)
        }
    }

    /// Keeps what the scheduler needs while the thread sleeps.
    pub fn park(&self, parked: Parked) {
        *self.machine.parked.lock() = Some(parked);
    }

    /// Takes back what [`Thread::park`] kept; `None` where the thread has not gone to sleep.
    pub fn unpark(&self) -> Option<Parked> {
        self.machine.parked.lock().take()
    }

    /// Whether it sleeps, with its account kept.
    pub fn is_parked(&self) -> bool {
        self.machine.parked.lock().is_some()
    }

    /// Lets `change` see the account of a sleeping thread.
    pub fn with_parked(&self, change: impl FnOnce(&mut (dyn Any + Send))) {
        if let Some((account, _)) = &mut *self.machine.parked.lock() {
            change(&mut **account);
        }
    }

    pub(crate) fn held_ranks(&self, level: usize) -> *mut u64 {
        self.machine.held[level].get()
    }

    /// Whether a CPU runs it, or is just leaving it.
    pub fn is_on_cpu(&self) -> bool {
        self.machine.on_cpu.load(Ordering::Acquire)
    }

    /// One past its kernel stack, for looks at the running thread's own; `None` for a boot stack.
    pub fn stack_top(&self) -> Option<usize> {
        Some(self.machine.stack_end).filter(|&end| end != 0)
    }

    /// Shows `look` the end of its kernel stack, which stays meanwhile; without preemption. `None` for a boot stack, and for one that has been
    /// left for good.
    pub fn with_stack<R>(&self, look: impl FnOnce(usize) -> R) -> Option<R> {
        self.machine.stack.lock().as_ref().map(|stack| look(stack.top()))
    }

    /// Gives back what only a thread that runs needs, its stack and the registers of its user mode, however long somebody keeps the thread.
    /// Nothing happens before the thread was switched away from for good.
    pub fn release(&self) {
        if !self.machine.is_gone.load(Ordering::Acquire) || self.is_on_cpu() {
            return;
        }
        let stack = self.machine.stack.lock().take();
        // SAFETY: nobody runs on the stack, nor will, and the cell was touched by the thread and its switches only. Whoever took the
        // stack comes here alone.
        let user = if stack.is_some() { unsafe { (*self.machine.user.get()).take() } } else { None };
        drop((stack, user));
    }

    /// The stack pointer with which it was switched away: for dumps of sleeping threads.
    pub fn saved_stack_pointer(&self) -> usize {
        // SAFETY: a word that may be stale, for dumps only.
        unsafe { self.machine.stack_pointer.get().read_volatile() }
    }

    /// Gives it user state before it has run.
    pub fn set_user_state(&mut self, state: arch::user_state::UserState) {
        *self.machine.user.get_mut() = Some(state);
    }

    /// Gives it an address space before it has run.
    pub fn set_space(&mut self, space: Arc<dyn Space>) {
        *self.machine.space.get_mut() = Some(space);
    }

    /// Lets `use_state` see and change the *running* thread's user state, taken out of the CPU and put back.
    pub fn with_user_state<R>(use_state: impl FnOnce(&mut arch::user_state::UserState) -> R) -> Option<R> {
        let held = crate::atomic_context::Held::<crate::Preempt>::new();
        let current = crate::ambient::current();
        // SAFETY: only the running thread touches its own state, preemption is off, and the closure cannot sleep.
        let state = unsafe { (*current.machine.user.get()).as_mut() }?;
        // SAFETY: the CPU holds this thread's state.
        unsafe { state.save() };
        let answer = use_state(state);
        // SAFETY: as above.
        unsafe { state.load() };
        drop(held);
        Some(answer)
    }

    /// The address space that this thread runs in, if it is one of a user program.
    pub(crate) fn space(&self) -> Option<&Arc<dyn Space>> {
        // SAFETY: changed by the running thread with interrupts off only; read by it and by the switch on its CPU.
        unsafe { (*self.machine.space.get()).as_ref() }
    }

    /// Moves the *running* thread to another address space (exec), or to none (exit).
    pub fn change_space(space: Option<Arc<dyn Space>>) {
        let held = crate::atomic_context::Held::<crate::InterruptsOff>::new();
        let current = crate::ambient::current();
        // SAFETY: the running thread's own cell, with interrupts off.
        let old = unsafe { core::mem::replace(&mut *current.machine.space.get(), space) };
        match current.space() {
            Some(space) => space.enter(),
            None => crate::hooks::hooks().enter_kernel_space(),
        }
        if let Some(old) = &old {
            old.leave();
        }
        drop(held);
        drop(old);
    }

    /// Runs `body` with `local` findable by [`Thread::with_local`] on this thread, and on interrupts above it.
    pub fn scope_local<R>(local: &(dyn Any + Sync), body: impl FnOnce() -> R) -> R {
        struct Restore(Option<*const (dyn Any + Sync)>);
        impl Drop for Restore {
            fn drop(&mut self) {
                // SAFETY: the thread's own cell.
                unsafe { *crate::ambient::current().machine.local.get() = self.0 };
            }
        }
        // SAFETY: erases a lifetime; the pointer is taken away before `local` can end.
        let local: *const (dyn Any + Sync) =
            unsafe { core::mem::transmute::<&(dyn Any + Sync), &'static (dyn Any + Sync)>(local) };
        // SAFETY: the thread's own cell.
        let _restore = Restore(unsafe { (*crate::ambient::current().machine.local.get()).replace(local) });
        body()
    }

    /// What the running thread was given by [`Thread::scope_local`], if it is a `T`.
    #[inline]
    pub fn with_local<T: Any, R>(body: impl FnOnce(&T) -> R) -> Option<R> {
        // SAFETY: valid for as long as the scope, which encloses this frame.
        let local = unsafe { (*crate::ambient::current().machine.local.get()).map(|local| &*local) }?;
        (local as &dyn Any).downcast_ref::<T>().map(body)
    }
}

#[cfg(not(target_os = "none"))]
impl Thread {
    pub(crate) fn for_host() -> Self {
        Self {
            state: AtomicU32::new(RUNNING),
            work: AtomicU32::new(0),
            cpu: AtomicU32::new(0),
            account: AtomicU64::new(0),
            virtual_time: AtomicU64::new(0),
            run_time: AtomicU64::new(0),
            blocked_since: AtomicU64::new(0),
            sampled_user: AtomicU64::new(0),
            sampled_system: AtomicU64::new(0),
            voluntary_switches: AtomicU64::new(0),
            involuntary_switches: AtomicU64::new(0),
            label: Label::new(),
            affinity: Affinity::all(),
            wants_ticks: AtomicBool::new(false),
            tells_sleep: AtomicBool::new(false),
            preempting: AtomicBool::new(false),
            relieving: AtomicBool::new(false),
            host: std::thread::current(),
        }
    }

    /// Another owner of the running thread.
    pub fn current_shared() -> Arc<Self> {
        crate::ambient::current()
    }

    pub(crate) fn host_sleep(&self, timeout: Option<std::time::Duration>) {
        if self.state.load(Ordering::SeqCst) == RUNNING {
            return;
        }
        match timeout {
            Some(timeout) => std::thread::park_timeout(timeout),
            None => std::thread::park(),
        }
    }

    pub(crate) fn host_wake(&self) -> bool {
        let mask =
            Sleep::Interruptible as u32 | Sleep::Killable as u32 | Sleep::Uninterruptible as u32 | Sleep::Idle as u32;
        let woken = self.begin_wake(mask);
        self.host.unpark();
        woken
    }
}

impl core::fmt::Debug for Thread {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            formatter,
            "Thread({}, state {}, CPU {})",
            self.account.load(Ordering::Relaxed),
            self.state(),
            self.cpu()
        )
    }
}
