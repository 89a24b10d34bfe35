//! /proc/PID/limits.
use super::Look;
use abi::Errno;
use core::fmt::{self, Write};
use procfs::Output;
use task::limits::INFINITY;

/// Names and units by the numbers of `RLIMIT_*`.
const ROWS: [(&str, &str); 16] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];

fn column(output: &mut Output, value: u64) -> fmt::Result {
    if value == INFINITY { write!(output, "{:<20} ", "unlimited") } else { write!(output, "{value:<20} ") }
}

pub(crate) fn limits(look: &Look, output: &mut Output) -> Result<(), Errno> {
    let limits = *look.task.process.limits.lock();
    writeln!(output, "{:<25} {:<20} {:<20} {:<10}", "Limit", "Soft Limit", "Hard Limit", "Units")?;
    for (which, (name, unit)) in (0..).zip(ROWS) {
        let Some(limit) = limits.get(which) else { continue };
        write!(output, "{name:<25} ")?;
        column(output, limit.soft)?;
        column(output, limit.hard)?;
        if unit.is_empty() { writeln!(output)? } else { writeln!(output, "{unit:<10}")? }
    }
    Ok(())
}
