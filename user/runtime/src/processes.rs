//! Processes, signals, time, the end of the machine.

use crate::call::{Errno, Result, call, number};

/// A child changed state.
pub const SIGCHLD: usize = 17;

/// Nobody reads the pipe that was written.
pub const SIGPIPE: usize = 13;

const SA_RESTORER: u64 = 0x0400_0000;
const SIG_BLOCK: usize = 0;
const SIG_SETMASK: usize = 2;
const WNOHANG: usize = 1;
const CLOCK_MONOTONIC: usize = 1;

/// `struct timespec` of so many milliseconds.
pub(crate) fn timespec(milliseconds: u64) -> [u64; 2] {
    [milliseconds / 1000, milliseconds % 1000 * 1_000_000]
}

/// Ends the process.
pub fn exit(status: i32) -> ! {
    loop {
        // SAFETY: does not return.
        let _ = unsafe { call(number::EXIT_GROUP, [status as usize, 0, 0, 0, 0, 0]) };
        // SAFETY: as above, for a kernel without that call.
        let _ = unsafe { call(number::EXIT, [status as usize, 0, 0, 0, 0, 0]) };
    }
}

/// A copy of this process: `None` in the child, the child's id in the parent.
///
/// # Errors
/// fork(2).
pub fn fork() -> Result<Option<i32>> {
    // SAFETY: the child has its own copy of everything, and there are no threads.
    let child = unsafe { call(number::FORK, [0; 6])? };
    Ok(if child == 0 { None } else { Some(child as i32) })
}

/// Becomes another program; returns only when that failed.
///
/// # Safety
/// `path` and every string of the two null-terminated vectors are closed by a NUL.
pub unsafe fn execute(path: *const u8, arguments: *const *const u8, environment: *const *const u8) -> Errno {
    // SAFETY: the caller's.
    let answer = unsafe { call(number::EXECVE, [path as usize, arguments as usize, environment as usize, 0, 0, 0]) };
    answer.err().unwrap_or(Errno::ENOSYS)
}

/// This process's id.
#[must_use]
pub fn process_id() -> i32 {
    // SAFETY: no pointers.
    unsafe { call(number::GETPID, [0; 6]) }.unwrap_or(0) as i32
}

/// Reaps a child that ended: its id and wait status; `None` when none did (with `wait`: sleeps until one does).
///
/// # Errors
/// wait4(2): ECHILD.
pub fn reap(wait: bool) -> Result<Option<(i32, u32)>> {
    let mut status = 0_u32;
    let options = if wait { 0 } else { WNOHANG };
    let place = core::ptr::from_mut(&mut status) as usize;
    loop {
        // SAFETY: the kernel writes one integer.
        match unsafe { call(number::WAIT4, [usize::MAX, place, options, 0, 0, 0]) } {
            Err(Errno::EINTR) => {}
            Ok(0) => return Ok(None),
            Ok(child) => return Ok(Some((child as i32, status))),
            Err(errno) => return Err(errno),
        }
    }
}

/// Sends a signal.
pub fn kill(process: i32, signal: usize) {
    // SAFETY: no pointers.
    let _ = unsafe { call(number::KILL, [process as usize, signal, 0, 0, 0, 0]) };
}

/// Leads a new session.
pub fn new_session() {
    // SAFETY: no pointers.
    let _ = unsafe { call(number::SETSID, [0; 6]) };
}

/// Catches a signal and does nothing: calls are interrupted or fail, the process lives. (Ignoring it would outlast execve.)
///
/// # Errors
/// sigaction(2).
pub fn catch(signal: usize) -> Result<()> {
    // `struct sigaction`: handler, flags, restorer, mask.
    let action = [ignore as *const () as u64, SA_RESTORER, restore as *const () as u64, 0];
    // SAFETY: the action outlives the call; its handler does nothing and its restorer is rt_sigreturn.
    unsafe { call(number::RT_SIGACTION, [signal, action.as_ptr() as usize, 0, 8, 0, 0]).map(drop) }
}

/// From now on SIGCHLD is blocked but in [`poll`](crate::poll), which it interrupts.
///
/// # Errors
/// sigaction(2).
pub fn watch_children() -> Result<()> {
    catch(SIGCHLD)?;
    let mask = 1_u64 << (SIGCHLD - 1);
    // SAFETY: the mask outlives the call.
    unsafe { call(number::RT_SIGPROCMASK, [SIG_BLOCK, core::ptr::from_ref(&mask) as usize, 0, 8, 0, 0]).map(drop) }
}

/// Lets all signals in, as a new program expects.
pub fn unblock_signals() {
    let mask = 0_u64;
    // SAFETY: the mask outlives the call.
    let _ = unsafe { call(number::RT_SIGPROCMASK, [SIG_SETMASK, core::ptr::from_ref(&mask) as usize, 0, 8, 0, 0]) };
}

extern "C" fn ignore(_signal: i32) {}

unsafe extern "C" {
    fn restore();
}

core::arch::global_asm!("restore:", "mov eax, 15", "syscall", "ud2");

/// Sleeps.
pub fn sleep(milliseconds: u64) {
    let time = timespec(milliseconds);
    // SAFETY: the time outlives the call.
    let _ = unsafe { call(number::NANOSLEEP, [time.as_ptr() as usize, 0, 0, 0, 0, 0]) };
}

/// Milliseconds of the monotonic clock.
#[must_use]
pub fn now() -> u64 {
    let mut time = [0_u64; 2];
    // SAFETY: the kernel writes one timespec.
    let _ = unsafe { call(number::CLOCK_GETTIME, [CLOCK_MONOTONIC, time.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    time[0] * 1000 + time[1] / 1_000_000
}

/// Names the machine.
pub fn set_host_name(name: &[u8]) {
    // SAFETY: the kernel reads the slice.
    let _ = unsafe { call(number::SETHOSTNAME, [name.as_ptr() as usize, name.len(), 0, 0, 0, 0]) };
}

/// Switches the machine off; returns only when the kernel refuses.
pub fn power_off() {
    // SAFETY: the two magic numbers and LINUX_REBOOT_CMD_POWER_OFF of reboot(2); no pointers.
    let _ = unsafe { call(number::REBOOT, [0xfee1_dead, 0x2812_1969, 0x4321_fedc, 0, 0, 0]) };
}
