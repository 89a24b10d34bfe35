//! A process: what its threads share by belonging together.
use crate::limits::Limits;
use crate::signals::GroupSignals;
use crate::timers::ProcessTimers;
use crate::traits::ProcessTraits;
use crate::tree::Pid;
use crate::usage::Usage;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicUsize, Ordering};
use ipc::Readiness;
use sync::{Rank, SpinLock, WaitQueue};

/// A thread group. Relations to others are the tree's ([`crate::tree`]); the numbers here are copies to read without its lock.
#[derive(Debug)]
pub struct Process {
    pub pid: Pid,
    pub(crate) parent: AtomicU32,
    pub(crate) group: AtomicU32,
    pub(crate) session: AtomicU32,
    /// The thread that made it, for /proc/PID/task/TID/children.
    pub(crate) made_by: AtomicU32,
    /// What the parent is sent at the end; 0 for nothing.
    pub(crate) exit_signal: AtomicU32,
    /// The status for wait(2) once all threads have ended; negative before.
    exit_status: AtomicI64,
    /// Threads that have not ended.
    pub(crate) live_threads: AtomicUsize,
    /// Threads that have not begun to end (Linux's `signal->live`): whoever takes it to 0 ends what the process has as a whole.
    pub(crate) unended_threads: AtomicUsize,
    /// Gave up its session's terminal (TIOCNOTTY by one that is not the leader).
    pub(crate) is_detached: AtomicBool,
    /// Execs so far. After the first a parent may not change the group any more (setpgid(2), EACCES).
    pub(crate) executions: AtomicU32,
    /// The parent's [`Self::executions`] when this was made. One that runs another program by now did not choose the exit signal.
    pub(crate) made_under: AtomicU32,
    /// Real user of the first thread, for siginfo; a copy.
    pub(crate) uid: AtomicU32,
    /// Adopts orphans below it (prctl(2), PR_SET_CHILD_SUBREAPER).
    pub(crate) is_subreaper: AtomicU32,
    /// Ended for its memory; see [`crate::shortage`].
    pub(crate) chosen_in_shortage: AtomicBool,
    /// Woken when a child changes state.
    pub(crate) children_changed: WaitQueue,
    /// Woken when a thread has ended, for an exec that waits to be alone.
    pub(crate) threads_changed: WaitQueue,
    /// Told when a signal arrives, for signalfd(2).
    pub signal_arrived: Readiness,
    /// Told when it has ended, for pidfd_open(2).
    pub end: Readiness,
    pub(crate) signals: SpinLock<GroupSignals>,
    pub limits: SpinLock<Limits>,
    pub traits: ProcessTraits,
    pub(crate) timers: SpinLock<ProcessTimers>,
    /// What threads that have ended used, and children that were waited for.
    pub(crate) ended: SpinLock<Usage>,
    pub(crate) children: SpinLock<Usage>,
    /// When it began, in nanoseconds since boot.
    pub started: u64,
    /// How willingly it is ended for want of memory, from -1000 to 1000 (/proc/PID/oom_score_adj). Inherited; see [`crate::shortage`].
    pub oom_score_adjustment: AtomicI32,
    /// What somebody with CAP_SYS_RESOURCE set last: others may go back to it.
    pub oom_score_least: AtomicI32,
}

impl Process {
    pub(crate) fn new(pid: Pid, exit_signal: u32, signals: GroupSignals, limits: Limits) -> Self {
        Self {
            pid,
            parent: AtomicU32::new(0),
            group: AtomicU32::new(pid),
            session: AtomicU32::new(pid),
            made_by: AtomicU32::new(0),
            exit_signal: AtomicU32::new(exit_signal),
            exit_status: AtomicI64::new(-1),
            live_threads: AtomicUsize::new(1),
            unended_threads: AtomicUsize::new(1),
            is_detached: AtomicBool::new(false),
            executions: AtomicU32::new(0),
            made_under: AtomicU32::new(0),
            uid: AtomicU32::new(0),
            is_subreaper: AtomicU32::new(0),
            chosen_in_shortage: AtomicBool::new(false),
            children_changed: WaitQueue::new(),
            threads_changed: WaitQueue::new(),
            signal_arrived: Readiness::new(),
            end: Readiness::new(),
            signals: SpinLock::new(Rank::Signal, signals),
            limits: SpinLock::new(Rank::Leaf, limits),
            traits: ProcessTraits::new(1),
            timers: SpinLock::new(Rank::TaskFields, ProcessTimers::default()),
            ended: SpinLock::new(Rank::Leaf, Usage::default()),
            children: SpinLock::new(Rank::Leaf, Usage::default()),
            started: sync::now(),
            oom_score_adjustment: AtomicI32::new(0),
            oom_score_least: AtomicI32::new(0),
        }
    }

    /// The parent's number; 0 for those that the kernel made.
    #[inline]
    pub fn parent(&self) -> Pid {
        self.parent.load(Ordering::Relaxed)
    }

    #[inline]
    pub fn group(&self) -> Pid {
        self.group.load(Ordering::Relaxed)
    }

    #[inline]
    pub fn session(&self) -> Pid {
        self.session.load(Ordering::Relaxed)
    }

    /// Whether it has no controlling terminal, although its session may have one.
    #[inline]
    pub fn is_detached(&self) -> bool {
        self.is_detached.load(Ordering::Relaxed)
    }

    /// Gives up the session's terminal, for itself and the children that it will have.
    pub fn detach(&self) {
        self.is_detached.store(true, Ordering::Relaxed);
    }

    /// Whether orphans below it come to it (PR_SET_CHILD_SUBREAPER).
    pub fn is_subreaper(&self) -> bool {
        self.is_subreaper.load(Ordering::Relaxed) != 0
    }

    pub fn set_subreaper(&self, on: bool) {
        self.is_subreaper.store(u32::from(on), Ordering::Relaxed);
    }

    /// Whether all threads have ended.
    pub fn is_zombie(&self) -> bool {
        self.exit_status.load(Ordering::Acquire) >= 0
    }

    /// The status for wait(2), once it is a zombie.
    pub fn exit_status(&self) -> Option<u32> {
        u32::try_from(self.exit_status.load(Ordering::Acquire)).ok()
    }

    pub(crate) fn set_exit_status(&self, status: u32) {
        self.exit_status.store(i64::from(status), Ordering::Release);
    }

    /// What the parent is sent at the end; 0 for nothing.
    pub fn exit_signal(&self) -> u32 {
        self.exit_signal.load(Ordering::Relaxed)
    }

    /// Whether it executed a program since it was forked.
    pub fn has_executed(&self) -> bool {
        self.executions.load(Ordering::Relaxed) != 0
    }

    /// Whether job control has stopped it.
    pub fn is_stopped(&self) -> bool {
        self.signals.lock().is_stopped()
    }

    /// Threads that have not ended.
    pub fn thread_count(&self) -> usize {
        self.live_threads.load(Ordering::Relaxed)
    }
}
