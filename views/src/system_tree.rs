//! /sys, as far as it tells of what no driver owns.
use crate::bitmap::{Chosen, ChosenMask, List};
use crate::topology::Division;
use abi::Errno;
use alloc::format;
use alloc::sync::Arc;
use arch::features;
use core::fmt::Write;
use procfs::{Listing, attribute};

pub(crate) fn register(sys: &Arc<Listing>, apic_id: ApicId) -> Result<(), Errno> {
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
        topology(&*cpus.below(&format!("cpu{cpu}/topology"))?, cpu, apic_id)?;
    }
    crate::inside::register(sys)
}

/// Identifier of a CPU's local APIC.
type ApicId = fn(usize) -> Option<u32>;

/// Which CPUs share a core and a package with `cpu`.
fn topology(folder: &Listing, cpu: usize, apic_id: ApicId) -> Result<(), Errno> {
    let division = Division::of(&features::leaf);
    let Some(own) = apic_id(cpu) else { return Ok(()) };
    folder.add("physical_package_id", attribute(move |output| writeln!(output, "{}", division.package_of(own))))?;
    folder.add("core_id", attribute(move |output| writeln!(output, "{}", division.core_of(own))))?;
    let shares_core = move |other| apic_id(other).is_some_and(|other| division.share_core(own, other));
    let shares_package =
        move |other| apic_id(other).is_some_and(|other| division.package_of(own) == division.package_of(other));
    sharers(folder, "thread_siblings", shares_core)?;
    sharers(folder, "core_cpus", shares_core)?;
    sharers(folder, "core_siblings", shares_package)?;
    sharers(folder, "package_cpus", shares_package)
}

/// CPUs as a mask, and as a list.
fn sharers(
    folder: &Listing,
    name: &str,
    shares: impl Fn(usize) -> bool + Copy + Send + Sync + 'static,
) -> Result<(), Errno> {
    let mask = move |output: &mut procfs::Output| writeln!(output, "{}", ChosenMask(scheduler::cpu_count(), shares));
    let list = move |output: &mut procfs::Output| writeln!(output, "{}", Chosen(scheduler::cpu_count(), shares));
    folder.add(name, attribute(mask))?;
    folder.add(&format!("{name}_list"), attribute(list))
}
