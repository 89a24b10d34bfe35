//! Processes that an experiment starts.

use crate::Trouble;
use measure::system::{check, pipe};

/// A process that runs `body` and exits with its answer.
pub fn fork(body: impl FnOnce() -> i32) -> Result<i32, Trouble> {
    let process = check(unsafe { libc::fork() })?;
    if process == 0 {
        let status = body();
        unsafe { libc::_exit(status) };
    }
    Ok(process)
}

/// Waits for a process's end: `exit 3`, `SIGSEGV`.
pub fn ended(process: i32) -> Result<String, Trouble> {
    let status = measure::system::wait(process)?;
    Ok(if libc::WIFSIGNALED(status) {
        signal_name(libc::WTERMSIG(status))
    } else {
        format!("exit {}", libc::WEXITSTATUS(status))
    })
}

/// Runs `body` in a process of its own; what it answered, if it came to its end.
pub fn run_in_child<T: Copy>(body: impl FnOnce() -> T) -> Result<Option<T>, Trouble> {
    let (source, sink) = pipe()?;
    let process = fork(|| {
        let answer = body();
        let length = size_of::<T>();
        let written = unsafe { libc::write(sink, (&raw const answer).cast(), length) };
        i32::from(written != length as isize)
    })?;
    unsafe { libc::close(sink) };
    let mut answer = std::mem::MaybeUninit::<T>::uninit();
    let length = unsafe { libc::read(source, answer.as_mut_ptr().cast(), size_of::<T>()) };
    unsafe { libc::close(source) };
    measure::system::wait(process)?;
    // The other side is this program, and wrote a whole T.
    Ok((length == size_of::<T>() as isize).then(|| unsafe { answer.assume_init() }))
}

/// A signal's name.
pub fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGCHLD => "SIGCHLD",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGSYS => "SIGSYS",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}
