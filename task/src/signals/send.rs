//! Sending.
use super::state::GroupSignals;
use crate::process::Process;
use crate::task::Task;
use crate::tree::{self, Pid, Tree};
use ::signal::{
    Message, Receiver, Signal, SignalSet, StopEvent, ThreadState, choose_thread, flush_for, is_fatal, prepare,
};
use abi::Errno;
use abi::raw::general::{CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, RLIMIT_SIGPENDING, SIGCHLD, SIGKILL};
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
        Self(::signal::Information::Kill { process: sender.process.pid as i32, user: sender.credentials().user.real })
    }

    /// tgkill(2) by `sender`.
    pub fn thread_kill(sender: &Task) -> Self {
        Self(::signal::Information::ThreadKill {
            process: sender.process.pid as i32,
            user: sender.credentials().user.real,
        })
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

/// Sends to every member of a group; true where there was one.
pub fn send_to_group(group: Pid, signal: u32, information: Information) -> bool {
    let members = tree::group_members(group);
    for process in &members {
        let _ = send_to_process(process, signal, information);
    }
    !members.is_empty()
}

fn send_with(
    process: &Arc<Process>,
    target: Option<&Task>,
    signal: u32,
    information: Information,
    force: bool,
) -> Result<(), Errno> {
    let Ok(signal) = Signal::new(signal) else { return Ok(()) };
    let message = message(process, signal, information)?;
    let discarded = {
        let tree = tree::lock();
        deliver_in(&tree, process, target, message, force)
    };
    drop(discarded);
    Ok(())
}

fn message(process: &Process, signal: Signal, information: Information) -> Result<Message, Errno> {
    let counter = process.signals.lock().counter.clone();
    let limit = process.limits.lock().soft(RLIMIT_SIGPENDING);
    Message::new(signal, information.0, &counter, limit)
}

/// Sends with the tree held: to a parent, from a child's end. Never fails, though information may be lost.
pub fn send_in_tree(tree: &Tree, process: &Arc<Process>, signal: u32, information: Information) {
    let Ok(signal) = Signal::new(signal) else { return };
    let message = message(process, signal, information).unwrap_or_else(|_| Message::without_information(signal));
    let discarded = deliver_in(tree, process, None, message, true);
    drop(discarded);
}

/// What is left over, to be dropped without locks.
struct Rest {
    _discarded: ::signal::Discarded,
    _refused: Option<Message>,
}

fn deliver_in(tree: &Tree, process: &Arc<Process>, target: Option<&Task>, message: Message, force: bool) -> Rest {
    let signal = message.signal();
    let mut group = process.signals.lock();
    let mut discarded = ::signal::Discarded::default();
    if group.is_exiting() && signal != Signal::KILL {
        return Rest { _discarded: discarded, _refused: Some(message) };
    }
    let flushed = flush_for(signal).set();
    if !flushed.is_empty() {
        discarded.append(group.pending.flush(flushed));
        for thread in tree.threads(process.pid) {
            discarded.append(thread.signals.own.lock().pending.flush(flushed));
        }
    }
    if signal == Signal::CONT {
        resume(tree, process, &mut group);
    }
    let main = target
        .map(|task| task.signals.mask())
        .or_else(|| tree.threads(process.pid).next().map(|task| task.signals.mask()));
    let action = *group.actions.lock().get(signal);
    let receiver = Receiver {
        action: &action,
        mask: main.unwrap_or_default(),
        traced: false,
        unkillable: group.unkillable,
        exiting: false,
    };
    let awaited = tree
        .threads(process.pid)
        .any(|task| SignalSet::from_bits(task.signals.awaited.load(Ordering::Relaxed)).contains(signal));
    if !awaited && !prepare(signal, &receiver, force && !group.unkillable) {
        return Rest { _discarded: discarded, _refused: Some(message) };
    }
    let refused = match target {
        Some(task) => task.signals.own.lock().pending.add(message).err(),
        None => group.pending.add(message).err(),
    };
    process.signal_arrived.notify();
    if is_fatal(signal, &action)
        && !receiver.mask.contains(signal)
        && !group.unkillable
        && group.begin_group_exit(signal.number())
    {
        for thread in tree.threads(process.pid) {
            force_end(thread);
        }
    } else {
        notify(tree, process, target, signal);
    }
    Rest { _discarded: discarded, _refused: refused }
}

/// Tells a thread that something is pending.
fn notify(tree: &Tree, process: &Process, target: Option<&Task>, signal: Signal) {
    let state = |task: &Task| {
        let awaited = SignalSet::from_bits(task.signals.awaited.load(Ordering::Relaxed));
        let mask = if awaited.contains(signal) { task.signals.mask() & !awaited } else { task.signals.mask() };
        let thread = task.thread();
        ThreadState {
            mask,
            exiting: task.signals.ending.load(Ordering::Relaxed),
            stopped: false,
            running: thread.is_some_and(|thread| thread.is_on_cpu()),
            notified: thread.is_some_and(|thread| thread.work() & work::SIGNAL != 0),
        }
    };
    let chosen = match target {
        Some(task) => (!state(task).mask.contains(signal)).then_some(task),
        None => choose_thread(signal, tree.threads(process.pid).map(|task| (&**task, state(task)))),
    };
    if let Some(task) = chosen {
        wake_for_signal(task);
    }
}

/// Has a thread look at its signals: wherever it sleeps interruptibly, or runs.
fn wake_for_signal(task: &Task) {
    task.signals.arrived.wake_all();
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
    let message = Message::new(number, information.0, &task.process.signals.lock().counter.clone(), u64::MAX)
        .unwrap_or_else(|_| Message::without_information(number));
    let mut group = task.process.signals.lock();
    let mut mask = task.signals.mask();
    let dies = group.actions.lock().force(number, &mut mask, signal == SIGKILL);
    if dies {
        group.unkillable = false;
    }
    task.signals.store_mask(mask);
    let mut own = task.signals.own.lock();
    if let Some(fault) = fault {
        own.fault = fault;
    }
    let refused = own.pending.add(message);
    drop(own);
    drop(group);
    drop(refused);
    if let Some(thread) = task.thread() {
        thread.add_work(work::SIGNAL);
    }
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
    parent.signals.lock().actions.lock().child_exit().reap
}

/// Tells the parent that a child has stopped or goes on.
pub fn tell_stop(child: &Process, event: StopEvent) {
    let (code, signal) = match event {
        StopEvent::Stopped(signal) => (CLD_STOPPED, signal),
        StopEvent::Continued => (CLD_CONTINUED, Signal::CONT),
    };
    let Some(parent) = tree::find_process(child.parent()) else { return };
    let notifies = parent.signals.lock().actions.lock().child_stop_notifies();
    if notifies {
        let information = Information::child(child, code, signal.number() as i32);
        let _ = send_to_process(&parent, SIGCHLD, information);
    }
    parent.children_changed.wake_all();
}
