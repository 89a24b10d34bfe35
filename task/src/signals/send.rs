//! Sending.
use super::state::GroupSignals;
use crate::process::Process;
use crate::task::Task;
use crate::tree::{self, Pid, Tree};
use ::signal::{
    Counter, Flush, LastFault, Message, Pending, Receiver, Signal, SignalSet, StopEvent, ThreadState, choose_thread,
    flush_for, is_fatal, prepare,
};
use abi::Errno;
use abi::raw::general::{CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, RLIMIT_SIGPENDING, SIGCHLD};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sync::thread::work;

/// What comes with a signal.
#[derive(Clone, Copy, Debug)]
pub struct Information(pub ::signal::Information);

impl Information {
    /// From the kernel, without more.
    pub fn kernel() -> Self {
        Self(::signal::Information::Kernel)
    }

    /// A program's own fault; `code` SI_KERNEL says nothing about where.
    pub fn fault(_signal: u32, code: i32, address: usize, _trap: u64) -> Self {
        if code == abi::raw::general::SI_KERNEL as i32 {
            return Self::kernel();
        }
        Self(::signal::Information::Fault { code, address: address as u64 })
    }

    /// kill(2) by `sender`.
    pub fn kill(sender: &Task) -> Self {
        Self(::signal::Information::Kill { process: sender.process.pid as i32, user: sender.real_user() })
    }

    /// tgkill(2) by `sender`.
    pub fn thread_kill(sender: &Task) -> Self {
        Self(::signal::Information::ThreadKill { process: sender.process.pid as i32, user: sender.real_user() })
    }

    /// The parent has ended (PR_SET_PDEATHSIG): as if it had sent the signal itself.
    pub(crate) fn parent_ended(parent: &Process) -> Self {
        let user = parent.uid.load(Ordering::Relaxed);
        Self(::signal::Information::Kill { process: parent.pid as i32, user })
    }

    fn child(child: &Process, code: u32, status: i32) -> Self {
        let used = *child.ended.lock();
        let ticks = |nanoseconds: u64| time::user_ticks(nanoseconds) as i64;
        Self(::signal::Information::Child {
            process: child.pid as i32,
            user: child.uid.load(Ordering::Relaxed),
            status,
            code: code as i32,
            user_time: ticks(used.user),
            system_time: ticks(used.system),
        })
    }

    /// A child has ended.
    pub(crate) fn child_ended(child: &Process) -> Self {
        let status = child.exit_status().unwrap_or(0);
        match status & 0x7f {
            0 => Self::child(child, CLD_EXITED, (status >> 8 & 0xff) as i32),
            signal => Self::child(child, CLD_KILLED, signal as i32),
        }
    }
}

/// Sends to a process. EAGAIN for a real-time signal that cannot be queued.
pub fn send_to_process(process: &Arc<Process>, signal: u32, information: Information) -> Result<(), Errno> {
    send_with(process, None, signal, information, false)
}

/// Sends to a thread.
pub fn send_to_task(task: &Task, signal: u32, information: Information) -> Result<(), Errno> {
    send_with(&task.process, Some(task), signal, information, false)
}

/// Sends to every member of a group, without anybody joining or leaving it meanwhile; true where there was one.
pub fn send_to_group(group: Pid, signal: u32, information: Information) -> bool {
    let tree = tree::lock();
    let members = tree.members(group).filter_map(|pid| tree.node(pid));
    members.map(|node| send_in_tree(&tree, &node.process, signal, information)).count() > 0
}

fn send_with(
    process: &Process,
    target: Option<&Task>,
    signal: u32,
    information: Information,
    force: bool,
) -> Result<(), Errno> {
    let Ok(signal) = Signal::new(signal) else { return Ok(()) };
    let mut letter = Letter::new(process, signal, information);
    if target.is_some() {
        match deliver(None, process, target, &mut letter, force) {
            Next::Done => return Ok(()),
            Next::NeedsMessage => letter.make_message(process)?,
            Next::NeedsTree => {}
        }
    }
    loop {
        let tree = tree::lock();
        let next = deliver(Some(&tree), process, target, &mut letter, force);
        drop(tree);
        match next {
            Next::NeedsMessage => letter.make_message(process)?,
            Next::Done | Next::NeedsTree => return Ok(()),
        }
    }
}

/// Sends with the tree held: to a parent, from a child's end. Never fails, though information may be lost.
pub fn send_in_tree(tree: &Tree, process: &Process, signal: u32, information: Information) {
    let Ok(signal) = Signal::new(signal) else { return };
    let mut letter = Letter::new(process, signal, information);
    loop {
        if deliver(Some(tree), process, None, &mut letter, true) != Next::NeedsMessage {
            return;
        }
        if letter.make_message(process).is_err() {
            letter.message = Some(Message::without_information(signal));
        }
    }
}

/// A signal that is being sent, and what is to be dropped without locks.
struct Letter {
    signal: Signal,
    information: ::signal::Information,
    /// RLIMIT_SIGPENDING of the receiver.
    limit: u64,
    /// Made where the receiver's queue has no place for it, and left here if it came to nothing.
    message: Option<Message>,
    discarded: ::signal::Discarded,
}

impl Letter {
    fn new(process: &Process, signal: Signal, information: Information) -> Self {
        let limit = process.limits.lock().soft(RLIMIT_SIGPENDING);
        Self { signal, information: information.0, limit, message: None, discarded: ::signal::Discarded::default() }
    }

    /// EAGAIN.
    #[cold]
    fn make_message(&mut self, process: &Process) -> Result<(), Errno> {
        let counter = process.signals.lock().counter.clone();
        self.message = Some(Message::new(self.signal, self.information, &counter, self.limit)?);
        Ok(())
    }

    /// Puts it into a queue; false where that takes a message.
    #[inline]
    fn put(&mut self, pending: &mut Pending, counter: &Arc<Counter>) -> bool {
        match self.message.take() {
            Some(message) => {
                self.message = pending.add(message).err();
                true
            }
            None => pending.put(self.signal, &self.information, counter, self.limit),
        }
    }
}

/// How a delivery goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Done,
    /// Again, after [`Letter::make_message`].
    NeedsMessage,
    /// Again with the tree: other threads are concerned.
    NeedsTree,
}

/// Delivers to a process, or to its thread `target`. A signal for one thread that has a handler concerns no other, and does without the tree.
fn deliver(tree: Option<&Tree>, process: &Process, target: Option<&Task>, letter: &mut Letter, force: bool) -> Next {
    let signal = letter.signal;
    let mut group = process.signals.lock();
    if group.is_exiting() && signal != Signal::KILL {
        return Next::Done;
    }
    let action = group.with_actions(|actions| *actions.get(signal));
    let (flush, fatal) = (flush_for(signal), is_fatal(signal, &action));
    if tree.is_none() && (target.is_none() || fatal || flush != Flush::Nothing) {
        return Next::NeedsTree;
    }
    if let Some(tree) = tree.filter(|_| flush != Flush::Nothing) {
        change_stop(tree, process, &mut group, signal, flush, letter);
    }
    let threads = || tree.into_iter().flat_map(|tree| tree.threads(process.pid)).map(|task| &**task);
    let awaits = |task: &Task| task.signals.awaits(signal);
    let receiver = Receiver {
        action: &action,
        mask: target.or_else(|| threads().next()).map(|task| task.signals.mask()).unwrap_or_default(),
        traced: false,
        unkillable: group.unkillable,
        exiting: false,
    };
    let queue =
        prepare(signal, &receiver, force && !group.unkillable) || target.map_or_else(|| threads().any(awaits), awaits);
    if !queue {
        return Next::Done;
    }
    let GroupSignals { pending, counter, .. } = &mut *group;
    let put = match target {
        Some(task) => letter.put(&mut task.signals.own.lock().pending, counter),
        None => letter.put(pending, counter),
    };
    if !put {
        return Next::NeedsMessage;
    }
    process.signal_arrived.notify();
    let kills = fatal && !receiver.mask.contains(signal) && !group.unkillable;
    if kills && group.begin_group_exit(signal.number()) {
        threads().for_each(force_end);
    } else {
        notify(target, threads(), signal);
    }
    Next::Done
}

/// What a stop signal, or SIGCONT, does before anything else.
fn change_stop(
    tree: &Tree,
    process: &Process,
    group: &mut GroupSignals,
    signal: Signal,
    flush: Flush,
    letter: &mut Letter,
) {
    letter.discarded.append(group.pending.flush(flush.set()));
    for thread in tree.threads(process.pid) {
        letter.discarded.append(thread.signals.own.lock().pending.flush(flush.set()));
    }
    if signal == Signal::CONT {
        resume(tree, process, group);
    }
}

/// Tells a thread that something is pending: the target, or one of all.
fn notify<'a>(target: Option<&'a Task>, threads: impl Iterator<Item = &'a Task>, signal: Signal) {
    let mask = |task: &Task| {
        let mask = task.signals.mask();
        if task.signals.awaits(signal) { mask & !SignalSet::of(&[signal]) } else { mask }
    };
    let state = |task: &Task| {
        let thread = task.thread();
        ThreadState {
            mask: mask(task),
            exiting: task.signals.ending.load(Ordering::Relaxed),
            stopped: false,
            running: thread.is_some_and(|thread| thread.is_on_cpu()),
            notified: thread.is_some_and(|thread| thread.work() & work::SIGNAL != 0),
        }
    };
    let chosen = match target {
        Some(task) => (!mask(task).contains(signal)).then_some(task),
        None => choose_thread(signal, threads.map(|task| (task, state(task)))),
    };
    if let Some(task) = chosen {
        wake_for_signal(task);
    }
}

/// Of `signals`, those that wait for the whole process are not for `task` after all, which holds them back from now on, or ends: a
/// thread that takes them is told in its place (`retarget_shared_pending` in Linux's kernel/signal.c).
#[cold]
pub(crate) fn hand_over(task: &Task, signals: SignalSet) {
    let process = &task.process;
    if process.thread_count() < 2 {
        return;
    }
    let tree = tree::lock();
    let group = process.signals.lock();
    for signal in (group.pending.set() & signals).iter() {
        let others = tree.threads(process.pid).map(|other| &**other).filter(|other| other.tid() != task.tid());
        notify(None, others, signal);
    }
}

/// Has a thread look at its signals: wherever it sleeps interruptibly, or runs.
fn wake_for_signal(task: &Task) {
    if task.signals.awaited.load(Ordering::Relaxed) != 0 {
        task.signals.arrived.wake_all();
    }
    let Some(thread) = task.thread() else { return };
    thread.add_work(work::SIGNAL);
    scheduler::interrupt_sleep(thread);
}

/// Has a thread end before it enters user mode again.
pub fn force_end(task: &Task) {
    task.signals.ending.store(true, Ordering::Release);
    let Some(thread) = task.thread() else { return };
    thread.add_work(work::KILL);
    scheduler::kill_sleep(thread);
}

/// A fault of the running thread: its signal cannot be ignored or blocked. `fault` is (address, error code, vector).
pub fn force(task: &Task, signal: u32, information: Information, fault: Option<(usize, u64, u64)>) {
    let Ok(number) = Signal::new(signal) else { return };
    let mut made = None;
    // Twice at most: a message is queued.
    let refused = loop {
        let mut group = task.process.signals.lock();
        let mut own = task.signals.own.lock();
        let refused = match made.take() {
            Some(message) => own.pending.add(message).err(),
            None if own.pending.put(number, &information.0, &group.counter, u64::MAX) => None,
            None => {
                let counter = group.counter.clone();
                drop((own, group));
                let message = Message::new(number, information.0, &counter, u64::MAX);
                made = Some(message.unwrap_or_else(|_| Message::without_information(number)));
                continue;
            }
        };
        if let Some((address, error, trap)) = fault {
            own.fault = LastFault { address: address as u64, error, trap };
        }
        force_in(task, number, &mut group);
        break refused;
    };
    drop(refused);
    if let Some(thread) = task.thread() {
        thread.add_work(work::SIGNAL);
    }
}

fn force_in(task: &Task, signal: Signal, group: &mut GroupSignals) {
    let mut mask = task.signals.mask();
    let dies = group.with_actions(|actions| actions.force(signal, &mut mask, signal == Signal::KILL));
    if dies {
        group.unkillable = false;
    }
    task.signals.store_mask(mask);
}

/// SIGCONT's first effect: a stopped process runs again. The first thread that does tells the parent.
fn resume(tree: &Tree, process: &Process, group: &mut GroupSignals) {
    group.stop.resume(group.stops.values_mut());
    for thread in tree.threads(process.pid).filter_map(|task| task.thread()) {
        scheduler::wake_stopped(thread);
    }
}

/// Whether the process does not want zombies: SIGCHLD ignored, or SA_NOCLDWAIT.
pub fn discards_children(parent: &Process) -> bool {
    parent.signals.lock().with_actions(|actions| actions.child_exit().reap)
}

/// Tells the parent that a child has stopped or goes on.
pub fn tell_stop(child: &Process, event: StopEvent) {
    let (code, signal) = match event {
        StopEvent::Stopped(signal) => (CLD_STOPPED, signal),
        StopEvent::Continued => (CLD_CONTINUED, Signal::CONT),
    };
    let Some(parent) = tree::find_process(child.parent()) else { return };
    let notifies = parent.signals.lock().with_actions(|actions| actions.child_stop_notifies());
    if notifies {
        let information = Information::child(child, code, signal.number() as i32);
        let _ = send_to_process(&parent, SIGCHLD, information);
    }
    parent.children_changed.wake_all();
}
