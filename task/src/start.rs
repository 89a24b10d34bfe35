//! PID 1: a task made by hand. It brings the rest of the kernel up, and executes the first program.
use crate::files::Files;
use crate::limits::Limits;
use crate::opened::OpenedExecutable;
use crate::process::Process;
use crate::signals::{GroupSignals, ThreadSignals};
use crate::task::{Parts, Task, name_from};
use crate::{execute, life, tree};
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use exec::{Arguments, StringTable};
use memory::KernelStack;
use sync::{Rank, SpinLock, Thread};
use trap::{CONTEXT_SIZE, UserContext};
use vfs::{Credentials, DescriptorTable, FsContext, Origin};

/// What PID 1 executes, and starts with.
pub struct Init {
    pub program: Program,
    pub context: Arc<FsContext>,
    pub descriptors: DescriptorTable,
    /// What PID 1 does before it executes anything.
    pub before: Option<fn()>,
    /// Called when all is there for its program's first instruction.
    pub ready: fn(),
}

/// The candidates for the first program, and what it is given.
pub struct Program {
    /// The program of the initramfs, tried first.
    pub first: Vec<u8>,
    /// What the user asked for by `init=`: it works, or the kernel panics.
    pub requested: Option<Vec<u8>>,
    /// Programs to try after these, in order.
    pub usual: Vec<Vec<u8>>,
    /// Arguments after the program's name.
    pub arguments: Vec<Vec<u8>>,
    pub environment: Vec<Vec<u8>>,
}

/// Makes PID 1, which calls `prepare` and executes the first of the candidates that can be. Where none can, the kernel panics as Linux does.
///
/// # Errors
/// ENOMEM.
pub fn start_init(prepare: impl FnOnce() -> Init + Send + 'static) -> Result<(), Errno> {
    let memory: usize = memory::statistics().iter().map(|zone| zone.managed).sum();
    // As many tasks as an eighth of memory holds stacks for, and half of them for one user (fork_init in Linux's kernel/fork.c).
    let most = (memory / 32).max(20);
    tree::set_most_tasks(most);
    let processes = most as u64 / 2;
    let process = Arc::new(Process::new(tree::INIT, 0, GroupSignals::initial(), Limits::initial(processes)));
    let task = Arc::new(Task::new(Parts {
        tid: tree::INIT,
        process: process.clone(),
        role: None,
        space: None,
        files: Files::new(Arc::new(DescriptorTable::new()), None),
        credentials: Arc::new(Credentials::root()),
        signals: ThreadSignals::initial(),
        name: name_from(b"swapper"),
        nice: 0,
        policy: sched::Policy::Normal,
        traits: crate::traits::ThreadTraits::initial(),
        image: None,
    }));
    let stack = KernelStack::new().ok_or(Errno::ENOMEM)?;
    let user_state = arch::user_state::UserState::new().ok_or(Errno::ENOMEM)?;
    let owner = task.clone();
    let prepare: Prepare = Box::new(prepare);
    let main = move || {
        life::main_with(owner, Box::default(), move |task, context| begin(task, context, prepare));
    };
    let mut thread = Thread::new(Box::new(stack), CONTEXT_SIZE, Box::new(main));
    thread.set_user_state(user_state);
    let thread = Arc::new(thread);
    task.attach_thread(thread.clone());
    tree::lock().add_process(&process, &task, None);
    scheduler::start(thread, sched::Nice::clamped(0), sched::Policy::Normal);
    Ok(())
}

type Prepare = Box<dyn FnOnce() -> Init + Send>;

/// What PID 1 does before it first enters user mode. Not inlined: the stack that start-up needs is to be free again afterwards.
#[inline(never)]
fn begin(task: &Task, context: &mut UserContext, prepare: Prepare) {
    let Init { program, context: folders, descriptors, before, ready } = prepare();
    // From here on there is somebody to end when memory runs out.
    memory::heap::set_relief(&crate::shortage::Killer);
    drop(task.files.set_descriptors(Some(Arc::new(descriptors))));
    task.files.set_shared_context(Arc::new(SpinLock::new(Rank::TaskContext, folders)));
    before.into_iter().for_each(|act| act());
    execute_first(task, context, &program);
    ready();
}

/// Linux's order and words (kernel_init).
fn execute_first(task: &Task, context: &mut UserContext, program: &Program) {
    match execute_one(task, context, &program.first, program) {
        Ok(()) => return,
        Err(error) => klog::error!("Failed to execute {} (error {})", text(&program.first), number(error)),
    }
    if let Some(path) = &program.requested {
        match execute_one(task, context, path, program) {
            Ok(()) => return,
            Err(error) => panic!("Requested init {} failed (error {}).", text(path), number(error)),
        }
    }
    for path in &program.usual {
        match execute_one(task, context, path, program) {
            Ok(()) => return,
            Err(crate::Failure::Errno(Errno::ENOENT)) => {}
            Err(error) => {
                klog::error!("Starting init: {} exists but couldn't execute it (error {})", text(path), number(error))
            }
        }
    }
    panic!("No working init found.  Try passing init= option to kernel.");
}

fn text(path: &[u8]) -> &str {
    core::str::from_utf8(path).unwrap_or("?")
}

fn number(failure: crate::Failure) -> i32 {
    match failure {
        crate::Failure::Errno(errno) => -i32::from(errno.number()),
        _ => 0,
    }
}

fn execute_one(task: &Task, context: &mut UserContext, path: &[u8], program: &Program) -> Result<(), crate::Failure> {
    let mut arguments = Arguments::new(u64::MAX, program.arguments.len() + 1, program.environment.len(), path)?;
    arguments.push(StringTable::Arguments, path)?;
    for argument in &program.arguments {
        arguments.push(StringTable::Arguments, argument)?;
    }
    for variable in &program.environment {
        arguments.push(StringTable::Environment, variable)?;
    }
    let context_of_files = task.files.context();
    let credentials = task.credentials();
    let origin = Origin { context: &context_of_files, credentials: &credentials, start: None };
    execute::execute_path(task, context, &origin, path, OpenedExecutable::open(&origin, path)?, arguments)?;
    klog::info!("Run {} as init process", text(path));
    Ok(())
}
