//! The end of a thread, and of a process with its last one.
use crate::process::Process;
use crate::signals;
use crate::task::Task;
use crate::tree::{self, Gone, INIT, Node, Pid, Tree};
use abi::raw::general::{SIGCHLD, SIGCONT, SIGHUP};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use sync::Once;
use sync::thread::work;

static SESSION_END: Once<fn(Pid)> = Once::new();

/// Says who is told that a session's leader ends, by the session's number, while it is still in the tree. Called without
/// locks, and may sleep. Once.
pub fn set_session_end_hook(hook: fn(Pid)) {
    let _ = SESSION_END.set(hook);
}

/// Ends the calling thread with `status` in the form of wait(2); its last instruction in user mode has run.
pub fn exit_thread(task: &Task, status: u32) {
    let mut group = task.process.signals.lock();
    group.thread_exits(status);
    drop(group);
    mark_ending(task);
}

/// Ends all threads of the calling task's process with `status`; an earlier such call decides the status.
pub fn exit_group(task: &Task, status: u32) {
    let first = task.process.signals.lock().begin_group_exit(status);
    if first {
        kill_other_threads(task);
    }
    mark_ending(task);
}

/// Has every other thread of the process end before it next enters user mode.
pub(crate) fn kill_other_threads(task: &Task) {
    let tree = tree::lock();
    for other in tree.threads(task.process.pid).filter(|other| other.tid() != task.tid()) {
        signals::force_end(other);
    }
}

/// The task ends at its next look at its work.
pub(crate) fn mark_ending(task: &Task) {
    task.signals.ending.store(true, Ordering::Release);
    if let Some(thread) = task.thread() {
        thread.add_work(work::KILL);
    }
}

/// What the thread itself does last, in the kernel, with no user context any more.
pub(crate) fn finish(task: Arc<Task>) {
    let (stopped, given_up) = {
        let mut group = task.process.signals.lock();
        (group.thread_leaves(task.tid()), group.pending_set() & !task.signal_mask())
    };
    if !given_up.is_empty() {
        signals::hand_over(&task, given_up);
    }
    if let Some(event) = stopped {
        signals::tell_stop(&task.process, event);
    }
    release_memory(&task);
    task.files.release();
    task.release_exec_image();
    account(&task);
    if task.process.unended_threads.fetch_sub(1, Ordering::AcqRel) == 1 {
        end_process(&task.process);
    }
    let orphaned = leave_tree(&task);
    for (group, signal) in orphaned {
        signals::send_to_group(group, signal, signals::Information::kernel());
    }
}

/// Ends what threads share, before anybody is told: called by the last thread that comes here.
fn end_process(process: &Process) {
    crate::timers::end(process);
    if process.session() == process.pid
        && let Some(ended) = SESSION_END.get()
    {
        ended(process.pid);
    }
}

/// Lets go of user memory: robust futexes, the word that joiners wait on, vfork's parent, the address space.
pub(crate) fn release_memory(task: &Task) {
    crate::futexes::exit_robust_list(task);
    let address = task.clear_child_tid.swap(0, Ordering::Relaxed);
    if address != 0 && (task.process.thread_count() > 1 || task.shares_memory()) {
        let _ = memory::UserPtr::<u32>::new(address).write(&0);
        crate::futexes::wake_address(task, address, 1);
    }
    let space = task.set_space(None);
    note_resident_peak(task, space.as_deref());
    drop(space);
    if let Some(parent) = task.vfork_done.lock().take() {
        parent.complete();
    }
}

/// The largest resident set of `space`, which `task` leaves.
pub(crate) fn note_resident_peak(task: &Task, space: Option<&platform::AddressSpace>) {
    let Some(space) = space else { return };
    let resident_peak = space.usage().resident_peak;
    task.process.ended.lock().add(crate::usage::Usage { resident_peak, ..Default::default() });
}

fn account(task: &Task) {
    let process = &task.process;
    let used = crate::usage::of_thread(task);
    process.ended.lock().add(used);
}

/// Takes the thread out of the tree; with the last one the process becomes a zombie, or goes at once. Answers what groups are
/// to be told because they are orphaned and stopped now.
fn leave_tree(task: &Arc<Task>) -> Vec<(Pid, u32)> {
    let mut tree = tree::lock();
    task.set_ended();
    let last = tree.remove_thread(task);
    task.process.live_threads.fetch_sub(1, Ordering::AcqRel);
    if !last {
        task.process.threads_changed.wake_all();
        return Vec::new();
    }
    let process = task.process.clone();
    let status = process.signals.lock().exit_status();
    assert!(process.pid != INIT, "Attempted to kill init! exitcode={status:#010x}");
    let orphaned = newly_orphaned(&tree, &process);
    let wish = |child: &Arc<Process>| child.traits.parent_death_signal.load(Ordering::Relaxed);
    let heir = heir(&tree, &process);
    let children = tree.reparent_children(process.pid, heir);
    let mut inherited = false;
    for child in children.iter().filter_map(|&child| tree.node(child)).map(|node| &node.process) {
        // Whoever adopts them chose no signal; it might be one that ends init.
        child.exit_signal.store(SIGCHLD, Ordering::Relaxed);
        inherited |= child.is_zombie();
        if wish(child) != 0 && !child.is_zombie() {
            signals::send_in_tree(&tree, child, wish(child), signals::Information::parent_ended(&process));
        }
    }
    process.set_exit_status(status);
    process.end.notify();
    let reaped = notify_parent(&mut tree, &process);
    let adopted = if inherited { adopt_zombies(&mut tree, &children) } else { Vec::new() };
    drop(tree);
    drop((reaped, adopted));
    orphaned
}

/// Zombies that an ending parent leaves behind are the heir's now; it is told, or they go.
fn adopt_zombies(tree: &mut Tree, children: &BTreeSet<Pid>) -> Vec<Gone> {
    let mut gone = Vec::new();
    for &child in children {
        let zombie = tree.node(child).map(|node| node.process.clone()).filter(|child| child.is_zombie());
        gone.extend(zombie.and_then(|child| notify_parent(tree, &child)));
    }
    gone
}

/// Tells the parent that `process` has ended. A parent that ignores SIGCHLD does not want to wait: the process goes at once.
fn notify_parent(tree: &mut Tree, process: &Arc<Process>) -> Option<Gone> {
    let parent = tree.node(process.parent()).map(|node| node.process.clone());
    let Some(parent) = parent else { return tree.remove_process(process.pid) };
    let chosen = process.exit_signal.load(Ordering::Relaxed);
    let same_program = process.made_under.load(Ordering::Relaxed) == parent.executions.load(Ordering::Relaxed);
    let signal = if same_program { chosen } else { SIGCHLD };
    let discards = signal == SIGCHLD && signals::discards_children(&parent);
    if signal != 0 && !discards {
        signals::send_in_tree(tree, &parent, signal, signals::Information::child_ended(process));
    }
    let gone = if discards { tree.remove_process(process.pid) } else { None };
    parent.children_changed.wake_all();
    gone
}

/// Who adopts the children: the nearest subreaper above, or PID 1.
fn heir(tree: &Tree, process: &Process) -> Pid {
    let mut pid = process.parent();
    while pid > INIT {
        let Some(node) = tree.node(pid) else { break };
        if node.process.is_subreaper.load(Ordering::Relaxed) != 0 && !node.process.is_zombie() {
            return pid;
        }
        pid = node.parent;
    }
    INIT
}

/// Groups that the end of `process` orphans while a member is stopped get SIGHUP and SIGCONT (POSIX, _exit).
fn newly_orphaned(tree: &Tree, process: &Process) -> Vec<(Pid, u32)> {
    let Some(node) = tree.node(process.pid) else { return Vec::new() };
    let mut groups = Vec::new();
    // Only who ties a group to another of its session leaves it orphaned: as a member by its parent, or as the parent of a member.
    let ties = |parent: &Node, child: &Node| parent.group != child.group && parent.session == child.session;
    let own = tree.node(node.parent).filter(|parent| ties(parent, node)).map(|_| node.group);
    let children = node.children.iter().filter_map(|child| tree.node(*child));
    let of_children = children.filter(|child| ties(node, child)).map(|child| child.group);
    for group in own.into_iter().chain(of_children) {
        let stopped = || {
            tree.members(group)
                .filter_map(|pid| tree.node(pid))
                .any(|member| member.process.signals.lock().is_stopped())
        };
        let becomes = !tree.is_orphaned(group, None) && tree.is_orphaned(group, Some(process.pid));
        if becomes && stopped() && !groups.iter().any(|&(seen, _)| seen == group) {
            groups.push((group, SIGHUP));
            groups.push((group, SIGCONT));
        }
    }
    groups
}
