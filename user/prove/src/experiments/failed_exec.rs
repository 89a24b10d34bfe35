//! exec before the point of no return.

use crate::experiment::Linux;
use crate::observe::fork;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{check, last_error, wait};
use std::ffi::CStr;
use std::ptr::null;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Processes,
    claim: "An exec that fails leaves its caller as it was; one that succeeds does not return.",
    experiment: "A process executes a path that there is not, a folder, a file that is no program, and an ELF file cut short; after each it looks at its memory and \
        at a descriptor that is to be closed by exec. The control executes a program that there is.",
    expected: "The kernel reads and checks the new image before it gives up the old one. Up to there an error can be answered; \
        behind it there is nobody to answer to.",
    observable: Observable::OneProcessor,
    linux: Linux::By("execve's answer"),
    run,
};

/// What became of the caller: `returned ERRNO, unharmed`, or how the process went on.
fn executed(path: &'static CStr) -> Result<String, Trouble> {
    let child = fork(|| unsafe {
        let descriptor = libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        let mut memory = vec![7_u8; 10_000];
        let words = [path.as_ptr(), c"-c".as_ptr(), c"exit 99".as_ptr(), null()];
        libc::execve(path.as_ptr(), words.as_ptr(), [null()].as_ptr());
        let errno = last_error().0;
        memory.push(7);
        let unharmed =
            memory.iter().all(|byte| *byte == 7) && libc::fcntl(descriptor, libc::F_GETFD) == libc::FD_CLOEXEC;
        if unharmed { errno } else { 98 }
    })?;
    Ok(match libc::WEXITSTATUS(wait(child)?) {
        98 => "returned, harmed".to_owned(),
        99 => "did not return".to_owned(),
        errno => format!("returned {}, unharmed", name(errno)),
    })
}

fn name(errno: i32) -> String {
    match errno {
        libc::ENOENT => "ENOENT".to_owned(),
        libc::EACCES => "EACCES".to_owned(),
        libc::ENOEXEC => "ENOEXEC".to_owned(),
        libc::EINVAL => "EINVAL".to_owned(),
        other => other.to_string(),
    }
}

/// A file that may be executed.
fn file(path: &CStr, content: &[u8]) -> Result<(), Trouble> {
    unsafe {
        libc::mkdir(c"/tmp".as_ptr(), 0o777);
        let file = check(libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC, 0o755))?;
        check(libc::write(file, content.as_ptr().cast(), content.len()) as i64)?;
        libc::close(file);
    }
    Ok(())
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    file(c"/tmp/prove-text", &[1, 2, 3, 4])?;
    file(c"/tmp/prove-cut", b"\x7fELF\x02\x01\x01")?;
    let rows = [
        ("a path that there is not", c"/tmp/prove-missing", "returned ENOENT, unharmed"),
        ("a folder", c"/tmp", "returned EACCES, unharmed"),
        ("no program", c"/tmp/prove-text", "returned ENOEXEC, unharmed"),
        ("an ELF file cut short", c"/tmp/prove-cut", "returned ENOEXEC, unharmed"),
    ];
    for (name, path, expected) in rows {
        let (failed, _) = lab.pair(|| executed(path), || executed(c"/bin/sh"))?;
        lab.mechanism(format!("executing {name}"), failed, "").equals(expected, "it was found out in time");
    }
    let (_, there) = lab.pair(|| Ok(String::new()), || executed(c"/bin/sh"))?;
    lab.control("executing a program", there, "").equals("did not return", "the caller is gone");
    for path in [c"/tmp/prove-text", c"/tmp/prove-cut"] {
        unsafe { libc::unlink(path.as_ptr()) };
    }
    Ok(())
}
