//! /proc/interrupts and softirqs.
use crate::roots::Sources;
use abi::Errno;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use irq::{Interrupts, Softirq};
use procfs::Output;

/// A line as it is shown.
pub(crate) struct Line {
    pub number: u32,
    pub vector: u8,
    /// Chip, input, flow and devices.
    description: String,
}

/// All lines by number. Copied, since nothing may be written while a line is locked.
pub(crate) fn lines(interrupts: &Interrupts) -> Vec<Line> {
    let mut lines = Vec::new();
    interrupts.for_each(|row| {
        let mut description = String::new();
        // Lines are as many as there are devices.
        let _ = write!(description, " {:>8} {:3}-{:<8}", row.chip, row.input, row.flow);
        for (index, device) in row.devices().enumerate() {
            let _ = write!(description, "{}{device}", if index == 0 { "  " } else { ", " });
        }
        lines.push(Line { number: row.number, vector: row.vector, description });
    });
    lines.sort_unstable_by_key(|line| line.number);
    lines
}

/// Columns' titles, behind `margin` blanks.
fn titles(output: &mut Output, margin: usize) -> Result<(), Errno> {
    write!(output, "{:margin$}", "")?;
    for cpu in 0..scheduler::cpu_count() {
        write!(output, "CPU{cpu:<8}")?;
    }
    output.bytes(b"\n");
    Ok(())
}

pub(crate) fn interrupts(sources: &Sources, output: &mut Output) -> Result<(), Errno> {
    let Some(interrupts) = sources.interrupts else { return Ok(()) };
    titles(output, 11)?;
    let counts = |output: &mut Output, vector: u8| {
        (0..scheduler::cpu_count()).try_for_each(|cpu| write!(output, "{:10} ", interrupts.counts().of(vector, cpu)))
    };
    for line in lines(interrupts) {
        write!(output, "{:3}: ", line.number)?;
        counts(output, line.vector)?;
        writeln!(output, "{}", line.description)?;
    }
    for (name, description, vector) in sources.own_vectors {
        write!(output, "{name:>3}: ")?;
        counts(output, *vector)?;
        writeln!(output, "  {description}")?;
    }
    writeln!(output, "ERR: {:10}", interrupts.spurious())?;
    Ok(())
}

pub(crate) fn softirqs(sources: &Sources, output: &mut Output) -> Result<(), Errno> {
    let Some(softirqs) = sources.softirqs else { return Ok(()) };
    titles(output, 20)?;
    for softirq in Softirq::ALL {
        write!(output, "{:>12}:", softirq.name())?;
        for cpu in 0..scheduler::cpu_count() {
            write!(output, " {:10}", softirqs.count(softirq, cpu))?;
        }
        output.bytes(b"\n");
    }
    Ok(())
}
