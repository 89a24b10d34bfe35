//! What a process and a thread hold.
use super::send::hand_over;
use crate::Restart;
use crate::task::Task;
use crate::tree::Pid;
use ::signal::{
    Action, AlternateStack, Dispositions, GroupStop, LastFault, Pending, Signal, SignalSet, StopEvent, ThreadStop,
};
use abi::Errno;
use abi::signal::SignalStack;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use sync::thread::work;
use sync::{Preempt, Rank, SpinLock, WaitQueue};

/// What the threads of a process share.
#[derive(Debug)]
pub struct GroupSignals {
    /// Shared beyond the process under CLONE_SIGHAND; reached by [`GroupSignals::with_actions`].
    actions: Arc<SpinLock<Dispositions, Preempt>>,
    pub(crate) pending: Pending,
    pub(crate) stop: GroupStop,
    /// Job control's side of each thread.
    pub(crate) stops: BTreeMap<Pid, ThreadStop>,
    /// Decided by the first exit_group or fatal signal.
    group_exit: Option<u32>,
    last_exit: u32,
    executing: bool,
    /// Pending signals are counted against the user that this stands for.
    pub(crate) counter: Arc<::signal::Counter>,
    /// Waiters in rt_sigtimedwait(2), and stopped threads.
    pub(crate) unkillable: bool,
}

impl GroupSignals {
    /// Those of PID 1: all default, and out of reach of default actions.
    pub fn initial() -> Self {
        let actions = Arc::new(SpinLock::new(Rank::SignalActions, Dispositions::default()));
        Self::with(actions, Arc::default(), true)
    }

    /// Those of a thread of the kernel's own, which ignores all.
    pub(crate) fn of_kernel_thread() -> Self {
        let actions = Arc::new(SpinLock::new(Rank::SignalActions, Dispositions::all_ignored()));
        Self::with(actions, Arc::default(), false)
    }

    fn with(actions: Arc<SpinLock<Dispositions, Preempt>>, counter: Arc<::signal::Counter>, unkillable: bool) -> Self {
        Self {
            actions,
            pending: Pending::new(),
            stop: GroupStop::default(),
            stops: BTreeMap::new(),
            group_exit: None,
            last_exit: 0,
            executing: false,
            counter,
            unkillable,
        }
    }

    /// Those of a new process: the parent's actions, copied or `shared`, or all default (CLONE_CLEAR_SIGHAND). May sleep.
    pub(crate) fn for_child(parent: &SpinLock<Self>, shared: bool, clear: bool) -> Self {
        let (actions, counter) = {
            let parent = parent.lock();
            (parent.actions.clone(), parent.counter.clone())
        };
        if shared {
            return Self::with(actions, counter, false);
        }
        // Memory for the copy is found before the lock is taken that one copies under.
        let copy = Arc::new(SpinLock::new(Rank::SignalActions, Dispositions::default()));
        let mut theirs = actions.lock().clone();
        if clear {
            theirs.reset();
        }
        *copy.lock() = theirs;
        Self::with(copy, counter, false)
    }

    /// Sees and changes the actions. Those that no other process shares need no lock beside the group's: a reference to them is
    /// made under that only.
    #[inline]
    pub(crate) fn with_actions<R>(&mut self, use_them: impl FnOnce(&mut Dispositions) -> R) -> R {
        match Arc::get_mut(&mut self.actions) {
            Some(own) => use_them(own.get_mut()),
            None => use_them(&mut self.actions.lock()),
        }
    }

    pub(crate) fn thread_exits(&mut self, status: u32) {
        self.last_exit = status;
    }

    /// Decides the process's status; true for the first who does.
    pub(crate) fn begin_group_exit(&mut self, status: u32) -> bool {
        let first = self.group_exit.is_none();
        if first {
            self.group_exit = Some(status);
            self.stop.exit(self.stops.values_mut());
        }
        first
    }

    pub(crate) fn is_exiting(&self) -> bool {
        self.group_exit.is_some()
    }

    /// The status for wait(2): the group's, or that of the thread that ended last.
    pub(crate) fn exit_status(&self) -> u32 {
        self.group_exit.unwrap_or(self.last_exit)
    }

    /// One exec at a time, and none in a process that is ending.
    pub(crate) fn begin_exec(&mut self) -> bool {
        let free = !self.executing && self.group_exit.is_none();
        self.executing |= free;
        free
    }

    pub(crate) fn end_exec(&mut self) {
        self.executing = false;
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.is_stopped()
    }

    /// Whether a thread counts as stopped: from when its process's parent may know, a little before it gives its CPU up.
    pub fn is_thread_stopped(&self, tid: Pid) -> bool {
        self.stops.get(&tid).is_some_and(|thread| thread.is_stopped())
    }

    /// A thread begins. One whose creator is asked to stop is asked too (true: it has that to do first).
    pub(crate) fn thread_begins(&mut self, tid: Pid, creator: Option<Pid>) -> bool {
        let creator = creator.and_then(|creator| self.stops.get(&creator)).copied().unwrap_or_default();
        let thread = self.stop.thread_starts(&creator);
        self.stops.insert(tid, thread);
        thread.is_asked()
    }

    /// A thread has another number from now on (exec).
    pub(crate) fn thread_renamed(&mut self, from: Pid, to: Pid) {
        if let Some(thread) = self.stops.remove(&from) {
            self.stops.insert(to, thread);
        }
    }

    /// A thread ends; it may have been the last that a stop waited for.
    pub(crate) fn thread_leaves(&mut self, tid: Pid) -> Option<StopEvent> {
        let mut thread = self.stops.remove(&tid)?;
        self.stop.thread_exits(&mut thread)
    }

    /// Takes (or, with `keep`, looks at) a change of the kinds that are asked for.
    pub(crate) fn take_change(&mut self, stopped: bool, continued: bool, keep: bool) -> Option<StopEvent> {
        let change = self.stop.waitable().filter(|change| match change {
            StopEvent::Stopped(_) => stopped,
            StopEvent::Continued => continued,
        });
        if change.is_some() && !keep {
            self.stop.waited();
        }
        change
    }

    /// Signals pending for the process as a whole.
    pub fn pending_set(&self) -> SignalSet {
        self.pending.set()
    }
}

/// What a thread has of its own.
#[derive(Debug)]
pub struct ThreadSignals {
    mask: AtomicU64,
    /// The mask to go back to after a call that replaced it (sigsuspend, ppoll, pselect); bit pattern and whether there is one.
    saved_mask: AtomicU64,
    has_saved_mask: AtomicBool,
    pub(crate) own: SpinLock<Own, Preempt>,
    /// The thread is to end, whatever is pending.
    pub(crate) ending: AtomicBool,
    /// How the last system call wants to go on; written and read by the thread itself.
    interrupted: AtomicU8,
    /// Signals that rt_sigtimedwait(2) waits for, although they are blocked.
    pub(crate) awaited: AtomicU64,
    pub(crate) arrived: WaitQueue,
}

/// Under the lock.
#[derive(Debug, Default)]
pub(crate) struct Own {
    pub pending: Pending,
    pub alternate_stack: AlternateStack,
    pub fault: LastFault,
}

impl ThreadSignals {
    pub fn initial() -> Self {
        Self {
            mask: AtomicU64::new(0),
            saved_mask: AtomicU64::new(0),
            has_saved_mask: AtomicBool::new(false),
            own: SpinLock::new(Rank::ThreadSignals, Own::default()),
            ending: AtomicBool::new(false),
            interrupted: AtomicU8::new(0),
            awaited: AtomicU64::new(0),
            arrived: WaitQueue::new(),
        }
    }

    /// A child's: the parent's mask, nothing pending; the alternate stack unless memory is shared.
    pub(crate) fn for_child(parent: &Self, shares_memory: bool) -> Self {
        let child = Self::initial();
        child.mask.store(parent.mask.load(Ordering::Relaxed), Ordering::Relaxed);
        if !shares_memory {
            let stack = parent.own.lock().alternate_stack;
            child.own.lock().alternate_stack = stack;
        }
        child
    }

    #[inline]
    pub fn mask(&self) -> SignalSet {
        SignalSet::mask_from_bits(self.mask.load(Ordering::Relaxed))
    }

    pub(crate) fn store_mask(&self, mask: SignalSet) {
        self.mask.store(mask.bits(), Ordering::Relaxed);
    }

    /// The mask to go back to.
    pub(crate) fn saved_mask(&self) -> Option<SignalSet> {
        self.has_saved_mask
            .load(Ordering::Relaxed)
            .then(|| SignalSet::mask_from_bits(self.saved_mask.load(Ordering::Relaxed)))
    }

    /// The mask to go back to, once.
    pub(crate) fn take_saved_mask(&self) -> Option<SignalSet> {
        let saved = self.saved_mask();
        if saved.is_some() {
            self.has_saved_mask.store(false, Ordering::Relaxed);
        }
        saved
    }

    /// Whether rt_sigtimedwait(2) waits for the signal.
    pub(crate) fn awaits(&self, signal: Signal) -> bool {
        SignalSet::from_bits(self.awaited.load(Ordering::Relaxed)).contains(signal)
    }

    /// How the interrupted call wants to go on, once.
    pub(crate) fn take_interrupted(&self) -> Option<Restart> {
        let restart = match self.interrupted.load(Ordering::Relaxed) {
            0 => return None,
            1 => Restart::Always,
            2 => Restart::IfFlagged,
            3 => Restart::WithoutHandler,
            _ => Restart::Block,
        };
        self.interrupted.store(0, Ordering::Relaxed);
        Some(restart)
    }

    fn set_interrupted(&self, restart: Restart) {
        let number = match restart {
            Restart::Always => 1,
            Restart::IfFlagged => 2,
            Restart::WithoutHandler => 3,
            Restart::Block => 4,
        };
        self.interrupted.store(number, Ordering::Relaxed);
    }
}

/// What /proc/PID/status tells of a process's signals.
#[derive(Clone, Copy, Debug)]
pub struct SignalSummary {
    pub pending: SignalSet,
    pub ignored: SignalSet,
    pub caught: SignalSet,
    /// Queued for all processes of the user.
    pub queued: u64,
}

impl crate::process::Process {
    pub fn signal_summary(&self) -> SignalSummary {
        let mut group = self.signals.lock();
        let (ignored, caught) = group.with_actions(|actions| actions.ignored_and_caught());
        SignalSummary { pending: group.pending.set(), ignored, caught, queued: group.counter.count() }
    }
}

impl Task {
    /// The signals that this thread holds back.
    pub fn signal_mask(&self) -> SignalSet {
        self.signals.mask()
    }

    /// Changes the mask of the *running* thread.
    pub fn set_signal_mask(&self, mask: SignalSet) {
        let group = self.process.signals.lock();
        let before = self.signals.mask();
        self.signals.store_mask(SignalSet::mask_from_bits(mask.bits()));
        let pending = group.pending.deliverable(mask) || self.signals.own.lock().pending.deliverable(mask);
        let given_up = group.pending.set() & mask & !before;
        // Before anybody else can send one.
        self.update_work(pending);
        drop(group);
        if !given_up.is_empty() {
            hand_over(self, given_up);
        }
    }

    /// A handler has returned: `stack` and `mask` are what its frame kept, and `rsp` where the stack now stands.
    pub(crate) fn end_handler(&self, stack: &SignalStack, rsp: u64, mask: SignalSet) {
        let group = self.process.signals.lock();
        let mut own = self.signals.own.lock();
        // What does not suit is left as it is, as Linux does.
        let _ = own.alternate_stack.set(rsp, stack);
        self.signals.store_mask(mask);
        let pending = group.pending.deliverable(mask) || own.pending.deliverable(mask);
        drop(own);
        drop(group);
        if pending {
            self.update_work(true);
        }
    }

    /// Replaces the mask until the system call's end, which puts the old one back: after a handler, if one runs.
    pub fn set_temporary_mask(&self, mask: SignalSet) {
        self.signals.saved_mask.store(self.signals.mask().bits(), Ordering::Relaxed);
        self.signals.has_saved_mask.store(true, Ordering::Relaxed);
        self.set_signal_mask(mask);
        if let Some(thread) = self.thread() {
            thread.add_work(work::RESTORE_MASK);
        }
    }

    /// Puts the mask back that [`Task::set_temporary_mask`] replaced: where the call was not interrupted, a signal that only the temporary
    /// mask let in stays pending, so that the next such call is the one that it ends.
    pub fn end_temporary_mask(&self) {
        if let Some(mask) = self.signals.take_saved_mask() {
            if let Some(thread) = self.thread() {
                thread.remove_work(work::RESTORE_MASK);
            }
            self.set_signal_mask(mask);
        }
    }

    /// Signals pending for this thread and its process.
    pub fn pending_signals(&self) -> SignalSet {
        let group = self.process.signals.lock();
        group.pending.set() | self.signals.own.lock().pending.set()
    }

    /// Signals pending for this thread alone.
    pub fn own_pending_signals(&self) -> SignalSet {
        self.signals.own.lock().pending.set()
    }

    pub(crate) fn update_work(&self, pending: bool) {
        let Some(thread) = self.thread() else { return };
        if pending { thread.add_work(work::SIGNAL) } else { thread.remove_work(work::SIGNAL) }
    }

    /// A signal's action.
    pub fn signal_action(&self, signal: Signal) -> Action {
        self.process.signals.lock().with_actions(|actions| *actions.get(signal))
    }

    /// Sets a signal's action and puts the one before into `before`. EINVAL for SIGKILL and SIGSTOP.
    #[inline]
    pub fn set_signal_action(&self, signal: Signal, action: &Action, before: Option<&mut Action>) -> Result<(), Errno> {
        if action.ignores(signal) {
            return self.ignore(signal, action, before);
        }
        self.process.signals.lock().with_actions(|actions| actions.exchange(signal, action, before))
    }

    /// Sets an action that ignores the signal: what is pending of it goes, from every thread.
    fn ignore(&self, signal: Signal, action: &Action, before: Option<&mut Action>) -> Result<(), Errno> {
        let mut discarded = ::signal::Discarded::default();
        let tree = crate::tree::lock();
        let mut group = self.process.signals.lock();
        group.with_actions(|actions| actions.exchange(signal, action, before))?;
        let set = SignalSet::of(&[signal]);
        discarded.append(group.pending.flush(set));
        for thread in tree.threads(self.process.pid) {
            discarded.append(thread.signals.own.lock().pending.flush(set));
        }
        drop(group);
        drop(tree);
        drop(discarded);
        Ok(())
    }

    pub fn alternate_stack(&self) -> AlternateStack {
        self.signals.own.lock().alternate_stack
    }

    pub fn set_alternate_stack(&self, stack: AlternateStack) {
        self.signals.own.lock().alternate_stack = stack;
    }

    /// Keeps how an interrupted call wants to go on; the registers already look as if it had failed.
    pub fn interrupted(&self, context: &mut trap::UserContext, restart: Restart) {
        context.rax = Errno::EINTR.to_return_value() as u64;
        self.signals.set_interrupted(restart);
        // Even where nothing is pending any more, the call must be begun again.
        if let Some(thread) = self.thread() {
            thread.add_work(work::NOTIFY);
        }
    }
}

/// What exec does to signals: handlers are gone, the alternate stack too.
pub(crate) fn reset_for_exec(task: &Task) {
    let mut group = task.process.signals.lock();
    let old = match Arc::get_mut(&mut group.actions) {
        Some(own) => {
            own.get_mut().reset();
            None
        }
        None => {
            let mut own = group.actions.lock().clone();
            own.reset();
            let own = Arc::new(SpinLock::new(Rank::SignalActions, own));
            Some(core::mem::replace(&mut group.actions, own))
        }
    };
    task.signals.own.lock().alternate_stack = AlternateStack::default();
    drop(group);
    drop(old);
}

impl Task {
    /// Takes a pending signal of `set`, waiting until `deadline` for one: rt_sigtimedwait(2). EAGAIN when the time is over; EINTR
    /// for another signal.
    pub fn await_signal(
        &self,
        set: SignalSet,
        deadline: Option<u64>,
    ) -> Result<(Signal, ::signal::Information), crate::Failure> {
        self.signals.awaited.store(set.bits(), Ordering::SeqCst);
        let answer = self.signals.arrived.wait(sync::Sleep::Interruptible, deadline, || self.take_signal(set));
        self.signals.awaited.store(0, Ordering::SeqCst);
        answer.map_err(|error| match error {
            sync::WaitError::TimedOut => Errno::EAGAIN.into(),
            sync::WaitError::Interrupted => Errno::EINTR.into(),
        })
    }

    /// Takes a pending signal of `set` without waiting.
    pub fn take_signal(&self, set: SignalSet) -> Option<(Signal, ::signal::Information)> {
        let mut group = self.process.signals.lock();
        let taken = ::signal::dequeue(&mut self.signals.own.lock().pending, &mut group.pending, !set);
        drop(group);
        taken.map(|(signal, mut information, spent)| {
            drop(spent);
            crate::clock_timers::taken(&self.process, &mut information);
            (signal, information)
        })
    }

    /// Whether this task may send `signal` to `target` (kill(2)): the same user, CAP_KILL, or SIGCONT within a session. EPERM.
    pub fn may_signal(&self, target: &crate::process::Process, signal: u32) -> Result<(), Errno> {
        if target.pid == self.process.pid {
            return Ok(());
        }
        let own = self.credentials();
        let uid = target.uid.load(Ordering::Relaxed);
        let same = own.user.effective == uid || own.user.real == uid;
        let in_session = signal == abi::raw::general::SIGCONT && target.session() == self.process.session();
        if same || in_session || own.has(vfs::Capabilities::KILL) { Ok(()) } else { Err(Errno::EPERM) }
    }
}
