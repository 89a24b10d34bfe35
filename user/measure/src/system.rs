//! The C library with errors as values, the clock, memory and pipes.

use std::ffi::CString;
use std::io;

/// An error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

/// The last call's error.
pub fn last_error() -> Errno {
    Errno(io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

/// The result of a call that answers -1 for an error.
pub fn check<T: Copy + Into<i64>>(result: T) -> Result<T, Errno> {
    if result.into() == -1 { Err(last_error()) } else { Ok(result) }
}

/// The monotonic clock in nanoseconds.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A path for C.
pub fn c(path: &str) -> Result<CString, Errno> {
    CString::new(path).map_err(|_| Errno(libc::EINVAL))
}

/// Fresh private memory.
pub fn map(length: usize) -> Result<*mut u8, Errno> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let address = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0) };
    if address == libc::MAP_FAILED { Err(last_error()) } else { Ok(address.cast()) }
}

/// Fresh private memory in pages of 4 KiB, whatever the kernel would prefer.
pub fn map_small(length: usize) -> Result<*mut u8, Errno> {
    let address = map(length)?;
    unsafe { libc::madvise(address.cast(), length, libc::MADV_NOHUGEPAGE) };
    Ok(address)
}

/// Gives memory back.
pub fn unmap(address: *mut u8, length: usize) -> Result<(), Errno> {
    check(unsafe { libc::munmap(address.cast(), length) }).map(drop)
}

/// Writes a byte of each page.
pub fn touch(address: *mut u8, length: usize) {
    for offset in (0..length).step_by(4096) {
        unsafe { address.add(offset).write_volatile(1) };
    }
}

/// A pipe's ends: for reading, for writing.
pub fn pipe() -> Result<(i32, i32), Errno> {
    let mut ends = [0; 2];
    check(unsafe { libc::pipe(ends.as_mut_ptr()) })?;
    Ok((ends[0], ends[1]))
}

/// Waits for a process's end.
pub fn wait(process: i32) -> Result<i32, Errno> {
    let mut status = 0;
    check(unsafe { libc::waitpid(process, &mut status, 0) })?;
    Ok(status)
}
