//! What clone shares.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::{check, map, wait};
use std::mem::zeroed;
use std::ptr::null_mut;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Processes,
    claim: "clone shares exactly what its flags say, and copies the rest.",
    experiment: "A child is made with each flag, changes a word of memory, closes a descriptor, changes its working folder and installs a \
        handler, and ends. Then its parent looks which of these changed for itself too. The control makes the same child without any flag, as fork does.",
    expected: "Memory, descriptors, working folder and handlers are objects of their own, and a task only refers to them: the flag decides whether the \
        child gets a reference or a copy. CLONE_SIGHAND is only allowed together with CLONE_VM, for handlers are addresses in memory.",
    observable: Observable::OneProcessor,
    linux: Linux::By("what the parent finds changed"),
    run,
};

static mut WORD: u64 = 0;

extern "C" fn child(descriptor: *mut libc::c_void) -> i32 {
    unsafe {
        (&raw mut WORD).write_volatile(2);
        libc::close(descriptor as usize as i32);
        libc::chdir(c"/proc".as_ptr());
        libc::signal(libc::SIGUSR2, libc::SIG_IGN);
        libc::_exit(0)
    }
}

fn folder() -> String {
    std::env::current_dir().map(|path| path.display().to_string()).unwrap_or_default()
}

/// What a child with these flags changed for its parent.
fn changed(flags: i32) -> Result<String, Trouble> {
    const STACK: usize = 64 << 10;
    let stack = map(STACK)?;
    let descriptor = check(unsafe { libc::dup(0) })?;
    unsafe {
        (&raw mut WORD).write_volatile(1);
        libc::signal(libc::SIGUSR2, libc::SIG_DFL);
        check(libc::chdir(c"/".as_ptr()))?;
        let argument = descriptor as usize as *mut libc::c_void;
        let process = check(libc::clone(child, stack.add(STACK).cast(), flags | libc::SIGCHLD, argument))?;
        wait(process)?;
    }
    let mut found = Vec::new();
    if unsafe { (&raw const WORD).read_volatile() } == 2 {
        found.push("memory");
    }
    if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } == -1 {
        found.push("descriptors");
    } else {
        unsafe { libc::close(descriptor) };
    }
    if folder() == "/proc" {
        found.push("folder");
    }
    let mut action: libc::sigaction = unsafe { zeroed() };
    unsafe { libc::sigaction(libc::SIGUSR2, null_mut(), &mut action) };
    if action.sa_sigaction == libc::SIG_IGN {
        found.push("handlers");
    }
    unsafe { libc::munmap(stack.cast(), STACK) };
    Ok(if found.is_empty() { "nothing".to_owned() } else { found.join(", ") })
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let flags = [
        ("CLONE_VM", libc::CLONE_VM, "memory"),
        ("CLONE_FILES", libc::CLONE_FILES, "descriptors"),
        ("CLONE_FS", libc::CLONE_FS, "folder"),
        ("CLONE_VM and CLONE_SIGHAND", libc::CLONE_VM | libc::CLONE_SIGHAND, "memory, handlers"),
        ("CLONE_FILES and CLONE_FS", libc::CLONE_FILES | libc::CLONE_FS, "descriptors, folder"),
        (
            "all four",
            libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_FS | libc::CLONE_SIGHAND,
            "memory, descriptors, folder, handlers",
        ),
    ];
    let mut without = String::new();
    for (name, flags, shared) in flags {
        let (with, control) = lab.pair(|| changed(flags), || changed(0))?;
        lab.mechanism(format!("shared with {name}"), with, "").equals(shared, "that is what the flag says");
        without = control;
    }
    lab.control("shared without any flag", without, "").equals("nothing", "all was copied");
    Ok(())
}
