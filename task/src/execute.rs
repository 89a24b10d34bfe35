//! execve(2): the same process, another program.
use crate::exit;
use crate::image::{self, Executable, Wish, limits_of};
use crate::signals;
use crate::task::Task;
use crate::{Failure, Restart};
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use exec::{Arguments, MAX_DEPTH, Program, Role, parse_script};
use sync::{Sleep, Thread};
use trap::UserContext;
use vfs::Credentials;

/// Opens a file for execution by its path: follows links, checks rights, refuses what is no regular file.
pub type Open<'a> = &'a dyn Fn(&[u8]) -> Result<Arc<dyn Executable>, Errno>;

/// What execve(2) was asked for.
pub struct Request<'a> {
    /// The path as it was given; what scripts and AT_EXECFN see.
    pub path: &'a [u8],
    pub file: Arc<dyn Executable>,
    pub open: Open<'a>,
    pub arguments: Arguments,
    /// The credentials that the program will have.
    pub credentials: Arc<Credentials>,
    pub secure: bool,
}

static RANDOMISE: AtomicBool = AtomicBool::new(true);

/// `norandmaps`: programs get the same addresses each time.
pub fn set_randomise(on: bool) {
    RANDOMISE.store(on, Ordering::Relaxed);
}

/// Replaces the program of `task`, which is in a system call with `context`. On success the registers are the new program's.
///
/// # Errors
/// As execve(2); the old program goes on. ELOOP beyond five scripts.
pub fn execute(task: &Task, context: &mut UserContext, request: Request<'_>) -> Result<(), Failure> {
    let Request { path, mut file, open, mut arguments, credentials, secure } = request;
    let mut head = image::read_head(&*file)?;
    let mut script_path: Vec<u8> = path.to_vec();
    let mut depth = 0;
    while head.starts_with(b"#!") {
        if depth == MAX_DEPTH {
            return Err(Errno::ELOOP.into());
        }
        depth += 1;
        let script = parse_script(&head)?;
        arguments.interpret(&script, &script_path)?;
        script_path = script.interpreter.to_vec();
        file = open(&script_path)?;
        head = image::read_head(&*file)?;
    }
    let program = Program::parse(&*file, &head, Role::Program)?;
    let interpreter = match &program.interpreter {
        None => None,
        Some(path) => {
            let file = open(path)?;
            let head = image::read_head(&*file)?;
            Some((Program::parse(&*file, &head, Role::Interpreter)?, file))
        }
    };
    let mut random = [0; 16];
    crate::random::fill(&mut random);
    let loaded = image::load(&Wish {
        program: &program,
        file: &*file,
        interpreter: interpreter.as_ref().map(|(program, file)| (program, &**file)),
        arguments: &arguments,
        credentials: &credentials,
        limits: limits_of(task),
        entropy: RANDOMISE.load(Ordering::Relaxed).then(crate::random::words),
        random,
        secure,
    })?;
    become_alone(task)?;
    // The point of no return: from here on nothing fails.
    let name = script_path.rsplit(|&byte| byte == b'/').next().unwrap_or(&script_path);
    let shown = path.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
    task.set_name(shown);
    release_old(task);
    task.process.has_executed.store(1, Ordering::Relaxed);
    signals::reset_for_exec(task);
    task.set_credentials(credentials);
    task.set_exec_image(crate::task::ExecImage { stack: loaded.stack, auxiliary_vector: loaded.auxiliary_vector, file: file.mapped() });
    drop(task.set_space(Some(loaded.space)));
    if let Some(parent) = task.vfork_done.lock().take() {
        parent.complete();
    }
    Thread::with_user_state(|state| state.reset());
    context.replace(&UserContext::new(loaded.entry, loaded.stack.stack_pointer));
    Ok(())
}

/// Ends the other threads and waits until they are gone. Interrupted where this thread itself is to end.
fn become_alone(task: &Task) -> Result<(), Failure> {
    if task.process.thread_count() > 1 {
        if !task.process.signals.lock().begin_exec() {
            return Err(Failure::Interrupted(Restart::Always));
        }
        exit::kill_other_threads(task);
        let alone = task.process.threads_changed.wait(Sleep::Killable, None, || (task.process.thread_count() == 1).then_some(()));
        task.process.signals.lock().end_exec();
        if alone.is_err() {
            return Err(Failure::Interrupted(Restart::Always));
        }
        // A thread other than the first keeps its own number here; Linux gives it the process's.
        crate::stub("exec by a thread that is not the first: its number");
    }
    Ok(())
}

/// Lets go of what the old program leaves: futex words, close-on-exec descriptors, sharing of the table.
fn release_old(task: &Task) {
    crate::futexes::exit_robust_list(task);
    task.robust_list.store(0, Ordering::Relaxed);
    task.clear_child_tid.store(0, Ordering::Relaxed);
    task.files.prepare_for_exec();
}
