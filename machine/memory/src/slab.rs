//! The kernel heap's small objects.
//!
//! A **slab** is one page of equal objects; free ones are linked through their own first word. The page's descriptor holds
//! the size class, the number of objects handed out, and the first free object, so freeing needs the address only. Slabs
//! with free objects lie on their class's list. In front of each class stands a **magazine** per CPU: a few objects,
//! reached with interrupts off and without a lock. A slab whose objects all came home goes back to its zone.
use crate::descriptor::{self, Kind, NONE};
use crate::physical;
use crate::zones::{self, ZoneKind};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use sync::{InterruptsOff, Once, PerCpu, Rank, SpinLock};

/// Object sizes. Each divides its own alignment into the page: an object's address is a multiple of the largest power of two
/// in its size.
pub const SIZES: [usize; 15] = [16, 32, 48, 64, 96, 128, 192, 256, 320, 448, 576, 768, 1024, 1344, 2048];
/// Objects that a magazine holds, and how many move at a time.
const ROUNDS: usize = 32;
const BATCH: usize = ROUNDS / 2;
/// "No object": the end of a slab's chain.
const END: u64 = u64::MAX;

/// Class by size in units of 16 bytes.
const CLASS: [u8; 129] = {
    let mut table = [0; 129];
    let mut units = 0;
    while units < table.len() {
        let mut class = 0;
        while SIZES[class] < units * 16 {
            class += 1;
        }
        table[units] = class as u8;
        units += 1;
    }
    table
};

/// The class for a size and alignment, or `None` where slabs are not for it.
#[inline(always)]
pub fn class_for(size: usize, align: usize) -> Option<usize> {
    if align <= 16 {
        return CLASS.get(size.div_ceil(16)).map(|&class| class as usize);
    }
    (0..SIZES.len()).find(|&class| SIZES[class] >= size && SIZES[class].is_multiple_of(align))
}

struct Class {
    /// First slab with free objects.
    partial: SpinLock<u32, InterruptsOff>,
    slabs: AtomicUsize,
    /// Objects outside of their slabs. Written under the lock.
    objects: AtomicUsize,
}

static CLASSES: [Class; SIZES.len()] = [const {
    Class { partial: SpinLock::new(Rank::Slab, NONE), slabs: AtomicUsize::new(0), objects: AtomicUsize::new(0) }
}; SIZES.len()];

struct Magazine {
    /// Written by its CPU only; others read it for the figures.
    count: AtomicUsize,
    objects: UnsafeCell<[usize; ROUNDS]>,
}

impl Magazine {
    const fn new() -> Self {
        Self { count: AtomicUsize::new(0), objects: UnsafeCell::new([0; ROUNDS]) }
    }

    /// # Safety
    /// The magazine is this CPU's own, interrupts are off, and no other reference lives.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "the cell is this CPU's own, which the caller answers for")]
    unsafe fn objects(&self) -> &mut [usize; ROUNDS] {
        // SAFETY: the caller's.
        unsafe { &mut *self.objects.get() }
    }

    /// The newest object.
    ///
    /// # Safety
    /// As [`Magazine::objects`].
    #[inline(always)]
    unsafe fn pop(&self) -> Option<usize> {
        let count = self.count.load(Relaxed).checked_sub(1)?;
        self.count.store(count, Relaxed);
        // SAFETY: the caller's.
        Some(unsafe { self.objects() }[count % ROUNDS])
    }
}

struct Magazines([Magazine; SIZES.len()]);

// SAFETY: each CPU touches its own, with interrupts off.
unsafe impl Sync for Magazines {}
// SAFETY: plain addresses.
unsafe impl Send for Magazines {}

static MAGAZINES: Once<PerCpu<Magazines, InterruptsOff>> = Once::new();

/// Gives each of `cpus` CPUs its magazines. Once.
pub fn start_magazines(cpus: usize) {
    let make = |_| Magazines([const { Magazine::new() }; SIZES.len()]);
    if let Some(magazines) = PerCpu::new(cpus, make) {
        let _ = MAGAZINES.set(magazines);
    }
}

/// An object of `class` that is at hand, or `None`.
#[inline]
pub fn allocate(class: usize) -> Option<usize> {
    let magazines = MAGAZINES.get()?.this();
    // SAFETY: this CPU's own, interrupts are off, and no other reference lives.
    unsafe { magazines.0[class].pop() }
}

/// An object of `class`, from a new page if need be and if `floor` pages stay free; or `None` without memory.
pub fn allocate_slowly(class: usize, floor: usize) -> Option<usize> {
    let Some(magazines) = MAGAZINES.get() else {
        let mut one = [0];
        return (take(class, &mut one, floor) == 1).then_some(one[0]);
    };
    let magazines = magazines.this();
    let magazine = &magazines.0[class];
    if magazine.count.load(Relaxed) == 0 {
        // SAFETY: as in `allocate`.
        let objects = unsafe { magazine.objects() };
        magazine.count.store(take(class, &mut objects[..BATCH], floor), Relaxed);
    }
    // SAFETY: as in `allocate`.
    unsafe { magazine.pop() }
}

/// Gives an object of `class` back.
///
/// # Safety
/// It came from [`allocate`] of the same class and is not used any more.
#[inline]
pub unsafe fn free(address: usize, class: usize) {
    let Some(magazines) = MAGAZINES.get() else {
        // SAFETY: the caller's.
        return unsafe { put(class, &[address]) };
    };
    let magazines = magazines.this();
    let magazine = &magazines.0[class];
    let mut count = magazine.count.load(Relaxed);
    // SAFETY: as in `allocate`.
    let objects = unsafe { magazine.objects() };
    if count == ROUNDS {
        // SAFETY: objects in a magazine are free.
        unsafe { put(class, &objects[..BATCH]) };
        objects.copy_within(BATCH.., 0);
        count -= BATCH;
    }
    objects[count % ROUNDS] = address;
    magazine.count.store(count + 1, Relaxed);
}

/// Empties this CPU's magazines into their slabs, so that slabs without objects go back. Any context but NMI.
pub fn drain() {
    let Some(magazines) = MAGAZINES.get() else { return };
    let magazines = magazines.this();
    for (class, magazine) in magazines.0.iter().enumerate() {
        // SAFETY: as in `allocate`.
        let objects = unsafe { magazine.objects() };
        // SAFETY: objects in a magazine are free.
        unsafe { put(class, &objects[..magazine.count.load(Relaxed)]) };
        magazine.count.store(0, Relaxed);
    }
}

/// Slabs with no more free objects than these are sorted by [`trim`].
const SORTED: usize = 32;

/// Gives back the empty slab that each class keeps, and has the fullest slabs used first from now on, so that the others may become
/// empty too.
pub fn trim() {
    for (class, size) in CLASSES.iter().zip(SIZES) {
        let mut partial = class.partial.lock();
        // By how many objects are free.
        let mut sorted = [NONE; SORTED];
        let mut number = *partial;
        while number != NONE {
            let slab = descriptor::of(number);
            let (next, used) = (slab.next.load(Relaxed), slab.count.load(Relaxed) as usize);
            let place = sorted.get_mut(crate::PAGE_SIZE / size - used);
            if used == 0 {
                unlink(&mut partial, number);
                class.slabs.fetch_sub(1, Relaxed);
                zones::free(number, 0);
            } else if let Some(place) = place {
                unlink(&mut partial, number);
                link(place, number);
            }
            number = next;
        }
        for mut list in sorted.into_iter().rev() {
            while list != NONE {
                let number = list;
                unlink(&mut list, number);
                link(&mut partial, number);
            }
        }
    }
}

fn take(class: usize, objects: &mut [usize], floor: usize) -> usize {
    let mut partial = CLASSES[class].partial.lock();
    let mut count = 0;
    while count < objects.len() {
        if *partial == NONE && !grow(class, &mut partial, floor) {
            break;
        }
        let number = *partial;
        let slab = descriptor::of(number);
        let mut next = slab.private.load(Relaxed);
        while count < objects.len() && next != END {
            let address = physical::frame_address(number) as usize + next as usize;
            objects[count] = address;
            count += 1;
            slab.count.fetch_add(1, Relaxed);
            // SAFETY: a free object of ours, under the class's lock.
            next = unsafe { (address as *const u64).read() };
        }
        slab.private.store(next, Relaxed);
        if next == END {
            unlink(&mut partial, number);
        }
    }
    CLASSES[class].objects.fetch_add(count, Relaxed);
    count
}

fn grow(class: usize, partial: &mut u32, floor: usize) -> bool {
    let Some(number) = zones::allocate_above(0, ZoneKind::Normal, floor) else { return false };
    let (slab, base, size) = (descriptor::of(number), physical::frame_address(number) as usize, SIZES[class]);
    let objects = crate::PAGE_SIZE / size;
    for index in 0..objects {
        let next = if index + 1 == objects { END } else { ((index + 1) * size) as u64 };
        // SAFETY: inside the fresh page.
        unsafe { ((base + index * size) as *mut u64).write(next) };
    }
    slab.kind.store(Kind::Slab as u8, Relaxed);
    slab.class.store(class as u8, Relaxed);
    slab.count.store(0, Relaxed);
    slab.private.store(0, Relaxed);
    link(partial, number);
    CLASSES[class].slabs.fetch_add(1, Relaxed);
    true
}

/// # Safety
/// The objects are of this class, handed out, and not used any more.
unsafe fn put(class: usize, objects: &[usize]) {
    let mut partial = CLASSES[class].partial.lock();
    CLASSES[class].objects.fetch_sub(objects.len(), Relaxed);
    for &address in objects {
        let number = (physical::from_virtual(address).0 >> crate::PAGE_SHIFT) as u32;
        let slab = descriptor::of(number);
        debug_assert_eq!((slab.kind.load(Relaxed), slab.class.load(Relaxed)), (Kind::Slab as u8, class as u8));
        let first = slab.private.load(Relaxed);
        // SAFETY: the caller gives the object back.
        unsafe { (address as *mut u64).write(first) };
        slab.private.store((address % crate::PAGE_SIZE) as u64, Relaxed);
        if first == END {
            link(&mut partial, number);
        }
        // One empty slab stays, so that a lone object going to and fro does not cost a page each time.
        if slab.count.fetch_sub(1, Relaxed) == 1 && (*partial != number || slab.next.load(Relaxed) != NONE) {
            unlink(&mut partial, number);
            CLASSES[class].slabs.fetch_sub(1, Relaxed);
            zones::free(number, 0);
        }
    }
}

fn link(partial: &mut u32, number: u32) {
    let slab = descriptor::of(number);
    slab.next.store(*partial, Relaxed);
    slab.previous.store(NONE, Relaxed);
    if *partial != NONE {
        descriptor::of(*partial).previous.store(number, Relaxed);
    }
    *partial = number;
}

fn unlink(partial: &mut u32, number: u32) {
    let slab = descriptor::of(number);
    let (next, previous) = (slab.next.load(Relaxed), slab.previous.load(Relaxed));
    match previous {
        NONE => *partial = next,
        previous => descriptor::of(previous).next.store(next, Relaxed),
    }
    if next != NONE {
        descriptor::of(next).previous.store(previous, Relaxed);
    }
}

/// Runs `action` with the lock of the class for `size` bytes held: for provoking panics there.
pub fn with_class_locked<R>(size: usize, action: impl FnOnce() -> R) -> R {
    let _held = class_for(size, 8).map(|class| CLASSES[class].partial.lock());
    action()
}

/// One size, as /proc/slabinfo shows it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Bytes of an object.
    pub size: usize,
    /// Objects that are in use.
    pub objects: usize,
    /// Objects that CPUs keep for their next use.
    pub kept: usize,
    pub slabs: usize,
}

/// A row for each size. Exact where nothing is taken or given back meanwhile.
pub fn rows() -> [Row; SIZES.len()] {
    core::array::from_fn(|class| {
        let magazines = MAGAZINES.get().into_iter().flat_map(|magazines| magazines.iter());
        let kept = magazines.map(|magazines| magazines.0[class].count.load(Relaxed)).sum();
        Row {
            size: SIZES[class],
            objects: CLASSES[class].objects.load(Relaxed).saturating_sub(kept),
            kept,
            slabs: CLASSES[class].slabs.load(Relaxed),
        }
    })
}

/// Slabs of each size, for the leak tests.
pub fn slabs() -> [(usize, usize); SIZES.len()] {
    core::array::from_fn(|class| (SIZES[class], CLASSES[class].slabs.load(Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn classes_fit() {
        for size in 1..=2048 {
            for align in [1, 8, 16, 32, 64, 128, 1024] {
                if let Some(class) = class_for(size, align) {
                    assert!(SIZES[class] >= size && SIZES[class].is_multiple_of(align.min(16)));
                    assert!(align <= 16 || SIZES[class].is_multiple_of(align));
                }
            }
        }
        assert_eq!(class_for(2049, 8), None);
    }

    #[test]
    fn objects_are_distinct_and_slabs_go_home() {
        let class = class_for(96, 8).unwrap();
        let objects: Vec<usize> = (0..1000).map(|_| allocate_slowly(class, 0).unwrap()).collect();
        assert_eq!(objects.iter().collect::<HashSet<_>>().len(), 1000);
        assert!(slabs()[class].1 >= 1000 / (4096 / 96));
        for &object in &objects {
            // SAFETY: allocated above.
            unsafe { free(object, class) };
        }
        assert!(slabs()[class].1 <= 1, "all but one slab are free again");
        trim();
        assert_eq!((slabs()[class].1, rows()[class].objects), (0, 0), "and the last");
    }

    #[test]
    fn the_fullest_slab_is_used_first() {
        let class = class_for(1000, 8).unwrap();
        let objects: Vec<usize> = (0..40).map(|_| allocate_slowly(class, 0).unwrap()).collect();
        let page = |object: usize| object / crate::PAGE_SIZE;
        // Of the first page one object stays, of the second three, of the others none.
        let pages = [page(objects[0]), page(objects[4])];
        let stays = |index: usize| {
            page(objects[index]) == pages[0] && index == 0 || page(objects[index]) == pages[1] && index != 4
        };
        let kept: Vec<usize> = (0..40).filter(|&index| stays(index)).collect();
        assert_eq!(kept.len(), 4);
        for (_, &object) in objects.iter().enumerate().filter(|(index, _)| !kept.contains(index)).rev() {
            // SAFETY: allocated above.
            unsafe { free(object, class) };
        }
        trim();
        assert_eq!(slabs()[class].1, 2, "pages with objects");
        assert_eq!(page(allocate_slowly(class, 0).unwrap()), pages[1]);
    }
}
