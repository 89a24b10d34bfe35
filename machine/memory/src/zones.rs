//! Zones of frames, and each CPU's stock of single frames in front of them.
use crate::batch::Batch;
use crate::buddy::{Buddy, ORDERS};
use crate::descriptor::{self, Descriptor, Kind};
use crate::{owners, physical};
use core::cell::RefCell;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use sync::{InterruptsOff, Once, PerCpu, Rank, SpinLock};

/// Zones as Linux names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ZoneKind {
    /// Below 16 MiB: for old devices.
    Dma = 0,
    /// Below 4 GiB: for devices with 32-bit addresses.
    Dma32 = 1,
    /// The rest.
    Normal = 2,
}

/// First frame beyond each zone.
const LIMITS: [u32; 3] = [0x1000, 0x10_0000, u32::MAX];
const NAMES: [&str; 3] = ["DMA", "DMA32", "Normal"];
/// Frames that a CPU takes from or gives to a zone at a time, and the most it keeps.
const BATCH: usize = 32;
const STOCK: usize = 2 * BATCH;

struct Zone {
    buddy: SpinLock<Buddy, InterruptsOff>,
    managed: AtomicUsize,
}

const fn zone(start: u32, end: u32) -> Zone {
    Zone { buddy: SpinLock::new(Rank::Frames, Buddy::new(start..end)), managed: AtomicUsize::new(0) }
}

static ZONES: [Zone; 3] = [zone(0, LIMITS[0]), zone(LIMITS[0], LIMITS[1]), zone(LIMITS[1], LIMITS[2])];

/// A CPU's own frames, newest last.
struct Stock {
    frames: SpinLock<RefCell<Batch<STOCK>>, InterruptsOff>,
}

static STOCKS: Once<PerCpu<Stock, InterruptsOff>> = Once::new();

/// Gives each of `cpus` CPUs a stock. Once, when the heap works and the number is known.
pub fn start_stocks(cpus: usize) {
    let stock = |_| Stock { frames: SpinLock::new(Rank::FrameStock, RefCell::new(Batch::new())) };
    if let Some(stocks) = PerCpu::new(cpus, stock) {
        let _ = STOCKS.set(stocks);
    }
}

/// Counts of frames, for /proc/meminfo, zoneinfo and buddyinfo.
#[derive(Clone, Debug)]
pub struct Statistics {
    pub name: &'static str,
    /// Pages that the zone hands out.
    pub managed: usize,
    /// Pages free, stocks included.
    pub free: usize,
    pub blocks: [usize; ORDERS],
}

/// One row for each zone; frames in the CPUs' stocks count as free, in the zone of their number.
pub fn statistics() -> [Statistics; 3] {
    #[cfg(not(target_os = "none"))]
    host_arena();
    let mut rows = [0, 1, 2].map(|index| {
        let buddy = ZONES[index].buddy.lock();
        Statistics {
            name: NAMES[index],
            managed: ZONES[index].managed.load(Relaxed),
            free: buddy.free_pages(),
            blocks: buddy.blocks(),
        }
    });
    if let Some(stocks) = STOCKS.get() {
        for stock in stocks.iter() {
            for &number in stock.frames.lock().borrow().as_slice() {
                rows[zone_of(number)].free += 1;
            }
        }
    }
    rows
}

fn zone_of(number: u32) -> usize {
    usize::from(number >= LIMITS[0]) + usize::from(number >= LIMITS[1])
}

/// Hands RAM to the zones.
pub(crate) fn add(pages: Range<u32>) {
    let mut start = pages.start;
    for (zone, limit) in ZONES.iter().zip(LIMITS) {
        let end = pages.end.min(limit);
        if start < end {
            for number in start..end {
                descriptor::of(number).zone.store(zone_of(number) as u8, Relaxed);
            }
            zone.buddy.lock().add(descriptor::table(), start..end);
            zone.managed.fetch_add((end - start) as usize, Relaxed);
            FREE.fetch_add((end - start) as usize, Relaxed);
            start = end;
        }
    }
}

/// Pages that only the kernel itself may take: the heap and page tables go on when programs have used up the rest. The upper half is for
/// those who could wait, the next quarter for those who are ending, the last for whoever holds a spinlock or serves an interrupt.
static RESERVE: AtomicUsize = AtomicUsize::new(0);

/// Pages free in all zones, without the CPUs' stocks.
static FREE: AtomicUsize = AtomicUsize::new(0);

/// The fewest that the kernel found free when it drew on the reserve.
static LOWEST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// How many pages of the reserve there were left at the worst.
pub fn lowest_reserve() -> usize {
    LOWEST.load(Relaxed).min(RESERVE.load(Relaxed))
}

/// Pages free in all zones together.
pub(crate) fn available() -> usize {
    FREE.load(Relaxed)
}

/// Whether programs get no more pages.
pub fn is_short() -> bool {
    FREE.load(Relaxed) < RESERVE.load(Relaxed) + BATCH
}

/// Pages that an allocation of the kernel's own leaves free: where it may sleep it stays above half of the reserve, and waits for memory
/// otherwise; where it may not, it may have all. Who draws on the reserve has to see to memory on its way to user mode.
#[cfg(target_os = "none")]
pub(crate) fn floor() -> usize {
    let (reserve, free) = (RESERVE.load(Relaxed), FREE.load(Relaxed));
    if free < reserve {
        LOWEST.fetch_min(free, Relaxed);
        sync::current().add_work(sync::thread::work::SHORTAGE);
    }
    if sync::ambient::may_sleep() { reserve / 2 } else { 0 }
}

/// What those leave free who are on their way out. There may be many, so this is not all either.
#[cfg_attr(not(target_os = "none"), allow(dead_code, reason = "the host has a heap of its own"))]
pub(crate) fn floor_of_the_ending() -> usize {
    RESERVE.load(Relaxed) / 4
}

/// Takes 2^order pages for programs: never from the reserve.
pub(crate) fn allocate(order: usize, highest: ZoneKind) -> Option<u32> {
    allocate_above(order, highest, RESERVE.load(Relaxed))
}

/// Takes 2^order pages from `highest` or, where it is exhausted, from the zones below it.
pub(crate) fn allocate_above(order: usize, highest: ZoneKind, reserve: usize) -> Option<u32> {
    #[cfg(not(target_os = "none"))]
    host_arena();
    if order == 0
        && highest == ZoneKind::Normal
        && let Some(stocks) = STOCKS.get()
    {
        let local = stocks.this();
        let frames = local.frames.lock();
        let mut frames = frames.borrow_mut();
        if frames.is_empty() || FREE.load(Relaxed) < reserve {
            restock(&mut frames, reserve);
        }
        return frames.pop();
    }
    if FREE.load(Relaxed) < reserve + (1 << order) {
        return None;
    }
    let number =
        (0..=highest as usize).rev().find_map(|zone| ZONES[zone].buddy.lock().allocate(descriptor::table(), order))?;
    FREE.fetch_sub(1 << order, Relaxed);
    Some(number)
}

/// Takes up to `count` single pages for programs, at most a batch; answers how many it handed to `take`.
pub(crate) fn allocate_pages(count: usize, mut take: impl FnMut(u32)) -> usize {
    let Some(stocks) = STOCKS.get() else {
        let singles = (0..count).map_while(|_| allocate(0, ZoneKind::Normal));
        return singles.map(take).count();
    };
    let local = stocks.this();
    let frames = local.frames.lock();
    let mut frames = frames.borrow_mut();
    let reserve = RESERVE.load(Relaxed);
    for taken in 0..count.min(BATCH) {
        if frames.is_empty() || FREE.load(Relaxed) < reserve {
            restock(&mut frames, reserve);
            // Where memory is short nobody gets more than the one that cannot wait.
            if taken > 0 && frames.len() < BATCH {
                return taken;
            }
        }
        let Some(number) = frames.pop() else { return taken };
        take(number);
    }
    count.min(BATCH)
}

/// Fills an empty stock so far that `reserve` pages stay free. Where fewer are, what the stock has goes to the zones first, or programs would
/// live on what is freed meanwhile; and the reserve itself is taken page by page, because what lies in a stock is anybody's.
#[cold]
fn restock(frames: &mut Batch<STOCK>, reserve: usize) {
    while FREE.load(Relaxed) < reserve
        && let Some(number) = frames.pop()
    {
        free_to_zone(number, 0);
    }
    let most = if reserve < RESERVE.load(Relaxed) && is_short() { 1 } else { BATCH };
    let most = FREE.load(Relaxed).saturating_sub(reserve).min(most);
    if frames.is_empty() && most > 0 {
        refill(frames, most);
    }
}

fn refill(frames: &mut Batch<STOCK>, most: usize) {
    for zone in ZONES.iter().rev() {
        let mut buddy = zone.buddy.lock();
        // In the largest blocks that there are: frames that are handed out one behind the other are mostly given back so.
        let mut order = most.ilog2();
        while frames.len() < most {
            order = order.min((most - frames.len()).ilog2());
            match buddy.allocate(descriptor::table(), order as usize) {
                Some(number) => {
                    FREE.fetch_sub(1 << order, Relaxed);
                    for number in (number..number + (1 << order)).rev() {
                        descriptor::of(number).kind.store(Kind::Inner as u8, Relaxed);
                        frames.push(number);
                    }
                }
                None if order == 0 => break,
                None => order -= 1,
            }
        }
        if frames.len() == most {
            return;
        }
    }
}

/// Gives 2^order pages back.
pub(crate) fn free(number: u32, order: usize) {
    if order == 0
        && let Some(stocks) = STOCKS.get()
    {
        let local = stocks.this();
        let frames = local.frames.lock();
        keep(&mut frames.borrow_mut(), number);
        return;
    }
    free_to_zone(number, order);
}

/// Gives single pages back.
pub(crate) fn free_pages(numbers: &[u32]) {
    let Some(stocks) = STOCKS.get() else { return numbers.iter().for_each(|&number| free_to_zone(number, 0)) };
    // Interrupts are off for no longer.
    for numbers in numbers.chunks(BATCH) {
        let local = stocks.this();
        let frames = local.frames.lock();
        let mut frames = frames.borrow_mut();
        numbers.iter().for_each(|&number| keep(&mut frames, number));
    }
}

#[inline]
fn keep(frames: &mut Batch<STOCK>, number: u32) {
    if frames.is_full() {
        spill(frames);
    }
    descriptor::of(number).kind.store(Kind::Inner as u8, Relaxed);
    frames.push(number);
}

/// Gives the oldest frames of a stock to their zones, neighbours together.
fn spill(frames: &mut Batch<STOCK>) {
    let mut batch = &frames.as_slice()[..BATCH];
    while let Some(&first) = batch.first() {
        let run = batch.iter().zip(first..).take_while(|(number, expected)| *number == expected).count();
        let (mut number, end) = (first, first + run as u32);
        while number < end {
            let order = number.trailing_zeros().min((end - number).ilog2());
            free_to_zone(number, order as usize);
            number += 1 << order;
        }
        batch = &batch[run..];
    }
    frames.drop_front(BATCH);
}

/// Gives all CPUs' single pages to their zones.
pub(crate) fn drain_stocks() {
    for stock in STOCKS.get().into_iter().flat_map(|stocks| stocks.iter()) {
        let frames = stock.frames.lock();
        let mut frames = frames.borrow_mut();
        while let Some(number) = frames.pop() {
            free_to_zone(number, 0);
        }
    }
}

fn free_to_zone(number: u32, order: usize) {
    ZONES[zone_of(number)].buddy.lock().free(descriptor::table(), number, order);
    FREE.fetch_add(1 << order, Relaxed);
}

/// Where the RAM is and what of it is taken, as boot found it: builds the descriptors and fills the zones. `ram` and
/// `taken` are in bytes; `taken` is subtracted page by page, rounded outwards. `table` is zeroed memory for descriptors.
pub fn initialise(table: &'static [Descriptor], ram: &[Range<u64>], taken: &[Range<u64>]) {
    physical::set_frame_count(table.len());
    descriptor::install(table);
    for range in ram {
        let pages = range.start.div_ceil(4096) as u32..(range.end / 4096).min(table.len() as u64) as u32;
        owners::add_ram(pages.clone());
        add_except(pages, taken);
    }
}

fn add_except(pages: Range<u32>, taken: &[Range<u64>]) {
    if pages.is_empty() {
        return;
    }
    let in_the_way = taken.iter().map(|range| (range.start / 4096) as u32..range.end.div_ceil(4096) as u32);
    match in_the_way
        .filter(|hole| hole.start < pages.end && pages.start < hole.end && !hole.is_empty())
        .min_by_key(|hole| hole.start)
    {
        None => add(pages),
        Some(hole) => {
            if pages.start < hole.start {
                add(pages.start..hole.start);
            }
            add_except(hole.end.max(pages.start)..pages.end, taken);
        }
    }
}

/// Sets aside a 64th of memory, between 128 pages and 16 MiB, for the kernel itself.
pub fn set_reserve() {
    let managed: usize = ZONES.iter().map(|zone| zone.managed.load(Relaxed)).sum();
    RESERVE.store((managed / 64).clamp(128, 4096), Relaxed);
}

/// How many pages those are.
pub fn reserve() -> usize {
    RESERVE.load(Relaxed)
}

/// Runs `action` with the lock of a zone held: for provoking panics there.
pub fn with_zone_locked<R>(zone: ZoneKind, action: impl FnOnce() -> R) -> R {
    let _held = ZONES[zone as usize].buddy.lock();
    action()
}

/// Gives pages that were taken at boot (the initramfs, start-up code) to the zones.
pub fn release(pages: Range<u32>) {
    add(pages);
}

/// The host's arena: 256 MiB of "RAM", of which the first page is missing so that frame 0 is never handed out.
#[cfg(not(target_os = "none"))]
pub(crate) fn host_arena() -> usize {
    use std::alloc::{Layout, alloc_zeroed};
    static ARENA: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    static FILLED: std::sync::Once = std::sync::Once::new();
    const PAGES: usize = 65536;
    let base = *ARENA.get_or_init(|| {
        let layout = Layout::from_size_align(PAGES * 4096, 4096).expect("a small constant");
        // SAFETY: the size is not zero.
        unsafe { alloc_zeroed(layout) as usize }
    });
    FILLED.call_once(|| {
        let table: Vec<Descriptor> = (0..PAGES).map(|_| Descriptor::new()).collect();
        physical::set_frame_count(PAGES);
        descriptor::install(table.leak());
        ZONES[1].buddy.lock().add(descriptor::table(), 4096..PAGES as u32);
        ZONES[1].managed.fetch_add(PAGES - 4096, Relaxed);
        FREE.fetch_add(PAGES - 4096, Relaxed);
    });
    base
}

#[cfg(not(target_os = "none"))]
use alloc::vec::Vec;
