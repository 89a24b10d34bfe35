//! One process for each operation.

use crate::system::{Errno, check, mark_batches, wait};
use crate::{Batch, OPERATIONS, Operation, meter};
use std::io::Write;

/// Seconds after which an operation is given up. Under `-icount` they are a billion instructions each.
const PATIENCE: u32 = 20;

/// Processes to end behind an operation.
static mut HELPERS: Vec<i32> = Vec::new();

/// Notes a process that must not outlive the operation.
#[expect(static_mut_refs, reason = "this program has one thread when it starts helpers")]
pub fn remember(process: i32) {
    unsafe { HELPERS.push(process) };
}

#[expect(static_mut_refs, reason = "as above")]
fn end_helpers() {
    for process in unsafe { HELPERS.drain(..) } {
        unsafe { libc::kill(process, libc::SIGKILL) };
        let _ = wait(process);
    }
}

/// An operation, and its size where it has several.
type Row = (&'static Operation, u64, String);

fn rows() -> impl Iterator<Item = Row> {
    let named = |operation: &'static Operation| {
        let plain = operation.sizes.is_empty().then(|| (operation, 0, operation.name.to_owned()));
        let sized = operation.sizes.iter().map(move |&size| (operation, size, format!("{}@{size}", operation.name)));
        plain.into_iter().chain(sized)
    };
    OPERATIONS.iter().flat_map(|operations| operations.iter()).flat_map(named)
}

/// Prints all names.
pub fn list() -> i32 {
    let names: Vec<String> = rows().map(|(_, _, name)| name).collect();
    println!("{}", names.join("\n"));
    0
}

/// Measures those that were named, or all.
///
/// `settled` is for a machine that counts between the marks: behind its batches each stands still, and says how many operations they were.
pub fn run(names: &[&str], settled: bool) -> i32 {
    let unknown = names.iter().find(|name| rows().all(|(_, _, known)| known != **name));
    if let Some(name) = unknown {
        eprintln!("guest-bench: no operation is called {name}");
        return 2;
    }
    for row in rows().filter(|(_, _, name)| names.is_empty() || names.contains(&name.as_str())) {
        if let Err(errno) = in_a_process(&row, settled) {
            println!("{} unsupported {}", row.2, errno.0);
        }
    }
    0
}

fn in_a_process(row: &Row, settled: bool) -> Result<(), Errno> {
    let child = check(unsafe { libc::fork() })?;
    if child == 0 {
        unsafe { libc::alarm(PATIENCE) };
        println!("{}", measured(row, settled));
        let _ = std::io::stdout().flush();
        end_helpers();
        unsafe { libc::_exit(0) };
    }
    let status = wait(child)?;
    if libc::WIFSIGNALED(status) {
        match libc::WTERMSIG(status) {
            libc::SIGALRM => println!("{} crashed did not end in {PATIENCE} seconds", row.2),
            signal => println!("{} crashed signal {signal}", row.2),
        }
    }
    Ok(())
}

fn measured((operation, size, name): &Row, settled: bool) -> String {
    let measure = |mut batch: Batch| {
        let cost = meter::measure(&mut batch, operation.most)?;
        if settled {
            crate::mark::settle();
        }
        Ok(cost)
    };
    match (operation.prepare)(*size).and_then(measure) {
        Ok(cost) if settled => {
            format!("{name} {} {} of {}", decimal(cost.least), decimal(cost.mean), cost.count * meter::BATCHES)
        }
        Ok(cost) => format!("{name} {} {}", decimal(cost.least), decimal(cost.mean)),
        Err(errno) => format!("{name} unsupported {}", errno.0),
    }
}

fn decimal(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// One batch between the marks, behind one without; prints its size and what it took.
pub fn profile(name: &str) -> i32 {
    let Some((operation, size, _)) = rows().find(|(_, _, known)| known == name) else {
        eprintln!("guest-bench: no operation is called {name}");
        return 2;
    };
    let profiled = || -> Result<(u64, u64), Errno> {
        let mut batch = (operation.prepare)(size)?;
        let count = meter::calibrate(&mut batch, operation.most)?;
        batch(count)?;
        mark_batches();
        Ok((count, batch(count)?))
    };
    match profiled() {
        Ok((count, elapsed)) => println!("{count} {elapsed}"),
        Err(errno) => println!("unsupported {}", errno.0),
    }
    let _ = std::io::stdout().flush();
    end_helpers();
    0
}

/// Runs a command between the marks; its status.
pub fn mark(command: *const *const libc::c_char) -> i32 {
    crate::mark::begin();
    let child = unsafe { libc::fork() };
    if child == 0 {
        unsafe { libc::execvp(*command, command) };
        unsafe { libc::_exit(127) };
    }
    let status = wait(child);
    crate::mark::end();
    match status {
        Ok(status) if libc::WIFEXITED(status) => libc::WEXITSTATUS(status),
        Ok(status) => 128 + libc::WTERMSIG(status),
        Err(_) => 125,
    }
}
