//! The vDSO (`vdso(7)`): the clocks and the CPU's number without entering the kernel.
//!
//! **Problem.** Programs ask for the time millions of times a second; the kernel's answer is a multiplication on a counter
//! that user mode can read itself. The kernel maps this code, and before it a page that it keeps up to date, into every
//! address space, and tells the address of the code's ELF header in the auxiliary vector (`AT_SYSINFO_EHDR`).
//!
//! **Model.** The page is [`time::vvar::ClockPage`]; reading it, and turning cycles into time, is code of the crate `time`, the
//! same that the kernel's own system calls run. Here is only what Rust cannot say safely: where the page is, the counter, the
//! caller's pointers, and the system call where the page does not know. Every function may be called from a signal handler.
//!
//! **Invariants.** The object has one read-only segment, no relocations, no writable data, no calls out of itself; nothing in it
//! can panic. The linker script and the link's strictness hold that: an undefined symbol is an error. The page lies directly
//! before the ELF header.
//!
//! **Why not** a bad pointer as EFAULT: user mode cannot find out; the program faults, as it does on Linux.

#![no_std]

mod machine;

use core::ffi::c_void;
use machine::{TimeStampCounter, call, cpu_word, page};
use time::Moment;
use time::vvar::cpu_and_node;

/// `struct timespec`.
#[repr(C)]
pub struct KernelTimespec {
    seconds: i64,
    nanoseconds: i64,
}

/// `struct timeval`.
#[repr(C)]
pub struct Timeval {
    seconds: i64,
    microseconds: i64,
}

/// `struct timezone`.
#[repr(C)]
pub struct Timezone {
    minutes_west: i32,
    daylight_saving: i32,
}

// `clockid_t` (`clock_gettime(2)`).
const CLOCK_REALTIME: u32 = 0;
const CLOCK_MONOTONIC: u32 = 1;
const CLOCK_MONOTONIC_RAW: u32 = 4;
const CLOCK_REALTIME_COARSE: u32 = 5;
const CLOCK_MONOTONIC_COARSE: u32 = 6;
const CLOCK_BOOTTIME: u32 = 7;
const CLOCK_TAI: u32 = 11;

// System calls.
const GETTIMEOFDAY: usize = 96;
const TIME: usize = 201;
const CLOCK_GETTIME: usize = 228;
const CLOCK_GETRES: usize = 229;
const GETCPU: usize = 309;

// The names without the prefix, which static programs and older libraries look up.
core::arch::global_asm!(
    ".macro alias name",
    ".weak \\name",
    ".type \\name, @function",
    ".set \\name, __vdso_\\name",
    ".endm",
    "alias clock_gettime",
    "alias clock_getres",
    "alias gettimeofday",
    "alias time",
    "alias getcpu",
    ".purgem alias",
);

/// `clock_gettime(2)`; answers zero or a negative errno, as all of these do.
///
/// # Safety
/// `time` may be written: what the kernel would answer with EFAULT is a fault here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_clock_gettime(clock: u32, time: *mut KernelTimespec) -> i32 {
    // Comparisons, for what is asked for most: a table of jumps costs more.
    let answered = if clock == CLOCK_MONOTONIC {
        page().monotonic(TimeStampCounter)
    } else if clock == CLOCK_REALTIME {
        page().realtime(TimeStampCounter)
    } else {
        // SAFETY: the caller's promise.
        return unsafe { rarer_clock(clock, time) };
    };
    let Some(now) = answered else { return ask_kernel(clock, time) };
    // SAFETY: the caller's promise.
    unsafe { time.write(exact(now)) };
    0
}

/// The clocks that are asked for less often, apart so that they cost the others no registers.
///
/// # Safety
/// As [`__vdso_clock_gettime`].
#[inline(never)]
unsafe extern "C" fn rarer_clock(clock: u32, time: *mut KernelTimespec) -> i32 {
    let answered = match clock {
        // No suspend, and no correction of the rate that `CLOCK_MONOTONIC_RAW` would be free of.
        CLOCK_MONOTONIC_RAW | CLOCK_BOOTTIME => page().monotonic(TimeStampCounter).map(exact),
        CLOCK_REALTIME_COARSE => page().realtime(TimeStampCounter).map(coarse),
        CLOCK_MONOTONIC_COARSE => page().monotonic(TimeStampCounter).map(coarse),
        CLOCK_TAI => page().tai(TimeStampCounter).map(exact),
        _ => None,
    };
    let Some(now) = answered else { return ask_kernel(clock, time) };
    // SAFETY: the caller's promise.
    unsafe { time.write(now) };
    0
}

#[cold]
#[inline(never)]
extern "C" fn ask_kernel(clock: u32, time: *mut KernelTimespec) -> i32 {
    call(CLOCK_GETTIME, clock as usize, time as usize, 0) as i32
}

/// `clock_getres(2)`.
///
/// # Safety
/// `resolution` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_clock_getres(clock: u32, resolution: *mut KernelTimespec) -> i32 {
    let nanoseconds = match clock {
        _ if !page().has_clocks() => None,
        CLOCK_REALTIME | CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_BOOTTIME | CLOCK_TAI => Some(1),
        CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE => Some(time::TICK_NS as i64),
        _ => None,
    };
    let Some(nanoseconds) = nanoseconds else {
        return call(CLOCK_GETRES, clock as usize, resolution as usize, 0) as i32;
    };
    if !resolution.is_null() {
        // SAFETY: the caller's promise.
        unsafe { resolution.write(KernelTimespec { seconds: 0, nanoseconds }) };
    }
    0
}

/// `gettimeofday(2)`.
///
/// # Safety
/// Each pointer is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_gettimeofday(time: *mut Timeval, zone: *mut Timezone) -> i32 {
    let page = page();
    if !time.is_null() {
        let Some(now) = page.realtime(TimeStampCounter) else {
            return call(GETTIMEOFDAY, time as usize, zone as usize, 0) as i32;
        };
        // SAFETY: the caller's promise.
        unsafe { time.write(Timeval { seconds: now.seconds(), microseconds: now.microseconds() as i64 }) };
    }
    if !zone.is_null() {
        let (minutes_west, daylight_saving) = page.time_zone();
        // SAFETY: the caller's promise.
        unsafe { zone.write(Timezone { minutes_west, daylight_saving }) };
    }
    0
}

/// `time(2)`.
///
/// # Safety
/// `time` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_time(time: *mut i64) -> i64 {
    let Some(seconds) = page().realtime(TimeStampCounter).map(Moment::seconds) else {
        return call(TIME, time as usize, 0, 0) as i64;
    };
    if !time.is_null() {
        // SAFETY: the caller's promise.
        unsafe { time.write(seconds) };
    }
    seconds
}

/// `getcpu(2)`; the third argument has had no meaning since Linux 2.6.24.
///
/// # Safety
/// Each pointer is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_getcpu(cpu: *mut u32, node: *mut u32, cache: *mut c_void) -> i32 {
    let Some(source) = page().cpu_source() else {
        return call(GETCPU, cpu as usize, node as usize, cache as usize) as i32;
    };
    let (on_cpu, on_node) = cpu_and_node(cpu_word(source));
    if !cpu.is_null() {
        // SAFETY: the caller's promise.
        unsafe { cpu.write(on_cpu) };
    }
    if !node.is_null() {
        // SAFETY: the caller's promise.
        unsafe { node.write(on_node) };
    }
    0
}

#[inline(always)]
fn exact(now: Moment) -> KernelTimespec {
    KernelTimespec { seconds: now.seconds(), nanoseconds: now.nanoseconds() as i64 }
}

#[inline(always)]
fn coarse(now: Moment) -> KernelTimespec {
    KernelTimespec { seconds: now.seconds(), nanoseconds: now.coarse_nanoseconds() as i64 }
}
