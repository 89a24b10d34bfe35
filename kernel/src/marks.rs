//! When each phase of start-up ended, by the time-stamp counter: `/sys/kernel/debug/birgus/boot`.
//!
//! A phase's end is one store, once; whoever reads the file may subtract. The last is the moment before PID 1's first instruction,
//! at which it is also noted whose the pages of RAM are: what the kernel itself took so far, before any program did.
use alloc::boxed::Box;
use alloc::sync::Arc;
use arch::instructions::read_tsc;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use procfs::{Listing, Output, attribute};
use sync::Once;

/// The phases, in their order.
#[derive(Clone, Copy)]
pub enum Phase {
    /// Memory map, frame descriptors, page tables, zones.
    Memory,
    /// The firmware's tables, the DSDT interpreted.
    Acpi,
    /// Interrupt controllers, clocks, the scheduler, the other CPUs.
    Cpus,
    /// Random numbers, the vDSO, the root and the trees of /proc, /sys and /dev.
    Files,
    /// Serial line, PCI, virtio.
    Devices,
    /// The initial RAM disk unpacked.
    Initramfs,
    /// PID 1 made, its program loaded.
    Exec,
}

const NAMES: [&str; 7] = ["memory", "acpi", "cpus", "files", "devices", "initramfs", "exec"];

static ENDS: [AtomicU64; NAMES.len()] = [const { AtomicU64::new(0) }; NAMES.len()];

/// Whose the pages of RAM are at PID 1's first instruction.
static OWNERS: Once<Box<[(&'static str, usize)]>> = Once::new();

/// The counter at the kernel's first instruction.
static ENTRY: Once<u64> = Once::new();

/// Says when the kernel was entered.
pub fn begin(entry_tsc: u64) {
    let _ = ENTRY.set(entry_tsc);
}

/// Says that a phase is over.
pub fn end(phase: Phase) {
    ENDS[phase as usize].store(read_tsc(), Relaxed);
}

/// What is noted right before PID 1's first instruction.
///
/// Counting pages takes longer than all that it counts took; so it is done when the phase is over.
pub fn ready() {
    end(Phase::Exec);
    let _ = OWNERS.set(Box::from(memory::owners::count()));
}

/// Makes the file.
///
/// # Errors
/// EEXIST.
pub fn register(sys: &Arc<Listing>) -> Result<(), abi::Errno> {
    sys.below("kernel/debug/birgus")?.add("boot", attribute(show))
}

/// One row each: `name: value unit`. Cycles of a phase are those since the kernel's entry, at its end.
fn show(output: &mut Output) -> fmt::Result {
    let entry = ENTRY.get().copied().unwrap_or(0);
    writeln!(output, "hertz: {} cycles", crate::timekeeping::hertz())?;
    writeln!(output, "before_entry: {entry} cycles")?;
    for (name, end) in NAMES.iter().zip(&ENDS) {
        writeln!(output, "{name}: {} cycles", end.load(Relaxed).saturating_sub(entry))?;
    }
    writeln!(output, "pages_total: {} pages", memory::owners::ram_pages())?;
    let owners = OWNERS.get().map_or(&[][..], |owners| owners);
    owners.iter().try_for_each(|(name, pages)| writeln!(output, "pages_{name}: {pages} pages"))
}
