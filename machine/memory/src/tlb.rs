//! Translations that CPUs remember, and how they are made to forget.
//!
//! A flush is *acknowledged*: when [`flush`] returns, no CPU of the set has a translation of the range that was made before.
//! The other CPUs are reached through [`Remote`], which the interrupt floor registers. Order against a CPU that enters an
//! address space at the same time: it inserts itself into the set and then loads CR3; a flusher changes the entry and then
//! reads the set. Both are full barriers, so one of them sees the other.
//!
//! The kernel's own mappings in the vmalloc window are not global, so that loading CR3 drops them too.
use arch::CpuSet;
use core::ops::Range;
use sync::{Once, Preempt, atomic_context::Held};

/// More pages than this are flushed all at once: reloading CR3 is cheaper by then (Linux's `tlb_single_page_flush_ceiling`).
const SINGLE_PAGES: usize = 33;

/// Flushes on other CPUs.
pub trait Remote: Sync {
    /// Has every CPU in `cpus` but this one call [`flush_local`] with `range`, and waits until they have. Preemption is
    /// held off, interrupts are on. From any process context, perhaps under spinlocks up to the rank of remote calls.
    fn flush(&self, cpus: &CpuSet, range: Range<usize>);
}

static REMOTE: Once<&'static dyn Remote> = Once::new();
static ONLINE: CpuSet = CpuSet::new();

/// Registers the way to other CPUs. Once, before the second CPU runs.
pub fn register(remote: &'static dyn Remote) {
    let _ = REMOTE.set(remote);
}

/// Notes that `cpu` runs from now on and takes part in flushes of the kernel's half.
pub fn cpu_online(cpu: usize) {
    ONLINE.insert(cpu);
}

/// The CPUs that run.
pub fn online() -> &'static CpuSet {
    &ONLINE
}

/// Drops this CPU's translations of the pages in `range`. Any context.
#[inline]
pub fn flush_local(range: Range<usize>) {
    if range.end.wrapping_sub(range.start) <= SINGLE_PAGES * crate::PAGE_SIZE {
        range.step_by(crate::PAGE_SIZE).for_each(invalidate_page);
    } else {
        invalidate_all();
    }
}

/// The addresses that entries were changed for, from the lowest page to the highest.
pub(crate) struct Touched {
    start: usize,
    end: usize,
}

impl Touched {
    pub const NOTHING: Self = Self { start: usize::MAX, end: 0 };

    #[inline(always)]
    pub fn note(&mut self, address: usize) {
        self.start = self.start.min(address);
        self.end = self.end.max(address + crate::PAGE_SIZE);
    }

    #[inline(always)]
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Drops translations of `range` on all CPUs of the set.
#[inline]
pub(crate) fn flush(cpus: &CpuSet, range: Range<usize>) {
    if range.is_empty() {
        return;
    }
    let held = Held::<Preempt>::new();
    let this = sync::ambient::cpu();
    let (mut here, mut elsewhere) = (false, false);
    for cpu in cpus.iter() {
        if cpu == this {
            here = true;
        } else {
            elsewhere = true;
        }
    }
    if here {
        flush_local(range.clone());
    }
    if elsewhere && let Some(remote) = REMOTE.get() {
        remote.flush(cpus, range);
    }
    drop(held);
}

/// Drops translations of a range of the kernel's half on all CPUs that run; on this one even before it is noted as online.
pub(crate) fn flush_kernel(range: Range<usize>) {
    flush_local(range.clone());
    flush(&ONLINE, range);
}

#[cfg(target_os = "none")]
use arch::instructions::{flush_tlb as invalidate_all, invalidate_page};

/// The host has no TLB to flush.
#[cfg(not(target_os = "none"))]
fn invalidate_page(_: usize) {}
#[cfg(not(target_os = "none"))]
fn invalidate_all() {}
