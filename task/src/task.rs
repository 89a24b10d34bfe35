//! A task: one thread of a program, as the kernel sees it.
use crate::files::Files;
use crate::kernel_threads::Role;
use crate::priority::SharedPolicy;
use crate::process::Process;
use crate::signals::ThreadSignals;
use crate::traits::ThreadTraits;
use crate::tree::Pid;
use abi::Errno;
use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use platform::AddressSpace;
use sync::{Once, Rank, SpinLock, Thread, WaitQueue};
use time::accounting::Reported;
use vfs::Credentials;

/// Longest name of a thread, with its NUL (`TASK_COMM_LEN`).
pub const NAME_LENGTH: usize = 16;

/// One thread of a process. What threads may or may not share (memory, descriptors, folders) hangs below it in counted
/// pointers; each is replaced by the task itself, and read by others (for /proc) through the lock around it.
pub struct Task {
    tid: AtomicU32,
    pub process: Arc<Process>,
    /// What it is for, if it is a thread of the kernel's own.
    pub role: Option<Role>,
    thread: Once<Arc<Thread>>,
    space: SpinLock<Option<Arc<AddressSpace>>>,
    pub files: Files,
    credentials: SpinLock<Arc<Credentials>>,
    pub(crate) signals: ThreadSignals,
    name: SpinLock<[u8; NAME_LENGTH]>,
    /// Where to write zero and wake a futex at the end (set_tid_address(2)).
    pub clear_child_tid: AtomicUsize,
    /// Head of the list of robust futexes (get_robust_list(2)).
    pub robust_list: AtomicUsize,
    /// For set_tid of CLONE_CHILD_SETTID, written by the child itself.
    pub(crate) set_child_tid: AtomicUsize,
    pub nice: AtomicI32,
    pub policy: SharedPolicy,
    pub traits: ThreadTraits,
    /// Told when a vfork's child is done with its parent's memory.
    pub(crate) vfork_done: SpinLock<Option<Arc<Completion>>>,
    /// Processor time as it was last told, which never goes back.
    reported: SpinLock<Reported>,
    pub minor_faults: AtomicU64,
    pub major_faults: AtomicU64,
    pub(crate) restart: SpinLock<Option<RestartBlock>>,
    image: SpinLock<Option<Arc<ExecImage>>>,
    /// It has left the tree, and only /proc sees it until its process has been waited for.
    ended: AtomicBool,
    /// When it began, in nanoseconds since boot.
    pub started: u64,
}

/// What the last exec left to look at: for /proc/PID/{cmdline,environ,auxv,exe}.
pub struct ExecImage {
    pub stack: exec::StackLayout,
    pub auxiliary_vector: alloc::vec::Vec<u64>,
    /// Code and initialised data.
    pub code: Range<u64>,
    pub data: Range<u64>,
    pub file: Arc<vfs::ExecutedFile>,
}

/// What restart_syscall(2) goes on with.
pub type RestartBlock = alloc::boxed::Box<dyn FnOnce(&Task) -> crate::Answer + Send>;

/// A one-shot event (include/linux/completion.h).
#[derive(Debug, Default)]
pub(crate) struct Completion {
    done: core::sync::atomic::AtomicBool,
    waiters: WaitQueue,
}

impl Completion {
    pub fn complete(&self) {
        self.done.store(true, Ordering::Release);
        self.waiters.wake_all();
    }

    /// Waits for it, whatever signals come.
    pub fn wait(&self) {
        self.waiters.wait_until(|| self.done.load(Ordering::Acquire));
    }

    /// Waits for it; false where a fatal signal came first.
    pub fn wait_killable(&self) -> bool {
        self.waiters.wait(sync::Sleep::Killable, None, || self.done.load(Ordering::Acquire).then_some(())).is_ok()
    }
}

/// What a new task starts with.
pub(crate) struct Parts {
    pub tid: Pid,
    pub process: Arc<Process>,
    pub role: Option<Role>,
    pub space: Option<Arc<AddressSpace>>,
    pub files: Files,
    pub credentials: Arc<Credentials>,
    pub signals: ThreadSignals,
    pub name: [u8; NAME_LENGTH],
    pub nice: i32,
    pub policy: sched::Policy,
    pub traits: ThreadTraits,
    pub image: Option<Arc<ExecImage>>,
}

impl Task {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            tid: AtomicU32::new(parts.tid),
            process: parts.process,
            role: parts.role,
            thread: Once::new(),
            space: SpinLock::new(Rank::TaskFields, parts.space),
            files: parts.files,
            credentials: SpinLock::new(Rank::TaskFields, parts.credentials),
            signals: parts.signals,
            name: SpinLock::new(Rank::Leaf, parts.name),
            clear_child_tid: AtomicUsize::new(0),
            robust_list: AtomicUsize::new(0),
            set_child_tid: AtomicUsize::new(0),
            nice: AtomicI32::new(parts.nice),
            policy: SharedPolicy::new(parts.policy),
            traits: parts.traits,
            vfork_done: SpinLock::new(Rank::TaskFields, None),
            reported: SpinLock::new(Rank::Leaf, Reported::default()),
            minor_faults: AtomicU64::new(0),
            major_faults: AtomicU64::new(0),
            restart: SpinLock::new(Rank::TaskFields, None),
            image: SpinLock::new(Rank::TaskFields, parts.image),
            ended: AtomicBool::new(false),
            started: sync::now(),
        }
    }

    /// Whether it is a thread of the kernel's own, which runs no program.
    pub fn is_kernel_thread(&self) -> bool {
        self.role.is_some()
    }

    /// Whether it may be told where to run: the kernel has reasons to keep some threads of its own where they are.
    pub fn may_be_moved(&self) -> bool {
        matches!(self.role, None | Some(Role::Free))
    }

    /// Whether it counts as stopped by job control.
    pub fn is_stopped(&self) -> bool {
        self.process.signals.lock().is_thread_stopped(self.tid())
    }

    /// Its number. It changes once at most: an exec by a thread other than the first gives it the process's.
    #[inline]
    pub fn tid(&self) -> Pid {
        self.tid.load(Ordering::Relaxed)
    }

    /// With the tree locked.
    pub(crate) fn set_tid(&self, tid: Pid) {
        self.tid.store(tid, Ordering::Relaxed);
        if let Some(thread) = self.thread() {
            thread.label.set_number(tid);
        }
    }

    pub(crate) fn attach_thread(&self, thread: Arc<Thread>) {
        thread.label.set_number(self.tid());
        thread.label.set_name(&self.name());
        let set = self.thread.set(thread);
        debug_assert!(set.is_ok(), "a task has one thread");
    }

    /// Its thread; `None` while it is being made.
    pub fn thread(&self) -> Option<&Arc<Thread>> {
        self.thread.get()
    }

    /// Its memory; `None` once it has ended.
    #[inline]
    pub fn space(&self) -> Option<Arc<AddressSpace>> {
        self.space.lock().clone()
    }

    /// Its memory, for calls that need it. A task that makes one has some.
    #[inline]
    pub fn memory(&self) -> Result<Arc<AddressSpace>, Errno> {
        self.space().ok_or(Errno::EFAULT)
    }

    /// Replaces its memory. By the task itself.
    pub(crate) fn set_space(&self, space: Option<Arc<AddressSpace>>) -> Option<Arc<AddressSpace>> {
        let cpu_side = space.as_ref().map(|space| space.pages().table().clone() as Arc<dyn sync::thread::Space>);
        let old = core::mem::replace(&mut *self.space.lock(), space);
        Thread::change_space(cpu_side);
        old
    }

    pub fn credentials(&self) -> Arc<Credentials> {
        self.credentials.lock().clone()
    }

    /// The real user, without taking hold of the rest.
    pub fn real_user(&self) -> u32 {
        self.credentials.lock().user.real
    }

    pub fn set_credentials(&self, credentials: Arc<Credentials>) {
        let old = core::mem::replace(&mut *self.credentials.lock(), credentials);
        drop(old);
    }

    /// The name, without NULs at its end (prctl(2), PR_GET_NAME).
    pub fn name(&self) -> [u8; NAME_LENGTH] {
        *self.name.lock()
    }

    /// The name, for reports that must not wait; `None` while it is being changed.
    pub fn try_name(&self) -> Option<[u8; NAME_LENGTH]> {
        self.name.try_lock().map(|name| *name)
    }

    /// Sets the name from up to 15 bytes.
    pub fn set_name(&self, name: &[u8]) {
        let name = name_from(name);
        *self.name.lock() = name;
        if let Some(thread) = self.thread() {
            thread.label.set_name(&name);
        }
    }

    /// What the last exec left to look at.
    pub fn exec_image(&self) -> Option<Arc<ExecImage>> {
        self.image.lock().clone()
    }

    pub(crate) fn set_exec_image(&self, image: ExecImage) {
        let old = self.image.lock().replace(Arc::new(image));
        drop(old);
    }

    pub(crate) fn release_exec_image(&self) {
        let old = self.image.lock().take();
        drop(old);
    }

    /// Whether its end is behind it.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub(crate) fn set_ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether other tasks use its memory.
    pub(crate) fn shares_memory(&self) -> bool {
        self.space.lock().as_ref().is_some_and(|space| Arc::strong_count(space) > 1)
    }

    /// Nanoseconds in user and in kernel mode: the scheduler's exact sum, split as the tick's samples say.
    pub fn processor_time(&self) -> (u64, u64) {
        let Some(thread) = self.thread() else { return (0, 0) };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        if self.is_kernel_thread() {
            return (0, read(&thread.run_time));
        }
        let (user, system) = (read(&thread.sampled_user), read(&thread.sampled_system));
        self.reported.lock().split(user, system, read(&thread.run_time))
    }

    /// What a new task does before it first enters user mode.
    pub(crate) fn begin(&self) {
        let address = self.set_child_tid.swap(0, Ordering::Relaxed);
        if address != 0 {
            let _ = memory::UserPtr::<u32>::new(address).write(&self.tid());
        }
    }

    /// A soft limit of its process.
    pub fn limit(&self, which: u32) -> u64 {
        self.process.limits.lock().soft(which)
    }

    /// Keeps what restart_syscall(2) is to do.
    pub fn set_restart(&self, restart: RestartBlock) {
        let old = self.restart.lock().replace(restart);
        drop(old);
    }

    /// Takes it back.
    pub fn take_restart(&self) -> Option<RestartBlock> {
        self.restart.lock().take()
    }
}

/// A name cut to what fits.
pub(crate) fn name_from(name: &[u8]) -> [u8; NAME_LENGTH] {
    let mut cut = [0; NAME_LENGTH];
    let length = name.iter().position(|&byte| byte == 0).unwrap_or(name.len()).min(NAME_LENGTH - 1);
    cut[..length].copy_from_slice(&name[..length]);
    cut
}

impl core::fmt::Debug for Task {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "task {} of process {}", self.tid(), self.process.pid)
    }
}
