//! Threads of the kernel's own: tasks with numbers, children of `kthreadd`.
//!
//! **Problem.** What the kernel does in threads of its own should be seen, counted and reported like everything else that runs (`ps`,
//! /proc, panics), and inherit nothing from whoever happened to want it done: neither nice value nor affinity, neither folder nor limits.
//!
//! **Model.** Lower floors know a [`Thread`] and no more. Here it becomes a task: its process has no memory and ignores every signal,
//! SIGKILL too, so that nothing that is sent to it, or to all, ends it or its sleeps. Descriptors (none) and folders are shared by all of them.
//! PID 2, `kthreadd`, *makes* the others: whoever wants one leaves a request and waits. Its children that end go at once, as those of
//! any process that ignores SIGCHLD, and their numbers are free.
//!
//! **Numbers** 1 and 2 are not given by [`tree::ReservedPid`]: they are PID 1's and `kthreadd`'s, whatever starts first and on however many CPUs.
//!
//! **Locks.** The list of requests takes nothing under its lock.
use crate::exit;
use crate::files::{Files, SharedContext};
use crate::limits::Limits;
use crate::process::Process;
use crate::signals::{GroupSignals, ThreadSignals};
use crate::task::{Completion, NAME_LENGTH, Parts, Task, name_from};
use crate::traits::ThreadTraits;
use crate::tree::{self, KTHREADD, Pid};
use abi::Errno;
use abi::raw::general::SIGCHLD;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::Ordering;
use memory::KernelStack;
use sync::{Once, Rank, Sleep, SpinLock, Thread, WaitQueue};
use vfs::{Credentials, DescriptorTable, FsContext};

/// Where a thread of the kernel's runs, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Anywhere, unless sched_setaffinity(2) says otherwise.
    Free,
    /// On this CPU for ever.
    Bound(usize),
    /// It serves a workqueue: one of this CPU's, or of all. Nobody moves it.
    Worker(Option<usize>),
}

impl Role {
    /// The one CPU that it runs on, where there is one.
    fn cpu(self) -> Option<usize> {
        match self {
            Self::Free => None,
            Self::Bound(cpu) => Some(cpu),
            Self::Worker(cpu) => cpu,
        }
    }
}

/// What a thread will run.
type Main = Box<dyn FnOnce() + Send>;

/// A thread that somebody waits for.
struct Request {
    name: [u8; NAME_LENGTH],
    role: Role,
    main: Main,
    answer: Arc<Answer>,
    next: Option<Box<Self>>,
}

#[derive(Default)]
struct Answer {
    thread: Once<Option<Arc<Thread>>>,
    done: Completion,
}

/// What nobody has taken up yet, the newest first.
static REQUESTS: SpinLock<Option<Box<Request>>> = SpinLock::new(Rank::Leaf, None);
static ASKED: WaitQueue = WaitQueue::new();

/// What all threads of the kernel's share.
struct Shared {
    descriptors: Arc<DescriptorTable>,
    context: SharedContext,
}

static SHARED: Once<Shared> = Once::new();

/// Starts `kthreadd`; threads of the kernel's stand in `context`. Once, before the first [`spawn`].
///
/// # Errors
/// ENOMEM.
pub fn start(context: Arc<FsContext>) -> Result<(), Errno> {
    let context = Arc::new(SpinLock::new(Rank::TaskContext, context));
    let _ = SHARED.set(Shared { descriptors: Arc::new(DescriptorTable::new()), context });
    let name = name_from(b"kthreadd");
    make(KTHREADD, None, name, Role::Free, Box::new(|| make_threads())).map(drop).ok_or(Errno::ENOMEM)
}

/// A thread of the kernel's that runs `main`, and ends with it. May sleep. `None` without memory, or without a number for it.
#[must_use]
pub fn spawn(name: fmt::Arguments<'_>, role: Role, main: impl FnOnce() + Send + 'static) -> Option<Arc<Thread>> {
    SHARED.get()?;
    let answer = Arc::new(Answer::default());
    let mut request =
        Box::new(Request { name: text(name), role, main: Box::new(main), answer: answer.clone(), next: None });
    {
        let mut first = REQUESTS.lock();
        request.next = first.take();
        *first = Some(request);
    }
    ASKED.wake_all();
    answer.done.wait();
    answer.thread.get().cloned().flatten()
}

/// `kthreadd`'s life.
fn make_threads() -> ! {
    loop {
        let Ok(newest) = ASKED.wait(Sleep::Interruptible, None, || REQUESTS.lock().take()) else { continue };
        let mut next = in_order(newest);
        while let Some(request) = next {
            let Request { name, role, main, answer, next: after } = *request;
            next = after;
            let reserved = tree::ReservedPid::new().ok();
            let made = reserved.and_then(|reserved| make(reserved.pid, Some(KTHREADD), name, role, main));
            let _ = answer.thread.set(made);
            answer.done.complete();
        }
    }
}

/// A list the other way round: who asked first is served first.
fn in_order(newest: Box<Request>) -> Option<Box<Request>> {
    let (mut ordered, mut rest) = (None, Some(newest));
    while let Some(mut request) = rest {
        rest = request.next.take();
        request.next = ordered;
        ordered = Some(request);
    }
    ordered
}

/// Makes a task and starts its thread; `parent` is `kthreadd`, or nobody.
fn make(pid: Pid, parent: Option<Pid>, name: [u8; NAME_LENGTH], role: Role, main: Main) -> Option<Arc<Thread>> {
    let shared = SHARED.get()?;
    let stack = KernelStack::new()?;
    let exit_signal = if parent.is_some() { SIGCHLD } else { 0 };
    let limits = Limits::initial(tree::most_tasks() as u64 / 2);
    let process = Arc::new(Process::new(pid, exit_signal, GroupSignals::of_kernel_thread(), limits));
    process.made_by.store(parent.unwrap_or(0), Ordering::Relaxed);
    let task = Arc::new(Task::new(Parts {
        tid: pid,
        process: process.clone(),
        role: Some(role),
        space: None,
        files: Files::new(shared.descriptors.clone(), Some(shared.context.clone())),
        credentials: Arc::new(Credentials::root()),
        signals: ThreadSignals::initial(),
        name,
        nice: 0,
        policy: sched::Policy::Normal,
        traits: ThreadTraits::initial(),
        image: None,
    }));
    let owner = task.clone();
    let life = move || {
        Thread::scope_local(&*owner.clone(), main);
        exit::finish(owner);
    };
    let thread = Arc::new(Thread::new(Box::new(stack), 0, Box::new(life)));
    if let Some(cpu) = role.cpu() {
        thread.affinity.set(scheduler::cpu_count(), |other| other == cpu);
    }
    task.attach_thread(thread.clone());
    tree::lock().add_process(&process, &task, parent);
    scheduler::start(thread.clone(), sched::Nice::clamped(0), sched::Policy::Normal);
    Some(thread)
}

/// A name, cut to what fits.
fn text(name: fmt::Arguments<'_>) -> [u8; NAME_LENGTH] {
    struct Cut {
        bytes: [u8; NAME_LENGTH],
        length: usize,
    }
    impl fmt::Write for Cut {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for &byte in text.as_bytes().iter().take(NAME_LENGTH - 1 - self.length) {
                self.bytes[self.length] = byte;
                self.length += 1;
            }
            Ok(())
        }
    }
    let mut cut = Cut { bytes: [0; NAME_LENGTH], length: 0 };
    let _ = fmt::write(&mut cut, name);
    cut.bytes
}
