//! /sys, as far as it tells of what no driver owns.
use crate::bitmap::{Chosen, List};
use abi::Errno;
use alloc::format;
use alloc::sync::Arc;
use core::fmt::Write;
use procfs::{Listing, attribute};

pub(crate) fn register(sys: &Arc<Listing>) -> Result<(), Errno> {
    // Folders that programs expect, in the order in which Linux shows them; some have nothing in them yet.
    for folder in ["bus", "class", "dev/block", "dev/char", "devices", "fs", "kernel"] {
        sys.below(folder)?;
    }
    let cpus = sys.below("devices/system/cpu")?;
    let online = |cpu| scheduler::statistics(cpu).is_some_and(|statistics| statistics.online);
    cpus.add("online", attribute(move |output| writeln!(output, "{}", Chosen(scheduler::cpu_count(), online))))?;
    let offline = move |cpu| !online(cpu);
    cpus.add("offline", attribute(move |output| writeln!(output, "{}", Chosen(scheduler::cpu_count(), offline))))?;
    for name in ["possible", "present"] {
        cpus.add(name, attribute(|output| writeln!(output, "{}", List(scheduler::cpu_count()))))?;
    }
    for cpu in 0..scheduler::cpu_count() {
        cpus.below(&format!("cpu{cpu}"))?;
    }
    let counts = sys.below("kernel/debug/birgus")?;
    counts.add("stubs", attribute(stubs))
}

/// What programs asked for that is not there, with how often.
fn stubs(output: &mut procfs::Output) -> core::fmt::Result {
    task::stubs().iter().try_for_each(|(name, count)| writeln!(output, "{name} {count}"))
}
