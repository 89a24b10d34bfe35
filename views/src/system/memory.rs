//! Memory: /proc/meminfo.
use crate::roots::Sources;
use abi::{Errno, PAGE_SIZE};
use core::fmt::Write;
use procfs::Output;

const KIB_PER_PAGE: usize = PAGE_SIZE / 1024;

/// In Linux's order. Lines about lists of pages by age are not there: there is no reclaim that would keep them.
pub(crate) fn information(sources: &Sources, output: &mut Output) -> Result<(), Errno> {
    let zones = memory::statistics();
    let total: usize = zones.iter().map(|zone| zone.managed).sum();
    let free: usize = zones.iter().map(|zone| zone.free).sum();
    let (cached, shared) = sources.vfs.cached_pages();
    let slabs: usize = memory::slab::slabs().iter().map(|&(_, count)| count).sum();
    // What file systems keep in memory alone cannot be had for anything else.
    let available = free.saturating_sub(memory::zones::reserve()) + (cached - shared) as usize;
    let rows = [
        ("MemTotal:", total),
        ("MemFree:", free),
        ("MemAvailable:", available),
        // No block devices, whose contents these would be.
        ("Buffers:", 0),
        ("Cached:", cached as usize),
        // No swap, and nothing to be written back.
        ("SwapCached:", 0),
        ("SwapTotal:", 0),
        ("SwapFree:", 0),
        ("Dirty:", 0),
        ("Writeback:", 0),
        ("Shmem:", shared as usize),
        // No cache of the kernel's own that is given up on demand.
        ("KReclaimable:", 0),
        ("Slab:", slabs),
        ("SReclaimable:", 0),
        ("SUnreclaim:", slabs),
        ("VmallocTotal:", memory::vmalloc::TOTAL_PAGES),
        ("VmallocUsed:", memory::vmalloc::pages()),
        ("VmallocChunk:", 0),
    ];
    for (name, pages) in rows {
        // Names take 16 columns, and numbers 8 behind them.
        writeln!(output, "{name:<15} {:8} kB", pages * KIB_PER_PAGE)?;
    }
    // No large pages.
    writeln!(output, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0")?;
    writeln!(output, "HugePages_Surp:        0\nHugepagesize:       2048 kB\nHugetlb:               0 kB")?;
    Ok(())
}
