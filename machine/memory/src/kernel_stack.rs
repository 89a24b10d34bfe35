//! Kernel stacks: above an unmapped page, so that an overflow faults instead of writing into a neighbour.
//!
//! Processes come and go quickly, and mapping pages is dear, so each CPU keeps a few stacks of those that went.
use crate::PAGE_SIZE;
use crate::counters::{Counter, count};
use crate::vmalloc::Area;
use core::mem::ManuallyDrop;
use smallvec::SmallVec;
use sync::{InterruptsOff, Once, PerCpu, Rank, SpinLock};

/// Bytes of a kernel stack: debug builds have larger frames.
pub const KERNEL_STACK_SIZE: usize = if cfg!(debug_assertions) { 32 << 10 } else { 16 << 10 };
/// Stacks that a CPU keeps.
const KEPT: usize = 4;

type Kept = SpinLock<SmallVec<[Area; KEPT]>, InterruptsOff>;

static KEPT_STACKS: Once<PerCpu<Kept, InterruptsOff>> = Once::new();

/// Gives each of `cpus` CPUs a place for stacks. Once, when the heap works and the number is known.
pub fn start_kernel_stacks(cpus: usize) {
    let place = |_| SpinLock::new(Rank::KernelStacks, SmallVec::new_const());
    if let Some(places) = PerCpu::new(cpus, place) {
        let _ = KEPT_STACKS.set(places);
    }
}

/// A kernel stack of [`KERNEL_STACK_SIZE`] bytes. Contents are whatever was there.
#[derive(Debug)]
pub struct KernelStack {
    area: ManuallyDrop<Area>,
}

impl KernelStack {
    /// `None` without memory. Process context.
    pub fn new() -> Option<Self> {
        let kept = KEPT_STACKS.get().and_then(|places| places.this().lock().pop());
        let area = match kept {
            Some(area) => area,
            None => {
                let area = Area::new(KERNEL_STACK_SIZE / PAGE_SIZE)?;
                count(Counter::StackPages, (KERNEL_STACK_SIZE / PAGE_SIZE) as i64);
                area
            }
        };
        Some(Self { area: ManuallyDrop::new(area) })
    }

    /// The lowest address of the stack; the page below is unmapped.
    pub fn bottom(&self) -> usize {
        self.area.range().start
    }

    /// One past its highest address.
    pub fn end(&self) -> usize {
        self.area.range().end
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        // SAFETY: taken once, since `self` is being dropped.
        let area = unsafe { ManuallyDrop::take(&mut self.area) };
        let Some(places) = KEPT_STACKS.get() else { return };
        let surplus = {
            let place = places.this();
            let mut kept = place.lock();
            if kept.len() < KEPT {
                kept.push(area);
                None
            } else {
                Some(area)
            }
        };
        if surplus.is_some() {
            count(Counter::StackPages, -((KERNEL_STACK_SIZE / PAGE_SIZE) as i64));
        }
        drop(surplus);
    }
}

/// Stacks that CPUs keep.
pub fn kept() -> usize {
    KEPT_STACKS.get().into_iter().flat_map(|places| places.iter()).map(|place| place.lock().len()).sum()
}

/// Gives all kept stacks back: for counting what is left over.
pub fn drain_kernel_stacks() {
    for place in KEPT_STACKS.get().into_iter().flat_map(|places| places.iter()) {
        let areas = core::mem::take(&mut *place.lock());
        count(Counter::StackPages, -((areas.len() * KERNEL_STACK_SIZE / PAGE_SIZE) as i64));
        drop(areas);
    }
}

/// A stack of any size, for the one thread that needs it.
#[derive(Debug)]
pub struct LargeStack {
    area: Area,
}

impl LargeStack {
    /// A stack of `pages`. `None` without memory, and for fewer pages than [`KernelStack`] has. Process context.
    pub fn new(pages: usize) -> Option<Self> {
        if pages < KERNEL_STACK_SIZE / PAGE_SIZE {
            return None;
        }
        let area = Area::new(pages)?;
        count(Counter::StackPages, pages as i64);
        Some(Self { area })
    }
}

impl Drop for LargeStack {
    fn drop(&mut self) {
        count(Counter::StackPages, -((self.area.range().len() / PAGE_SIZE) as i64));
    }
}

// SAFETY: the area is mapped, page-aligned, at least 16 KiB long, and used for nothing else.
#[cfg(target_os = "none")]
unsafe impl sync::thread::Stack for LargeStack {
    fn top(&self) -> usize {
        self.area.range().end
    }
}

// SAFETY: the area is mapped, page-aligned, at least 16 KiB long, and used for nothing else.
#[cfg(target_os = "none")]
unsafe impl sync::thread::Stack for KernelStack {
    fn top(&self) -> usize {
        self.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_are_apart_and_kept() {
        let _alone = crate::vmalloc::ALONE.lock().unwrap();
        start_kernel_stacks(1);
        let stacks: Vec<KernelStack> = (0..10).map(|_| KernelStack::new().unwrap()).collect();
        let mut bottoms: Vec<usize> = stacks.iter().map(KernelStack::bottom).collect();
        bottoms.sort_unstable();
        assert!(bottoms.windows(2).all(|pair| pair[1] - pair[0] >= KERNEL_STACK_SIZE + PAGE_SIZE));
        drop(stacks);
        let again = KernelStack::new().unwrap();
        assert!(bottoms.contains(&again.bottom()));
        drop(again);
        drain_kernel_stacks();
    }
}
