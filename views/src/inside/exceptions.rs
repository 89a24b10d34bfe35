//! `exceptions`: how often each CPU was entered by each of the vectors 0–31, and by `int 0x80`.
use core::fmt::{self, Write};
use procfs::Output;
use trap::vector;

/// One row for each vector, in the manner of /proc/interrupts.
pub(super) fn exceptions(output: &mut Output) -> fmt::Result {
    let cpus = scheduler::cpu_count();
    let counts = |cpu| trap::entry_counts(cpu);
    write!(output, "    ")?;
    (0..cpus).filter(|&cpu| counts(cpu).is_some()).try_for_each(|cpu| write!(output, " {:>10}", CpuName(cpu)))?;
    writeln!(output)?;
    for number in 0..arch::cpu::EXCEPTIONS {
        row(output, number, (0..cpus).filter_map(counts).map(|counts| counts.exceptions[number]))?;
        writeln!(output, "  {}", name(number as u64))?;
    }
    let calls = vector::SYSCALL_32 as usize;
    row(output, calls, (0..cpus).filter_map(counts).map(|counts| counts.compatible_calls))?;
    writeln!(output, "  int 0x80")
}

fn row(output: &mut Output, number: usize, mut counts: impl Iterator<Item = u64>) -> fmt::Result {
    write!(output, "{number:3}:")?;
    counts.try_for_each(|count| write!(output, " {count:10}"))
}

/// Vectors that the SDM reserves have no name.
fn name(number: u64) -> &'static str {
    match number {
        15 | 22..=27 | 31 => "reserved",
        number => vector::name(number),
    }
}

struct CpuName(usize);

impl fmt::Display for CpuName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&alloc::format!("CPU{}", self.0))
    }
}
