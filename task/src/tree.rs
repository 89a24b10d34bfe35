//! The process tree: who exists, who descends from whom, groups and sessions.
//!
//! Relations are plain data under one spinlock (Linux's `tasklist_lock`), keyed by number: no reference cycles, and an
//! invariant spans what it has to span. Looking a task up, forking, exiting and waiting each take it for a few logarithmic
//! steps; system calls that concern the caller alone never do.
//!
//! A process stays in the tree from fork until it has been waited for. Its number is free again when it has gone and no group
//! or session is named by it.
use crate::numbers::Numbers;
use crate::process::Process;
use crate::task::Task;
use abi::Errno;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;
use core::sync::atomic::Ordering;
use sync::{Preempt, Rank, SpinGuard, SpinLock};

/// A number of a task, process, group or session.
pub type Pid = u32;

/// PID 1, to which orphans go.
pub const INIT: Pid = 1;
/// PID 2, whose children the threads of the kernel's own are.
pub const KTHREADD: Pid = 2;

/// One process's place.
#[derive(Debug)]
pub(crate) struct Node {
    pub process: Arc<Process>,
    /// The first thread, which is there for /proc until the process has been waited for, ended or not.
    pub leader: Arc<Task>,
    pub parent: Pid,
    pub children: BTreeSet<Pid>,
    pub threads: BTreeSet<Pid>,
    pub group: Pid,
    pub session: Pid,
}

/// The tree itself; reached by [`lock`].
#[derive(Debug)]
pub struct Tree {
    tasks: Numbers<Arc<Task>>,
    nodes: Numbers<Box<Node>>,
    /// Members of groups, and groups of sessions, as pairs in order.
    groups: BTreeSet<(Pid, Pid)>,
    sessions: BTreeSet<(Pid, Pid)>,
    /// Numbers of tasks in the making.
    reserved: BTreeSet<Pid>,
    /// Tasks by real user.
    users: BTreeMap<u32, usize>,
    last: Pid,
    /// Numbers are below this (`kernel.pid_max`).
    limit: Pid,
    /// The most tasks that there may be (`kernel.threads-max`).
    most: usize,
}

static TREE: SpinLock<Tree, Preempt> = SpinLock::new(
    Rank::Process,
    Tree {
        tasks: Numbers::new(),
        nodes: Numbers::new(),
        groups: BTreeSet::new(),
        sessions: BTreeSet::new(),
        reserved: BTreeSet::new(),
        users: BTreeMap::new(),
        // The numbers that have their owners by name.
        last: KTHREADD,
        limit: 32768,
        most: usize::MAX,
    },
);

/// Takes the tree.
pub fn lock() -> SpinGuard<'static, Tree, Preempt> {
    TREE.lock()
}

/// The task with this number.
pub fn find_task(tid: Pid) -> Option<Arc<Task>> {
    lock().tasks.get(tid).cloned()
}

/// The process with this number, dead ones that nobody has waited for included.
pub fn find_process(pid: Pid) -> Option<Arc<Process>> {
    lock().nodes.get(pid).map(|node| node.process.clone())
}

/// The first task with a number of at least `from`.
pub fn next_task(from: Pid) -> Option<Arc<Task>> {
    lock().tasks.first_from(from).map(|(_, task)| task.clone())
}

/// Whether there is a task that `is_it`, which takes no lock that is outside the tree's.
pub(crate) fn any_task(is_it: impl FnMut(&Task) -> bool) -> bool {
    lock().tasks.values().map(|task| &**task).any(is_it)
}

/// Shows every task to `look`, for reports from any context; false where the tree is locked.
pub fn try_each_task(look: impl FnMut(&Task)) -> bool {
    let Some(tree) = TREE.try_lock() else { return false };
    tree.tasks.values().map(|task| &**task).for_each(look);
    true
}

/// Gives back what the tree keeps for processes to come.
pub(crate) fn give_back() {
    let mut tree = lock();
    tree.nodes.give_back();
    tree.tasks.give_back();
}

/// The first process of a group with a number of at least `from`: for those who go through one and may not hold the tree meanwhile.
pub fn next_member(group: Pid, from: Pid) -> Option<Arc<Process>> {
    let tree = lock();
    let member = tree.groups.range((group, from)..=(group, Pid::MAX)).find_map(|&(_, pid)| tree.nodes.get(pid));
    member.map(|node| node.process.clone())
}

/// The first process with a number of at least `from`: for /proc, which goes through them one by one.
pub fn next_process(from: Pid) -> Option<Arc<Process>> {
    lock().nodes.first_from(from).map(|(_, node)| node.process.clone())
}

/// The first thread of `process` with a number of at least `from`.
pub fn next_thread(process: Pid, from: Pid) -> Option<Arc<Task>> {
    let tree = lock();
    let tid = *tree.nodes.get(process)?.threads.range(from..).next()?;
    tree.tasks.get(tid).cloned()
}

/// The first thread of a process, ended or not.
pub fn leader(pid: Pid) -> Option<Arc<Task>> {
    lock().nodes.get(pid).map(|node| node.leader.clone())
}

/// As [`next_thread`], with a first thread that has ended before others.
pub fn next_shown_thread(process: Pid, from: Pid) -> Option<Arc<Task>> {
    let tree = lock();
    let node = tree.nodes.get(process)?;
    let running = node.threads.range(from..).next().and_then(|&tid| tree.tasks.get(tid));
    let leader = Some(&node.leader).filter(|leader| leader.tid() >= from && leader.has_ended());
    match (leader, running) {
        (Some(leader), Some(running)) if leader.tid() < running.tid() => Some(leader.clone()),
        (leader, running) => running.or(leader).cloned(),
    }
}

/// The children of a process that one of its threads made, by number. Those of threads that have ended are the first's.
pub fn children_of(task: &Task) -> Vec<Pid> {
    let tree = lock();
    let Some(node) = tree.nodes.get(task.process.pid) else { return Vec::new() };
    let mut children = Vec::new();
    let is_own = |child: &Node| {
        let maker = child.process.made_by.load(Ordering::Relaxed);
        maker == task.tid() || node.leader.tid() == task.tid() && !node.threads.contains(&maker)
    };
    let own = node.children.iter().filter(|&&pid| tree.nodes.get(pid).is_some_and(|node| is_own(node)));
    for pid in own {
        if children.try_reserve(1).is_err() {
            break;
        }
        children.push(*pid);
    }
    children
}

/// A process that has left the tree; to be dropped when the tree is not locked any more.
#[derive(Debug)]
pub(crate) struct Gone {
    _process: Arc<Process>,
    _leader: Arc<Task>,
}

/// A number that nobody else gets until it is used or dropped.
#[derive(Debug)]
pub(crate) struct ReservedPid {
    pub pid: Pid,
}

impl ReservedPid {
    /// EAGAIN where all are taken, or there are as many tasks as there may be.
    pub fn new() -> Result<Self, Errno> {
        let mut tree = lock();
        if tree.tasks.len() + tree.reserved.len() >= tree.most {
            return Err(Errno::EAGAIN);
        }
        let pid = tree.new_pid()?;
        tree.reserved.insert(pid);
        Ok(Self { pid })
    }
}

impl Drop for ReservedPid {
    fn drop(&mut self) {
        lock().reserved.remove(&self.pid);
    }
}

/// One past the largest number that is given (`kernel.pid_max`).
pub fn pid_limit() -> Pid {
    lock().limit
}

/// Sets it; numbers beyond that are given already stay.
pub fn set_pid_limit(limit: Pid) {
    lock().limit = limit;
}

/// The most tasks that there may be (`kernel.threads-max`).
pub fn most_tasks() -> usize {
    lock().most
}

pub fn set_most_tasks(most: usize) {
    lock().most = most;
}

/// The number given last.
pub fn last_pid() -> Pid {
    lock().last
}

/// How many processes there are, those included that nobody has waited for.
pub fn process_count() -> usize {
    lock().nodes.len()
}

/// How many tasks there are.
pub fn task_count() -> usize {
    lock().tasks.len()
}

/// A process's real user has changed (setuid(2)).
pub fn change_user(process: &Process, uid: u32) {
    lock().change_user(process, uid);
}

/// Tasks of a user, for RLIMIT_NPROC.
pub(crate) fn count_of_user(uid: u32) -> usize {
    let tree = lock();
    tree.users.get(&uid).copied().unwrap_or(0)
}

impl Tree {
    /// A free number, the next after the last one given.
    pub(crate) fn new_pid(&mut self) -> Result<Pid, Errno> {
        let used = |tree: &Self, pid: Pid| {
            tree.tasks.contains(pid)
                || tree.reserved.contains(&pid)
                || tree.nodes.contains(pid)
                || tree.members(pid).next().is_some()
                || tree.sessions.range((pid, 0)..=(pid, Pid::MAX)).next().is_some()
        };
        let from = if self.last + 1 < self.limit { self.last + 1 } else { 300 };
        // Low numbers are left to daemons after the first round, as on Linux.
        let found = (from..self.limit)
            .chain(300.min(from)..from.min(self.limit))
            .find(|&pid| !used(self, pid))
            .ok_or(Errno::EAGAIN)?;
        self.last = found;
        Ok(found)
    }

    /// Members of a group, in order.
    pub(crate) fn members(&self, group: Pid) -> impl Iterator<Item = Pid> + '_ {
        self.groups.range((group, 0)..=(group, Pid::MAX)).map(|&(_, pid)| pid)
    }

    pub(crate) fn node(&self, pid: Pid) -> Option<&Node> {
        self.nodes.get(pid).map(|node| &**node)
    }

    pub(crate) fn task(&self, tid: Pid) -> Option<&Arc<Task>> {
        self.tasks.get(tid)
    }

    /// Adds a process with its first thread. Its group and session are those of `parent`; without one
    /// it is in number 0 of each, and may begin a session.
    pub(crate) fn add_process(&mut self, process: &Arc<Process>, first: &Arc<Task>, parent: Option<Pid>) {
        let pid = process.pid;
        let (group, session) =
            parent.and_then(|parent| self.nodes.get(parent)).map_or((0, 0), |node| (node.group, node.session));
        if let Some(node) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
            node.children.insert(pid);
        }
        let node = Node {
            process: process.clone(),
            leader: first.clone(),
            parent: parent.unwrap_or(0),
            children: BTreeSet::new(),
            threads: BTreeSet::new(),
            group,
            session,
        };
        process.parent.store(node.parent, Ordering::Relaxed);
        process.group.store(group, Ordering::Relaxed);
        process.session.store(session, Ordering::Relaxed);
        self.nodes.insert(pid, Box::new(node));
        // Who is in group 0 is nobody's to ask; those that are there for good are not listed, or whoever goes through it would meet them.
        if !first.is_kernel_thread() {
            self.groups.insert((group, pid));
            self.sessions.insert((session, group));
        }
        self.add_thread(first, None);
    }

    /// Adds a thread to its process; `creator` is another thread of it. True where the thread is to stop before it runs.
    pub(crate) fn add_thread(&mut self, task: &Arc<Task>, creator: Option<Pid>) -> bool {
        self.tasks.insert(task.tid(), task.clone());
        *self.users.entry(task.process.uid.load(Ordering::Relaxed)).or_default() += 1;
        if let Some(node) = self.nodes.get_mut(task.process.pid) {
            node.threads.insert(task.tid());
        }
        task.process.signals.lock().thread_begins(task.tid(), creator)
    }

    /// Takes a thread out; true where it was the last of its process.
    pub(crate) fn remove_thread(&mut self, task: &Task) -> bool {
        self.tasks.remove(task.tid());
        self.uncount(task.process.uid.load(Ordering::Relaxed));
        self.nodes.get_mut(task.process.pid).is_some_and(|node| {
            node.threads.remove(&task.tid());
            node.threads.is_empty()
        })
    }

    fn uncount(&mut self, uid: u32) {
        if let Some(count) = self.users.get_mut(&uid) {
            *count -= 1;
            if *count == 0 {
                self.users.remove(&uid);
            }
        }
    }

    /// A process's real user has changed (setuid(2)): its threads count against the new one.
    pub(crate) fn change_user(&mut self, process: &Process, uid: u32) {
        let old = process.uid.swap(uid, Ordering::Relaxed);
        for _ in 0..self.nodes.get(process.pid).map_or(0, |node| node.threads.len()) {
            self.uncount(old);
            *self.users.entry(uid).or_default() += 1;
        }
    }

    /// The threads of a process.
    pub(crate) fn threads(&self, pid: Pid) -> impl Iterator<Item = &Arc<Task>> + '_ {
        self.nodes.get(pid).into_iter().flat_map(|node| node.threads.iter()).filter_map(|&tid| self.tasks.get(tid))
    }

    /// Moves a process to another group of session `session`.
    pub(crate) fn move_to_group(&mut self, pid: Pid, group: Pid, session: Pid) {
        let Some(node) = self.nodes.get_mut(pid) else { return };
        let (old_group, old_session) = (node.group, node.session);
        (node.group, node.session) = (group, session);
        node.process.group.store(group, Ordering::Relaxed);
        node.process.session.store(session, Ordering::Relaxed);
        self.groups.remove(&(old_group, pid));
        if self.members(old_group).next().is_none() {
            self.sessions.remove(&(old_session, old_group));
        }
        self.groups.insert((group, pid));
        self.sessions.insert((session, group));
    }

    /// Gives the children of `pid` to `heir`.
    pub(crate) fn reparent_children(&mut self, pid: Pid, heir: Pid) -> BTreeSet<Pid> {
        let children = self.nodes.get_mut(pid).map(|node| core::mem::take(&mut node.children)).unwrap_or_default();
        for &child in &children {
            if let Some(node) = self.nodes.get_mut(child) {
                node.parent = heir;
                node.process.parent.store(heir, Ordering::Relaxed);
            }
            if let Some(node) = self.nodes.get_mut(heir) {
                node.children.insert(child);
            }
        }
        children
    }

    /// A thread that executes a program, alone in its process, is its first from then on, and has its number.
    pub(crate) fn set_leader(&mut self, task: &Task) -> Option<Arc<Task>> {
        let (old, pid) = (task.tid(), task.process.pid);
        let task = self.tasks.get(old)?.clone();
        let node = self.nodes.get_mut(pid)?;
        if old != pid {
            node.threads.remove(&old);
            node.threads.insert(pid);
            task.process.signals.lock().thread_renamed(old, pid);
            task.set_tid(pid);
            self.tasks.remove(old);
            self.tasks.insert(pid, task.clone());
        }
        Some(core::mem::replace(&mut node.leader, task))
    }

    /// Forgets a process that has been waited for.
    pub(crate) fn remove_process(&mut self, pid: Pid) -> Option<Gone> {
        let node = self.nodes.remove(pid)?;
        if let Some(parent) = self.nodes.get_mut(node.parent) {
            parent.children.remove(&pid);
        }
        self.groups.remove(&(node.group, pid));
        if self.members(node.group).next().is_none() {
            self.sessions.remove(&(node.session, node.group));
        }
        Some(Gone { _process: node.process, _leader: node.leader })
    }

    /// Whether a group is orphaned: no member has a parent in another group of the same session (POSIX, 3.264). `leaving`, a
    /// process, is counted as gone already, as member and as parent.
    pub(crate) fn is_orphaned(&self, group: Pid, leaving: Option<Pid>) -> bool {
        !self.members(group).filter(|&pid| Some(pid) != leaving).any(|pid| {
            let Some(node) = self.nodes.get(pid).filter(|node| Some(node.parent) != leaving) else { return false };
            let parent = self.nodes.get(node.parent);
            parent.is_some_and(|parent| parent.group != group && parent.session == node.session)
                && !node.process.is_zombie()
        })
    }

    /// The groups of a session.
    pub(crate) fn groups_of(&self, session: Pid) -> impl Iterator<Item = Pid> + '_ {
        self.sessions
            .range((Bound::Included((session, 0)), Bound::Included((session, Pid::MAX))))
            .map(|&(_, group)| group)
    }
}
