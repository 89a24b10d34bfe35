//! Files of /proc about the system as a whole.
mod controls;
mod cpu;
mod interrupts;
pub(crate) mod memory;
mod registries;
mod statistics;
mod sysctl;
mod values;

use crate::roots::Sources;
use abi::Errno;
use alloc::sync::Arc;
use procfs::{Listing, Node, Output, Text};

/// A text that is made by a function of the sources.
struct SystemText {
    sources: Arc<Sources>,
    show: Show,
}

type Show = fn(&Sources, &mut Output) -> Result<(), Errno>;

impl Text for SystemText {
    fn show(&self, output: &mut Output) -> Result<(), Errno> {
        (self.show)(&self.sources, output)
    }
}

/// In Linux's order.
const FILES: [(&str, Show); 17] = [
    ("buddyinfo", memory::free_blocks),
    ("cmdline", registries::command_line),
    ("cpuinfo", cpu::information),
    ("devices", registries::devices),
    ("filesystems", registries::file_systems),
    ("interrupts", interrupts::interrupts),
    ("loadavg", statistics::load_average),
    ("meminfo", memory::information),
    ("modules", registries::no_rows),
    ("partitions", registries::no_rows),
    ("softirqs", interrupts::softirqs),
    ("stat", statistics::statistics),
    ("swaps", registries::swaps),
    ("uptime", statistics::uptime),
    ("version", registries::version),
    ("vmstat", memory::statistics),
    ("diskstats", registries::no_rows),
];

/// Registers them.
pub(crate) fn register(proc: &Arc<Listing>, sources: &Arc<Sources>) -> Result<(), Errno> {
    for (name, show) in FILES {
        proc.add(name, Node::text(Arc::new(SystemText { sources: sources.clone(), show })))?;
    }
    let slabs = SystemText { sources: sources.clone(), show: memory::slabs };
    proc.add("slabinfo", Node::text(Arc::new(slabs)).with_permissions(0o400))?;
    controls::register(proc)?;
    sysctl::register(proc, sources)
}
