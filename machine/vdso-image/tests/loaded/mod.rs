//! The image as a process has it: the page of clocks, and the code after it.
#![allow(dead_code, reason = "each test uses its part")]

use object::{Object, ObjectSymbol};
use std::arch::asm;
use std::collections::BTreeMap;
use std::mem::transmute;
use std::ops::Range;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use time::{Clock, Timespec};
use vdso_image::{Contents, IMAGE, Publisher, Store, VVAR_PAGES};

const PAGE: usize = 4096;

pub const REALTIME: u32 = 0;
pub const MONOTONIC: u32 = 1;
pub const MONOTONIC_RAW: u32 = 4;
pub const REALTIME_COARSE: u32 = 5;
pub const MONOTONIC_COARSE: u32 = 6;
pub const BOOTTIME: u32 = 7;
pub const TAI: u32 = 11;

pub type ClockGetTime = unsafe extern "C" fn(u32, *mut [i64; 2]) -> i32;
pub type GetTimeOfDay = unsafe extern "C" fn(*mut [i64; 2], *mut [i32; 2]) -> i32;
pub type Time = unsafe extern "C" fn(*mut i64) -> i64;
pub type GetCpu = unsafe extern "C" fn(*mut u32, *mut u32, usize) -> i32;

pub struct Loaded {
    base: *mut u8,
    symbols: BTreeMap<String, usize>,
    publisher: Mutex<Publisher>,
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: the whole mapping, which nothing borrows any more.
        unsafe { libc::munmap(self.base.cast(), VVAR_PAGES * PAGE + IMAGE.len()) };
    }
}

// SAFETY: the code is never written, the page of clocks only by atomic stores.
unsafe impl Sync for Loaded {}

impl Loaded {
    pub fn new() -> Self {
        let (data, length) = (VVAR_PAGES * PAGE, VVAR_PAGES * PAGE + IMAGE.len());
        let writable = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, wherever there is room.
        let base =
            unsafe { libc::mmap(ptr::null_mut(), length, writable, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
        assert_ne!(base, libc::MAP_FAILED);
        let base = base.cast::<u8>();
        // SAFETY: inside the mapping, which nobody else knows yet.
        unsafe {
            ptr::copy_nonoverlapping(IMAGE.as_ptr(), base.add(data), IMAGE.len());
            assert_eq!(libc::mprotect(base.add(data).cast(), IMAGE.len(), libc::PROT_READ | libc::PROT_EXEC), 0);
        }
        let elf = object::File::parse(IMAGE).unwrap();
        let symbols =
            elf.dynamic_symbols().map(|symbol| (symbol.name().unwrap().to_owned(), symbol.address() as usize));
        Self { base, symbols: symbols.collect(), publisher: Mutex::new(Publisher::new()) }
    }

    pub fn with(contents: &Contents) -> Self {
        let loaded = Self::new();
        loaded.publish(|| *contents);
        loaded
    }

    /// Makes the page say what `contents` answers while readers wait.
    pub fn publish(&self, contents: impl FnOnce() -> Contents) {
        let mut publisher = self.publisher.lock().unwrap();
        self.store(publisher.open());
        for store in publisher.close(&contents()) {
            self.store(store);
        }
    }

    pub fn open(&self) {
        self.store(self.publisher.lock().unwrap().open());
    }

    fn store(&self, (offset, word): Store) {
        assert!(offset.is_multiple_of(8) && offset < PAGE);
        // SAFETY: an aligned word of the page of clocks, which is only accessed atomically.
        unsafe { AtomicU64::from_ptr(self.base.add(offset).cast()) }.store(word, Ordering::Release);
    }

    /// Where the code is.
    pub fn code(&self) -> Range<usize> {
        let start = self.base as usize + VVAR_PAGES * PAGE;
        start..start + IMAGE.len()
    }

    fn address(&self, name: &str) -> usize {
        self.code().start + self.symbols[name]
    }

    pub fn clock_gettime(&self) -> ClockGetTime {
        // SAFETY: the function of that name has this type.
        unsafe { transmute(self.address("__vdso_clock_gettime")) }
    }

    pub fn clock_getres(&self) -> ClockGetTime {
        // SAFETY: as above.
        unsafe { transmute(self.address("__vdso_clock_getres")) }
    }

    pub fn gettimeofday(&self) -> GetTimeOfDay {
        // SAFETY: as above.
        unsafe { transmute(self.address("__vdso_gettimeofday")) }
    }

    pub fn time(&self) -> Time {
        // SAFETY: as above.
        unsafe { transmute(self.address("__vdso_time")) }
    }

    pub fn getcpu(&self) -> GetCpu {
        // SAFETY: as above.
        unsafe { transmute(self.address("__vdso_getcpu")) }
    }

    /// `clock_gettime` as a `Timespec`.
    pub fn clock(&self, clock: u32) -> Timespec {
        let mut answer = [-1; 2];
        // SAFETY: the pointer is good.
        assert_eq!(unsafe { self.clock_gettime()(clock, &mut answer) }, 0);
        Timespec::new(answer[0], answer[1]).expect("nanoseconds in range")
    }

    /// `gettimeofday` without a time zone.
    pub fn time_of_day(&self) -> [i64; 2] {
        let mut answer = [-1; 2];
        // SAFETY: the pointer is good.
        assert_eq!(unsafe { self.gettimeofday()(&mut answer, ptr::null_mut()) }, 0);
        answer
    }

    pub fn seconds(&self) -> i64 {
        // SAFETY: null is allowed.
        unsafe { self.time()(ptr::null_mut()) }
    }
}

/// The time-stamp counter.
pub fn cycles() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: reads the counter.
    unsafe { asm!("lfence", "rdtsc", "lfence", out("rax") low, out("rdx") high, options(nostack)) };
    low | high << 32
}

/// What a page with only this clock says.
pub fn exact(clock: Clock) -> Contents {
    Contents { clock: Some(clock), ..Contents::default() }
}
