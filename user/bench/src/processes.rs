//! Processes and threads: starting them and waiting for their end.

use crate::system::{c, check, repeat, wait};
use crate::{Batch, Errno, Operation};
use std::ffi::CString;
use std::ptr::{null, null_mut};

pub const OPERATIONS: &[Operation] = &[
    Operation { name: "fork_exit", sizes: &[], most: u64::MAX, prepare: fork_exit },
    Operation { name: "fork_exec", sizes: &[], most: u64::MAX, prepare: fork_exec },
    Operation { name: "posix_spawn", sizes: &[], most: u64::MAX, prepare: spawn },
    Operation { name: "sh_c", sizes: &[], most: u64::MAX, prepare: shell },
    Operation { name: "thread_create", sizes: &[], most: u64::MAX, prepare: thread },
];

/// This program, which ends at once when told so.
const SELF: &str = "/proc/self/exe";

fn program() -> Result<CString, Errno> {
    // Without /proc, where the tool puts it.
    std::fs::read_link(SELF)
        .ok()
        .and_then(|path| path.to_str().map(str::to_owned))
        .map_or_else(|| c("/tests/guest-bench"), |path| c(&path))
}

fn ended_well(child: i32) -> Result<(), Errno> {
    if wait(child)? == 0 { Ok(()) } else { Err(Errno(libc::ENOEXEC)) }
}

fn fork_exit(_: u64) -> Result<Batch, Errno> {
    repeat(|| {
        let child = check(unsafe { libc::fork() })?;
        if child == 0 {
            unsafe { libc::_exit(0) };
        }
        ended_well(child)
    })
}

fn execute(program: CString, arguments: Vec<CString>) -> Result<Batch, Errno> {
    repeat(move || {
        let mut pointers = [null(); 4];
        for (pointer, argument) in pointers.iter_mut().zip(&arguments) {
            *pointer = argument.as_ptr();
        }
        let child = check(unsafe { libc::fork() })?;
        if child == 0 {
            unsafe { libc::execve(program.as_ptr(), pointers.as_ptr(), [null(); 1].as_ptr()) };
            unsafe { libc::_exit(127) };
        }
        ended_well(child)
    })
}

fn fork_exec(_: u64) -> Result<Batch, Errno> {
    execute(program()?, vec![program()?, c("exit")?])
}

fn shell(_: u64) -> Result<Batch, Errno> {
    execute(c("/bin/sh")?, vec![c("sh")?, c("-c")?, c("exit 0")?])
}

fn spawn(_: u64) -> Result<Batch, Errno> {
    let (program, word) = (program()?, c("exit")?);
    repeat(move || {
        let arguments = [program.as_ptr().cast_mut(), word.as_ptr().cast_mut(), null_mut()];
        let mut child = 0;
        let environment = [null_mut(); 1];
        let error = unsafe {
            libc::posix_spawn(&mut child, program.as_ptr(), null(), null(), arguments.as_ptr(), environment.as_ptr())
        };
        if error == 0 { ended_well(child) } else { Err(Errno(error)) }
    })
}

extern "C" fn nothing(_: *mut libc::c_void) -> *mut libc::c_void {
    null_mut()
}

fn thread(_: u64) -> Result<Batch, Errno> {
    repeat(|| unsafe {
        let mut thread = 0;
        match libc::pthread_create(&mut thread, null(), nothing, null_mut()) {
            0 => libc::pthread_join(thread, null_mut()),
            error => return Err(Errno(error)),
        };
        Ok(())
    })
}
