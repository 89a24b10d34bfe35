//! /sys/devices/system/memory and node: where memory is, and which CPUs are near it. There is one node, which has all.
//!
//! Memory is neither added nor taken away while the machine runs: nothing here can be written, and no block is removable. What is counted
//! per node on Linux and not here (`numastat`, `vmstat`) is not there.
use crate::bitmap::{Chosen, ChosenMask};
use crate::blocks;
use crate::roots::Sources;
use crate::system::memory::Usage;
use abi::Errno;
use alloc::format;
use alloc::sync::Arc;
use core::fmt::Write;
use procfs::{Listing, Node, Output, attribute};

pub(crate) fn register(sys: &Arc<Listing>, sources: &Arc<Sources>) -> Result<(), Errno> {
    let memory = sys.below("devices/system/memory")?;
    memory.add("block_size_bytes", attribute(|output| writeln!(output, "{:x}", blocks::BLOCK)))?;
    let nodes = sys.below("devices/system/node")?;
    for name in ["has_cpu", "has_memory", "has_normal_memory", "online", "possible"] {
        nodes.add(name, attribute(|output| writeln!(output, "0")))?;
    }
    let node = nodes.below("node0")?;
    for number in blocks::present(memory::device::ram()) {
        let name = format!("memory{number}");
        block(&*memory.below(&name)?, number)?;
        node.add(&name, Node::symlink(format!("../../memory/{name}").as_bytes()))?;
    }
    for cpu in 0..scheduler::cpu_count() {
        node.add(&format!("cpu{cpu}"), Node::symlink(format!("../../cpu/cpu{cpu}").as_bytes()))?;
    }
    let online = |cpu| scheduler::statistics(cpu).is_some_and(|statistics| statistics.online);
    node.add("cpulist", attribute(move |output| writeln!(output, "{}", Chosen(scheduler::cpu_count(), online))))?;
    node.add("cpumap", attribute(move |output| writeln!(output, "{}", ChosenMask(scheduler::cpu_count(), online))))?;
    node.add("distance", attribute(|output| writeln!(output, "10")))?;
    let sources = sources.clone();
    node.add("meminfo", attribute(move |output| information(&Usage::now(&sources), output)))
}

fn block(folder: &Listing, number: u64) -> Result<(), Errno> {
    folder.add("node0", Node::symlink(b"../../node/node0"))?;
    folder.add("online", attribute(|output| writeln!(output, "1")))?;
    folder.add("phys_device", attribute(|output| writeln!(output, "0")))?;
    folder.add("phys_index", attribute(move |output| writeln!(output, "{number:08x}")))?;
    folder.add("removable", attribute(|output| writeln!(output, "0")))?;
    folder.add("state", attribute(|output| writeln!(output, "online")))?;
    folder.add("valid_zones", attribute(move |output| writeln!(output, "{}", blocks::zone(number))))
}

/// Lines of /proc/meminfo that are told of each node, in their order here.
fn information(usage: &Usage, output: &mut Output) -> core::fmt::Result {
    let rows = [
        ("MemTotal:", usage.total),
        ("MemFree:", usage.free),
        ("MemUsed:", usage.total.saturating_sub(usage.free)),
        ("SwapCached:", 0),
        ("Dirty:", 0),
        ("Writeback:", 0),
        ("FilePages:", usage.cached),
        ("Shmem:", usage.shared),
        ("KernelStack:", usage.stacks),
        ("PageTables:", usage.tables),
        ("KReclaimable:", 0),
        ("Slab:", usage.slabs),
        ("SReclaimable:", 0),
        ("SUnreclaim:", usage.slabs),
    ];
    for (name, pages) in rows {
        writeln!(output, "Node 0 {name:<15} {:8} kB", Usage::kibibytes(pages))?;
    }
    for name in ["Total", "Free", "Surp"] {
        writeln!(output, "Node 0 {:<16} {:5}", format!("HugePages_{name}:"), 0)?;
    }
    Ok(())
}
