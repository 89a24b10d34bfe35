//! /proc/PID/status.
use super::Look;
use super::settings::trimmed;
use super::stat::{code_pages, state, thread_count};
use crate::bitmap::{Chosen, ChosenMask};
use abi::raw::general::RLIMIT_SIGPENDING;
use abi::{Errno, PAGE_SIZE};
use core::fmt::Write;
use core::sync::atomic::Ordering;
use procfs::Output;
use task::{Task, usage};
use vfs::Identity;

pub(crate) fn status(look: &Look, output: &mut Output) -> Result<(), Errno> {
    name(&look.task, output);
    identity(look, output)?;
    memory(&look.task, output)?;
    signals(look, output)?;
    capabilities(&look.task, output)?;
    let cpus = scheduler::cpu_count();
    let allowed = |cpu| look.task.thread().is_none_or(|thread| thread.affinity.allows(cpu));
    writeln!(output, "Cpus_allowed:\t{}", ChosenMask(cpus, allowed))?;
    writeln!(output, "Cpus_allowed_list:\t{}", Chosen(cpus, allowed))?;
    // There is one node of memory.
    writeln!(output, "Mems_allowed:\t1\nMems_allowed_list:\t0")?;
    let used = usage::of_thread(&look.task);
    writeln!(output, "voluntary_ctxt_switches:\t{}", used.voluntary_switches)?;
    writeln!(output, "nonvoluntary_ctxt_switches:\t{}", used.involuntary_switches)?;
    Ok(())
}

/// Newlines and backslashes in it are escaped, so that the line stays one.
fn name(task: &Task, output: &mut Output) {
    output.bytes(b"Name:\t");
    for &byte in trimmed(&task.name()) {
        match byte {
            b'\n' => output.bytes(b"\\n"),
            b'\\' => output.bytes(b"\\\\"),
            byte => output.bytes(&[byte]),
        }
    }
    output.bytes(b"\n");
}

fn identity(look: &Look, output: &mut Output) -> Result<(), Errno> {
    let (task, process) = (&look.task, &look.task.process);
    if let Some(context) = task.files.context_if_any() {
        writeln!(output, "Umask:\t{:04o}", context.umask)?;
    }
    let (letter, state) = state(task);
    // There is no NUMA group, and nobody is traced.
    writeln!(output, "State:\t{letter} ({state})\nTgid:\t{}\nNgid:\t0\nPid:\t{}", process.pid, look.number())?;
    writeln!(output, "PPid:\t{}\nTracerPid:\t0", process.parent())?;
    let credentials = task.credentials();
    let mut row = |name: &str, identity: &Identity| {
        let Identity { real, effective, saved, file_system } = identity;
        writeln!(output, "{name}:\t{real}\t{effective}\t{saved}\t{file_system}")
    };
    row("Uid", &credentials.user)?;
    row("Gid", &credentials.group)?;
    let capacity = task.files.descriptors().map_or(0, |table| table.capacity().max(64));
    write!(output, "FDSize:\t{capacity}\nGroups:\t")?;
    for (index, group) in credentials.groups.iter().enumerate() {
        write!(output, "{}{group}", if index == 0 { "" } else { " " })?;
    }
    // One namespace of numbers, so each has one.
    writeln!(output, " \nNStgid:\t{}\nNSpid:\t{}", process.pid, look.number())?;
    writeln!(output, "NSpgid:\t{}\nNSsid:\t{}", process.group(), process.session())?;
    Ok(())
}

fn memory(task: &Task, output: &mut Output) -> Result<(), Errno> {
    if let Some(space) = task.space() {
        let memory = space.usage();
        let (code, libraries) = code_pages(task, &memory);
        let rows = [
            ("VmPeak", memory.peak),
            ("VmSize", memory.total),
            ("VmLck", memory.locked),
            // Nothing pins pages for devices.
            ("VmPin", 0),
            ("VmHWM", memory.resident_peak),
            ("VmRSS", memory.resident()),
            ("RssAnon", memory.anonymous),
            ("RssFile", memory.file),
            ("RssShmem", memory.memory),
            ("VmData", memory.data),
            ("VmStk", memory.stack),
            ("VmExe", code),
            ("VmLib", libraries),
            ("VmPTE", space.pages().table().table_pages()),
            // There is no swap, and there are no large pages.
            ("VmSwap", 0),
            ("HugetlbPages", 0),
        ];
        for (name, pages) in rows {
            writeln!(output, "{name}:\t{:8} kB", pages * (PAGE_SIZE / 1024))?;
        }
        // There are no core dumps either.
        writeln!(output, "CoreDumping:\t0\nTHP_enabled:\t0")?;
    }
    Ok(())
}

fn signals(look: &Look, output: &mut Output) -> Result<(), Errno> {
    let task = &look.task;
    let summary = task.process.signal_summary();
    writeln!(output, "Threads:\t{}", thread_count(task))?;
    writeln!(output, "SigQ:\t{}/{}", summary.queued, task.limit(RLIMIT_SIGPENDING))?;
    let sets = [
        ("SigPnd", task.own_pending_signals()),
        ("ShdPnd", summary.pending),
        ("SigBlk", task.signal_mask()),
        ("SigIgn", summary.ignored),
        ("SigCgt", summary.caught),
    ];
    for (name, set) in sets {
        writeln!(output, "{name}:\t{:016x}", set.bits())?;
    }
    Ok(())
}

fn capabilities(task: &Task, output: &mut Output) -> Result<(), Errno> {
    let credentials = task.credentials();
    let sets = [
        ("CapInh", credentials.inheritable),
        ("CapPrm", credentials.permitted),
        ("CapEff", credentials.effective),
        ("CapBnd", credentials.bounding),
        ("CapAmb", credentials.ambient),
    ];
    for (name, set) in sets {
        writeln!(output, "{name}:\t{:016x}", set.bits())?;
    }
    let unprivileged = task.traits.no_new_privileges.load(Ordering::Relaxed);
    // No calls can be forbidden.
    writeln!(output, "NoNewPrivs:\t{}\nSeccomp:\t0\nSeccomp_filters:\t0", u32::from(unprivileged))?;
    Ok(())
}
