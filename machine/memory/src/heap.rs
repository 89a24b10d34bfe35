//! The global allocator.
//!
//! Rust's collections and counted pointers cannot be told that there is no memory, so those of at most [`COSTLY`] are not told: where
//! sleeping is allowed the allocation waits until somebody has made memory free ([`Relief`]); where it is not, there is the reserve, whose
//! parts are in [`zones`]. What is larger is sized by programs, asked for by calls that may fail, and fails.
//!
//! Until there are programs, larger pieces are the unpacker's windows (megabytes, more than the zones have in one piece): those come
//! from [`vmalloc`] where the zones have none. It stops with [`refuse_large`], lest a number that a program made up takes all memory.
use crate::descriptor::{self, Kind};
use crate::slab;
use crate::vmalloc;
use crate::zones::{self, ZoneKind};
use crate::{PAGE_SHIFT, physical};
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, Ordering};
use sync::{Once, Rank};

/// Largest order that is waited for (Linux's `PAGE_ALLOC_COSTLY_ORDER`).
const COSTLY: usize = 3;
/// Nanoseconds in which nobody gave anything back, before the last of the reserve is all that is left.
const PATIENCE: u64 = 30_000_000_000;

/// What has come of [`Relief::relieve`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Relieved {
    /// Something may have become free.
    Perhaps,
    /// It is the caller that gives memory back by ending, for which it may need some itself.
    ByEnding,
}

/// Whoever can make memory free.
pub trait Relief: Sync {
    /// Makes memory free, sleeping meanwhile. Process context.
    fn relieve(&self) -> Relieved;

    /// Lets a moment pass, in process context.
    fn wait(&self);
}

static RELIEF: Once<&'static dyn Relief> = Once::new();

/// Says who makes memory free. Once.
pub fn set_relief(relief: &'static dyn Relief) {
    let _ = RELIEF.set(relief);
}

/// Whether what the zones do not have in one piece comes from elsewhere.
static LARGE: AtomicBool = AtomicBool::new(true);

/// From now on sizes are programs' business, and what is too large is refused.
pub fn refuse_large() {
    LARGE.store(false, Ordering::Relaxed);
}

/// Small objects from slabs, the rest from the zones in powers of two of pages.
pub struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

fn order_for(layout: Layout) -> usize {
    let pages = layout.size().max(layout.align()).div_ceil(crate::PAGE_SIZE).max(1);
    pages.next_power_of_two().ilog2() as usize
}

/// One attempt that leaves `floor` pages free.
fn attempt(layout: Layout, floor: usize) -> *mut u8 {
    match slab::class_for(layout.size(), layout.align()) {
        Some(class) => slab::allocate_slowly(class, floor).map_or(null_mut(), |address| address as *mut u8),
        None => block(order_for(layout), floor).map_or(null_mut(), physical::frame_address),
    }
}

/// 2^order pages.
fn block(order: usize, floor: usize) -> Option<u32> {
    let number = zones::allocate_above(order, ZoneKind::Normal, floor)?;
    let block = descriptor::of(number);
    block.order.store(order as u8, Ordering::Relaxed);
    block.kind.store(Kind::Heap as u8, Ordering::Relaxed);
    Some(number)
}

/// Has memory made free once; `None` where the caller cannot wait for that, or is the one who does it.
fn relieve(relief: &dyn Relief) -> Option<Relieved> {
    let current = sync::current();
    // Making memory free may itself need some.
    if !sync::ambient::may_sleep() || current.relieving.swap(true, Ordering::Relaxed) {
        return None;
    }
    let relieved = relief.relieve();
    current.relieving.store(false, Ordering::Relaxed);
    Some(relieved)
}

/// Repeats `attempt`, which found no memory, each time after somebody saw to it. `None` where that was in vain, and for who is ending.
#[cold]
pub(crate) fn wait_for<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let relief = *RELIEF.get()?;
    let until = sync::now() + PATIENCE;
    while sync::now() < until && relieve(relief)? == Relieved::Perhaps {
        if let Some(found) = attempt() {
            return Some(found);
        }
    }
    None
}

#[cold]
fn wait_for_memory(layout: Layout) -> *mut u8 {
    if layout.size() > crate::PAGE_SIZE << COSTLY {
        return if LARGE.load(Ordering::Relaxed) { anywhere(layout) } else { null_mut() };
    }
    if let Some(&relief) = RELIEF.get() {
        let until = sync::now() + PATIENCE;
        while sync::now() < until
            && let Some(relieved) = relieve(relief)
        {
            let is_ending = relieved == Relieved::ByEnding;
            let pointer = attempt(layout, if is_ending { zones::floor_of_the_ending() } else { zones::floor() });
            if !pointer.is_null() {
                return pointer;
            }
            if is_ending {
                relief.wait();
            }
        }
    }
    attempt(layout, 0)
}

/// A large piece before there are programs: nobody needs the reserve yet, and pages need not be neighbours.
fn anywhere(layout: Layout) -> *mut u8 {
    let pointer = attempt(layout, 0);
    if !pointer.is_null() || !sync::ambient::may_sleep() || layout.align() > crate::PAGE_SIZE {
        return pointer;
    }
    vmalloc::allocate(layout.size()).map_or(null_mut(), |address| address as *mut u8)
}

fn allocate_slowly(layout: Layout) -> *mut u8 {
    let pointer = attempt(layout, zones::floor());
    if pointer.is_null() { wait_for_memory(layout) } else { pointer }
}

// SAFETY: slabs, zones and vmalloc hand each byte out once, aligned as asked.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Now and then the lock of a slab is taken; debug kernels see to it every time that it may be.
        sync::ambient::might_lock(Rank::Slab);
        match slab::class_for(layout.size(), layout.align()).and_then(slab::allocate) {
            Some(address) => address as *mut u8,
            None => allocate_slowly(layout),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        sync::ambient::might_lock(Rank::Slab);
        match slab::class_for(layout.size(), layout.align()) {
            // SAFETY: allocated from this class.
            Some(class) => unsafe { slab::free(pointer as usize, class) },
            // SAFETY: allocated there, with this layout.
            None if vmalloc::contains(pointer as usize) => unsafe { vmalloc::free(pointer as usize, layout.size()) },
            None => {
                let number = physical::from_virtual(pointer as usize).0 >> PAGE_SHIFT;
                zones::free(number as u32, order_for(layout));
            }
        }
    }
}
