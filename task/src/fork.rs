//! Making tasks: fork(2), vfork(2), clone(2), clone3(2).
use crate::files::Files;
use crate::life;
use crate::process::Process;
use crate::signals::{GroupSignals, ThreadSignals};
use crate::task::{Completion, Parts, Task};
use crate::traits::ThreadTraits;
use crate::tree::{self, Pid};
use crate::{Failure, Restart};
use abi::Errno;
use abi::raw::general::*;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicI32, Ordering};
use memory::{KernelStack, UserPtr};
use platform::AddressSpace;
use sync::{Rank, SpinLock, Thread};
use trap::{CONTEXT_SIZE, UserContext};
use vfs::Capabilities;

/// What clone3(2) is given; clone(2), fork and vfork are put into these terms.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloneArguments {
    pub flags: u64,
    pub exit_signal: u32,
    /// Stack pointer for the child; 0 for the parent's.
    pub stack: u64,
    pub parent_tid: usize,
    pub child_tid: usize,
    pub tls: u64,
}

/// Flags that work; others are answered EINVAL, as by a kernel that was built without them.
const KNOWN: u64 = (CLONE_VM
    | CLONE_FS
    | CLONE_FILES
    | CLONE_SIGHAND
    | CLONE_VFORK
    | CLONE_PARENT
    | CLONE_THREAD
    | CLONE_SYSVSEM
    | CLONE_SETTLS
    | CLONE_PARENT_SETTID
    | CLONE_CHILD_CLEARTID
    | CLONE_DETACHED
    | CLONE_UNTRACED
    | CLONE_CHILD_SETTID
    | CLONE_IO) as u64
    | CLONE_CLEAR_SIGHAND;

/// Makes a task like `parent`, which is in a system call with `context`. Answers its number.
///
/// # Errors
/// EINVAL for flags that contradict each other or are not there; EAGAIN beyond RLIMIT_NPROC or without a free number; ENOMEM.
pub fn clone(parent: &Task, context: &UserContext, arguments: CloneArguments) -> Result<Pid, Failure> {
    clone_observed(parent, context, arguments, |_| ())
}

/// The same; `observe` is shown the child's process once it exists and before it runs.
///
/// # Errors
/// As [`clone`].
pub fn clone_observed(
    parent: &Task,
    context: &UserContext,
    arguments: CloneArguments,
    observe: impl FnOnce(&Arc<Process>),
) -> Result<Pid, Failure> {
    let flags = arguments.flags;
    let has = |flag: u32| flags & u64::from(flag) != 0;
    check_flags(flags, &arguments)?;
    check_limits(parent)?;
    let stack = KernelStack::new().ok_or(Errno::ENOMEM)?;
    let user_state = Thread::with_user_state(|state| state.duplicate()).flatten().ok_or(Errno::ENOMEM)?;
    let memory = parent.memory()?;
    let space = if has(CLONE_VM) { memory } else { memory.fork()? };
    let files = files(parent, flags)?;
    // Copying took its time, and others took memory meanwhile.
    check_memory()?;
    let reserved = tree::ReservedPid::new()?;
    let process =
        if has(CLONE_THREAD) { parent.process.clone() } else { new_process(parent, reserved.pid, &arguments)? };
    let child = Arc::new(Task::new(Parts {
        tid: reserved.pid,
        process,
        role: None,
        space: Some(space.clone()),
        files,
        credentials: parent.credentials(),
        signals: ThreadSignals::for_child(&parent.signals, has(CLONE_VM) && !has(CLONE_VFORK)),
        name: parent.name(),
        nice: parent.nice.load(Ordering::Relaxed),
        policy: parent.policy.get(),
        traits: ThreadTraits::for_child(&parent.traits),
        image: parent.exec_image(),
    }));
    if has(CLONE_CHILD_SETTID) {
        child.set_child_tid.store(arguments.child_tid, Ordering::Relaxed);
    }
    if has(CLONE_CHILD_CLEARTID) {
        child.clear_child_tid.store(arguments.child_tid, Ordering::Relaxed);
    }
    let vfork = has(CLONE_VFORK).then(|| Arc::new(Completion::default()));
    *child.vfork_done.lock() = vfork.clone();
    let mut registers = Box::new(*context);
    registers.rax = 0;
    if arguments.stack != 0 {
        registers.rsp = arguments.stack;
    }
    let mut user_state = user_state;
    if has(CLONE_SETTLS) {
        user_state.fs_base = arguments.tls;
    }
    let thread = thread_for(&child, stack, registers, user_state, space);
    if let Some(own) = parent.thread() {
        thread.affinity.inherit(&own.affinity, scheduler::cpu_count());
    }
    thread.wants_ticks.store(crate::limits::is_watched(&child.process), Ordering::Relaxed);
    child.attach_thread(thread.clone());
    if has(CLONE_PARENT_SETTID) {
        // The child exists whether the word can be written or not, as on Linux.
        let _ = UserPtr::<u32>::new(arguments.parent_tid).write(&child.tid());
    }
    enter_tree(parent, &child, flags, reserved).inspect_err(|_| thread.abandon())?;
    observe(&child.process);
    scheduler::start(thread, sched::Nice::clamped(child.nice.load(Ordering::Relaxed)), child.policy.get());
    if let Some(vfork) = vfork {
        vfork.wait_killable();
    }
    Ok(child.tid())
}

/// What clone(2) with CLONE_PIDFD does not go with.
pub const NOT_WITH_PIDFD: u64 = (CLONE_DETACHED | CLONE_THREAD) as u64;

fn check_flags(flags: u64, arguments: &CloneArguments) -> Result<(), Errno> {
    let has = |flag: u32| flags & u64::from(flag) != 0;
    let contradicts = has(CLONE_SIGHAND) && !has(CLONE_VM)
        || has(CLONE_THREAD) && !has(CLONE_SIGHAND)
        || flags & CLONE_CLEAR_SIGHAND != 0 && has(CLONE_SIGHAND)
        || has(CLONE_SETTLS) && arguments.tls >= memory::USER_END as u64
        || arguments.exit_signal > 64;
    if contradicts || flags & !KNOWN != 0 { Err(Errno::EINVAL) } else { Ok(()) }
}

/// What a task needs of the kernel's own memory is not to come out of the reserve.
fn check_memory() -> Result<(), Errno> {
    if crate::shortage::has_room() { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Memory; RLIMIT_NPROC, which counts threads; the limit for all users together is looked at with the number.
fn check_limits(parent: &Task) -> Result<(), Errno> {
    check_memory()?;
    let credentials = parent.credentials();
    let limit = parent.limit(RLIMIT_NPROC);
    let count = tree::count_of_user(credentials.user.real);
    if count as u64 >= limit
        && credentials.user.real != 0
        && !credentials.has(Capabilities::SYS_RESOURCE)
        && !credentials.has(Capabilities::SYS_ADMIN)
    {
        return Err(Errno::EAGAIN);
    }
    Ok(())
}

fn files(parent: &Task, flags: u64) -> Result<Files, Errno> {
    let has = |flag: u32| flags & u64::from(flag) != 0;
    let table = parent.files.descriptors().ok_or(Errno::EBADF)?;
    let table = if has(CLONE_FILES) { table } else { Arc::new(table.fork()?) };
    let context = if has(CLONE_FS) {
        parent.files.shared_context()
    } else {
        Arc::new(SpinLock::new(Rank::TaskContext, parent.files.context()))
    };
    Ok(Files::new(table, Some(context)))
}

fn new_process(parent: &Task, pid: Pid, arguments: &CloneArguments) -> Result<Arc<Process>, Errno> {
    let has = |flag: u32| arguments.flags & u64::from(flag) != 0;
    let clear = arguments.flags & CLONE_CLEAR_SIGHAND != 0;
    let signals = GroupSignals::for_child(&parent.process.signals, has(CLONE_SIGHAND), clear);
    let of = &parent.process;
    let (exit_signal, made_under) = if has(CLONE_PARENT) {
        (of.exit_signal.load(Ordering::Relaxed), of.made_under.load(Ordering::Relaxed))
    } else {
        (arguments.exit_signal, of.executions.load(Ordering::Relaxed))
    };
    let limits = *parent.process.limits.lock();
    let process = Process::new(pid, exit_signal, signals, limits);
    process.made_under.store(made_under, Ordering::Relaxed);
    process.made_by.store(parent.tid(), Ordering::Relaxed);
    let inherit = |to: &AtomicI32, from: &AtomicI32| to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
    inherit(&process.oom_score_adjustment, &parent.process.oom_score_adjustment);
    inherit(&process.oom_score_least, &parent.process.oom_score_least);
    process.is_detached.store(parent.process.is_detached(), Ordering::Relaxed);
    let dumpable = parent.process.traits.dumpable.load(Ordering::Relaxed);
    process.traits.dumpable.store(dumpable, Ordering::Relaxed);
    Ok(Arc::new(process))
}

/// The kernel's side of a task that will begin with `registers`.
pub(crate) fn thread_for(
    task: &Arc<Task>,
    stack: KernelStack,
    registers: Box<UserContext>,
    user_state: arch::user_state::UserState,
    space: Arc<AddressSpace>,
) -> Arc<Thread> {
    let owner = task.clone();
    let mut thread = Thread::new(Box::new(stack), CONTEXT_SIZE, Box::new(move || life::main(owner, registers)));
    thread.set_user_state(user_state);
    thread.set_space(space.pages().table().clone());
    Arc::new(thread)
}

/// Makes the child known. A fork during a pending fatal signal is not begun: it would escape (ERESTARTNOINTR).
fn enter_tree(parent: &Task, child: &Arc<Task>, flags: u64, reserved: tree::ReservedPid) -> Result<(), Failure> {
    child.process.uid.store(child.credentials().user.real, Ordering::Relaxed);
    let mut tree = tree::lock();
    if parent.thread().is_some_and(|thread| thread.is_interrupted(sync::Sleep::Killable)) {
        return Err(Failure::Interrupted(Restart::Always));
    }
    if flags & u64::from(CLONE_THREAD) != 0 {
        child.process.live_threads.fetch_add(1, Ordering::AcqRel);
        child.process.unended_threads.fetch_add(1, Ordering::AcqRel);
        let stops = tree.add_thread(child, Some(parent.tid()));
        if let (true, Some(thread)) = (stops, child.thread()) {
            thread.add_work(sync::thread::work::SIGNAL);
        }
    } else {
        let of_parent = flags & u64::from(CLONE_PARENT) != 0;
        let above = if of_parent { parent.process.parent() } else { parent.process.pid };
        tree.add_process(&child.process, child, Some(above));
    }
    drop(tree);
    drop(reserved);
    Ok(())
}
