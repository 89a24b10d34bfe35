//! PID 1.
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

/// What PID 1 starts with.
pub struct Init {
    /// Programs to try, in order.
    pub candidates: Vec<Vec<u8>>,
    /// Arguments after the program's name.
    pub arguments: Vec<Vec<u8>>,
    pub environment: Vec<Vec<u8>>,
    pub context: Arc<FsContext>,
    pub descriptors: DescriptorTable,
}

/// Makes PID 1, which executes the first of the candidates that can be. Where none can, the kernel panics as Linux does.
///
/// # Errors
/// ENOMEM.
pub fn start_init(init: Init) -> Result<(), Errno> {
    let reserved = tree::ReservedPid::new()?;
    assert!(reserved.pid == tree::INIT, "the first process is PID 1");
    let memory: usize = memory::statistics().iter().map(|zone| zone.managed).sum();
    // As many tasks as an eighth of memory holds stacks for, of which a user may have half (fork_init).
    let most = (memory / 32).max(128);
    tree::set_most_tasks(most);
    let processes = most as u64 / 2;
    let process = Arc::new(Process::new(reserved.pid, 0, GroupSignals::initial(), Limits::initial(processes)));
    let context = SpinLock::new(Rank::TaskContext, init.context.clone());
    let task = Arc::new(Task::new(Parts {
        tid: reserved.pid,
        process: process.clone(),
        space: None,
        files: Files::new(Arc::new(DescriptorTable::new()), Arc::new(context)),
        credentials: Arc::new(Credentials::root()),
        signals: ThreadSignals::initial(),
        name: name_from(b"swapper"),
        nice: 0,
        image: None,
    }));
    let stack = KernelStack::new().ok_or(Errno::ENOMEM)?;
    let user_state = arch::user_state::UserState::new().ok_or(Errno::ENOMEM)?;
    let owner = task.clone();
    let main = move || {
        drop(owner.files.set_descriptors(Some(Arc::new(init.descriptors))));
        let program = Program { candidates: init.candidates, arguments: init.arguments, environment: init.environment };
        life::main_with(owner, Box::default(), move |task, context| execute_first(task, context, &program));
    };
    let mut thread = Thread::new(Box::new(stack), CONTEXT_SIZE, Box::new(main));
    thread.set_user_state(user_state);
    let thread = Arc::new(thread);
    task.attach_thread(thread.clone());
    tree::lock().add_process(&process, &task, None);
    drop(reserved);
    scheduler::start(thread, sched::Nice::clamped(0), sched::Policy::Normal).ok_or(Errno::ENOMEM)
}

struct Program {
    candidates: Vec<Vec<u8>>,
    arguments: Vec<Vec<u8>>,
    environment: Vec<Vec<u8>>,
}

fn execute_first(task: &Task, context: &mut UserContext, program: &Program) {
    for path in &program.candidates {
        match execute_one(task, context, path, program) {
            Ok(()) => {
                klog::info!("Run {} as init process", core::str::from_utf8(path).unwrap_or("?"));
                return;
            }
            Err(crate::Failure::Errno(Errno::ENOENT)) => {}
            Err(error) => klog::error!(
                "Starting init: {} exists but couldn't execute it ({error:?})",
                core::str::from_utf8(path).unwrap_or("?")
            ),
        }
    }
    panic!("No working init found.  Try passing init= option to kernel.");
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
    execute::execute_path(task, context, &origin, path, OpenedExecutable::open(&origin, path)?, arguments)
}
