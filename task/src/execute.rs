//! execve(2): the same process, another program.
use crate::exit;
use crate::image::{self, Executable, Wish, limits_of};
use crate::opened::OpenedExecutable;
use crate::signals;
use crate::task::Task;
use crate::{Failure, Restart};
use abi::Errno;
use abi::raw::general::SIGCHLD;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use exec::{Arguments, MAX_DEPTH, Program, Role, parse_script};
use sync::{Sleep, Thread};
use trap::UserContext;
use vfs::{Credentials, Origin};

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

/// Executes an opened file for `task`: credentials by its set-ID bits, scripts and interpreters opened from `origin`.
pub fn execute_path(
    task: &Task,
    context: &mut UserContext,
    origin: &Origin<'_>,
    path: &[u8],
    file: Arc<OpenedExecutable>,
    arguments: Arguments,
) -> Result<(), Failure> {
    let gains = !task.traits.no_new_privileges.load(Ordering::Relaxed);
    let (credentials, secure) = file.credentials(&task.credentials(), gains);
    let open = |path: &[u8]| OpenedExecutable::open(origin, path).map(|file| file as Arc<dyn Executable>);
    execute(task, context, Request { path, file, open: &open, arguments, credentials, secure })
}

/// SECBIT_KEEP_CAPS, which an exec takes off.
const KEEP_CAPABILITIES: u32 = 1 << 4;

/// Credentials after an exec of a file that sets `user` or `group` (capabilities(7), "Transformation of capabilities during
/// execve"): root gets all capabilities, others keep the ambient ones.
pub fn credentials_after(old: &Arc<Credentials>, user: Option<u32>, group: Option<u32>) -> (Arc<Credentials>, bool) {
    let mut new = (**old).clone();
    if let Some(user) = user {
        new.user.effective = user;
    }
    if let Some(group) = group {
        new.group.effective = group;
    }
    (new.user.saved, new.user.file_system) = (new.user.effective, new.user.effective);
    (new.group.saved, new.group.file_system) = (new.group.effective, new.group.effective);
    let root = new.user.real == 0 || new.user.effective == 0;
    new.secure_bits &= !KEEP_CAPABILITIES;
    new.permitted = if root { new.bounding | new.inheritable } else { new.ambient };
    new.effective = if new.user.effective == 0 { new.permitted } else { new.ambient };
    let secure = new.user.effective != new.user.real || new.group.effective != new.group.real;
    (Arc::new(new), secure)
}

static RANDOMISE: AtomicBool = AtomicBool::new(true);

/// `norandmaps`: programs get the same addresses each time.
pub fn set_randomise(on: bool) {
    RANDOMISE.store(on, Ordering::Relaxed);
}

/// Whether programs get different addresses each time.
pub fn randomises() -> bool {
    RANDOMISE.load(Ordering::Relaxed)
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
        entropy: (randomises() && task.traits.allows_random_addresses(secure)).then(crate::random::words),
        random,
        secure,
    })?;
    become_alone(task)?;
    // The point of no return: from here on nothing fails.
    let name = script_path.rsplit(|&byte| byte == b'/').next().unwrap_or(&script_path);
    let shown = path.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
    task.set_name(shown);
    release_old(task);
    task.process.executions.fetch_add(1, Ordering::Relaxed);
    task.process.traits.reset_for_exec(secure);
    task.process.exit_signal.store(SIGCHLD, Ordering::Relaxed);
    signals::reset_for_exec(task);
    crate::clock_timers::end_for_exec(&task.process);
    task.set_credentials(credentials);
    task.set_exec_image(crate::task::ExecImage {
        stack: loaded.stack,
        auxiliary_vector: loaded.auxiliary_vector,
        code: loaded.code,
        data: loaded.data,
        file: file.opened(),
    });
    let left = task.set_space(Some(loaded.space));
    exit::note_resident_peak(task, left.as_deref());
    drop(left);
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
        let alone = task
            .process
            .threads_changed
            .wait(Sleep::Killable, None, || (task.process.thread_count() == 1).then_some(()));
        task.process.signals.lock().end_exec();
        if alone.is_err() {
            return Err(Failure::Interrupted(Restart::Always));
        }
        let old = crate::tree::lock().set_leader(task);
        drop(old);
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
