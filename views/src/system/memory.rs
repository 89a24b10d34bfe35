//! Memory: /proc/meminfo, buddyinfo and vmstat.
use crate::roots::Sources;
use abi::{Errno, PAGE_SIZE};
use core::fmt::Write;
use memory::counters::{Counter, counted};
use procfs::Output;

const KIB_PER_PAGE: usize = PAGE_SIZE / 1024;

/// Who has memory, in pages.
pub(crate) struct Usage {
    pub(crate) total: usize,
    pub(crate) free: usize,
    /// The page cache, and what of it is in memory alone.
    pub(crate) cached: usize,
    pub(crate) shared: usize,
    pub(crate) slabs: usize,
    pub(crate) stacks: usize,
    pub(crate) tables: usize,
}

impl Usage {
    pub(crate) fn now(sources: &Sources) -> Self {
        let zones = memory::statistics();
        let (cached, shared) = sources.vfs.cached_pages();
        Self {
            total: zones.iter().map(|zone| zone.managed).sum(),
            free: zones.iter().map(|zone| zone.free).sum(),
            cached: cached as usize,
            shared: shared as usize,
            slabs: memory::slab::slabs().iter().map(|&(_, count)| count).sum(),
            stacks: counted(Counter::StackPages) as usize,
            tables: counted(Counter::TablePages) as usize,
        }
    }

    /// What cannot be had for anything else is what file systems keep in memory alone.
    fn available(&self) -> usize {
        self.free.saturating_sub(memory::zones::reserve()) + self.cached.saturating_sub(self.shared)
    }

    pub(crate) fn kibibytes(pages: usize) -> usize {
        pages * KIB_PER_PAGE
    }
}

/// In Linux's order. Lines about lists of pages by age are not there: there is no reclaim that would keep them.
pub(crate) fn information(sources: &Sources, output: &mut Output) -> Result<(), Errno> {
    let usage = Usage::now(sources);
    let rows = [
        ("MemTotal:", usage.total),
        ("MemFree:", usage.free),
        ("MemAvailable:", usage.available()),
        // No block devices, whose contents these would be.
        ("Buffers:", 0),
        ("Cached:", usage.cached),
        // No swap, and nothing to be written back.
        ("SwapCached:", 0),
        ("SwapTotal:", 0),
        ("SwapFree:", 0),
        ("Dirty:", 0),
        ("Writeback:", 0),
        ("Shmem:", usage.shared),
        // No cache of the kernel's own that is given up on demand.
        ("KReclaimable:", 0),
        ("Slab:", usage.slabs),
        ("SReclaimable:", 0),
        ("SUnreclaim:", usage.slabs),
        ("KernelStack:", usage.stacks),
        ("PageTables:", usage.tables),
        ("VmallocTotal:", memory::vmalloc::TOTAL_PAGES),
        ("VmallocUsed:", memory::vmalloc::pages()),
        ("VmallocChunk:", 0),
    ];
    for (name, pages) in rows {
        // Names take 16 columns, and numbers 8 behind them.
        writeln!(output, "{name:<15} {:8} kB", Usage::kibibytes(pages))?;
    }
    // No large pages.
    writeln!(output, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0")?;
    writeln!(output, "HugePages_Surp:        0\nHugepagesize:       2048 kB\nHugetlb:               0 kB")?;
    Ok(())
}

/// /proc/slabinfo: the heap's sizes under the names of Linux's general caches, a page to a slab. There is nothing to tune.
pub(crate) fn slabs(_: &Sources, output: &mut Output) -> Result<(), Errno> {
    output.bytes(b"slabinfo - version: 2.1\n");
    output
        .bytes(b"# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> ");
    output.bytes(b"<batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
    for row in memory::slab::rows() {
        let each = PAGE_SIZE / row.size;
        let (name, slabs) = (alloc::format!("kmalloc-{}", row.size), row.slabs);
        write!(output, "{name:<17} {:6} {:6} {:6} {each:4} {:4}", row.objects, slabs * each, row.size, 1)?;
        writeln!(output, " : tunables {:4} {:4} {:4} : slabdata {slabs:6} {slabs:6} {:6}", 0, 0, 0, 0)?;
    }
    Ok(())
}

/// Free blocks of each zone that has memory, by their order.
pub(crate) fn free_blocks(_: &Sources, output: &mut Output) -> Result<(), Errno> {
    for zone in memory::statistics().iter().filter(|zone| zone.managed != 0) {
        write!(output, "Node 0, zone {:>8} ", zone.name)?;
        for count in zone.blocks {
            write!(output, "{count:6} ")?;
        }
        output.bytes(b"\n");
    }
    Ok(())
}

/// /proc/vmstat: what is counted of Linux's lines, in its order.
pub(crate) fn statistics(sources: &Sources, output: &mut Output) -> Result<(), Errno> {
    let free: usize = memory::statistics().iter().map(|zone| zone.free).sum();
    let (cached, shared) = sources.vfs.cached_pages();
    let rows = [
        ("nr_free_pages", free as u64),
        ("nr_file_pages", cached),
        // Nothing is ever written back, and nothing comes from block devices or swap.
        ("nr_dirty", 0),
        ("nr_writeback", 0),
        ("nr_shmem", shared),
        ("nr_kernel_stack", counted(Counter::StackPages) * KIB_PER_PAGE as u64),
        ("nr_page_table_pages", counted(Counter::TablePages)),
        ("pgpgin", 0),
        ("pgpgout", 0),
        ("pswpin", 0),
        ("pswpout", 0),
        ("pgfault", counted(Counter::Faults)),
        ("pgmajfault", counted(Counter::MajorFaults)),
        ("oom_kill", counted(Counter::OutOfMemory)),
    ];
    for (name, value) in rows {
        writeln!(output, "{name} {value}")?;
    }
    Ok(())
}
