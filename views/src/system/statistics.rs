//! /proc/stat, uptime and loadavg.
use super::interrupts::lines;
use crate::roots::Sources;
use abi::Errno;
use core::fmt::Write;
use irq::Softirq;
use procfs::Output;
use scheduler::CpuStatistics;
use task::tree;
use time::user_ticks;

fn cpus() -> impl Iterator<Item = (usize, CpuStatistics)> {
    let numbered = (0..scheduler::cpu_count()).filter_map(|number| Some((number, scheduler::statistics(number)?)));
    numbered.filter(|(_, cpu)| cpu.online)
}

/// The columns of a CPU: user, nice, system, idle. Nobody waits for block devices; interrupts are too short for the tick to
/// find; then softirqs. No hypervisor tells what it took, and there are no guests.
fn row(output: &mut Output, cpu: &CpuStatistics) -> Result<(), Errno> {
    let [user, nice, system, idle, softirq] = [cpu.user, cpu.nice, cpu.system, cpu.idle, cpu.softirq].map(user_ticks);
    writeln!(output, " {user} {nice} {system} {idle} 0 0 {softirq} 0 0 0")?;
    Ok(())
}

pub(crate) fn statistics(sources: &Sources, output: &mut Output) -> Result<(), Errno> {
    let mut sum = CpuStatistics::default();
    for (_, cpu) in cpus() {
        sum.add(&cpu);
    }
    output.bytes(b"cpu ");
    row(output, &sum)?;
    for (number, cpu) in cpus() {
        write!(output, "cpu{number}")?;
        row(output, &cpu)?;
    }
    interrupt_row(sources, output)?;
    let boot = scheduler::realtime().seconds() - (sync::now() / 1_000_000_000) as i64;
    writeln!(output, "ctxt {}\nbtime {boot}\nprocesses {}", sum.switches, scheduler::threads_started())?;
    writeln!(output, "procs_running {}\nprocs_blocked 0", sum.running)?;
    softirq_row(sources, output)
}

/// All interrupts, then those of each line by its number.
fn interrupt_row(sources: &Sources, output: &mut Output) -> Result<(), Errno> {
    let Some(interrupts) = sources.interrupts else { return Ok(()) };
    let total: u64 = cpus().map(|(cpu, _)| interrupts.counts().total(cpu)).sum();
    write!(output, "intr {total}")?;
    let mut next = 0;
    for line in lines(interrupts) {
        for _ in next..line.number {
            output.bytes(b" 0");
        }
        let count: u64 = cpus().map(|(cpu, _)| interrupts.counts().of(line.vector, cpu)).sum();
        write!(output, " {count}")?;
        next = line.number + 1;
    }
    output.bytes(b"\n");
    Ok(())
}

fn softirq_row(sources: &Sources, output: &mut Output) -> Result<(), Errno> {
    let Some(softirqs) = sources.softirqs else { return Ok(()) };
    let served = |softirq| cpus().map(|(cpu, _)| softirqs.count(softirq, cpu)).sum::<u64>();
    let total: u64 = Softirq::ALL.into_iter().map(served).sum();
    write!(output, "softirq {total}")?;
    for softirq in Softirq::ALL {
        write!(output, " {}", served(softirq))?;
    }
    output.bytes(b"\n");
    Ok(())
}

/// Seconds since boot, and for which CPUs were idle, both with two places.
pub(crate) fn uptime(_: &Sources, output: &mut Output) -> Result<(), Errno> {
    let idle: u64 = cpus().map(|(_, cpu)| cpu.idle).sum();
    let [up, idle] = [sync::now(), idle].map(|nanoseconds| nanoseconds / 10_000_000);
    writeln!(output, "{}.{:02} {}.{:02}", up / 100, up % 100, idle / 100, idle % 100)?;
    Ok(())
}

/// The averages, runnable threads of all, and the last number given.
pub(crate) fn load_average(_: &Sources, output: &mut Output) -> Result<(), Errno> {
    let running: usize = cpus().map(|(_, cpu)| cpu.running).sum();
    writeln!(output, "{} {running}/{} {}", scheduler::load_average(), tree::task_count(), tree::last_pid())?;
    Ok(())
}
