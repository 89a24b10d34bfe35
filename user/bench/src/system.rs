//! The C library with errors as values, the clock, and places to work in.

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

/// Whether batches stand between marks.
static mut MARKED: bool = false;

/// From now on each batch is between the marks.
pub fn mark_batches() {
    unsafe { MARKED = true };
}

/// How long `work` takes.
#[inline(always)]
pub fn time(work: impl FnOnce() -> Result<(), Errno>) -> Result<u64, Errno> {
    let marked = unsafe { MARKED };
    let start = now();
    if marked {
        crate::mark::begin();
    }
    let done = work();
    if marked {
        crate::mark::end();
    }
    let end = now();
    done.map(|()| end.saturating_sub(start))
}

/// A batch that repeats one call.
pub fn repeat(mut work: impl FnMut() -> Result<(), Errno> + 'static) -> Result<crate::Batch, Errno> {
    Ok(Box::new(move |count| {
        time(|| {
            for _ in 0..count {
                work()?;
            }
            Ok(())
        })
    }))
}

/// A path for C.
pub fn c(path: &str) -> Result<CString, Errno> {
    CString::new(path).map_err(|_| Errno(libc::EINVAL))
}

/// A fresh folder on a tmpfs, made the working folder.
pub fn scratch() -> Result<(), Errno> {
    let path = c(&format!("/tmp/bench.{}", unsafe { libc::getpid() }))?;
    unsafe {
        libc::mkdir(c"/tmp".as_ptr(), 0o777);
        check(libc::mkdir(path.as_ptr(), 0o700))?;
        // Where the kernel cannot mount one, the root is in memory too.
        libc::mount(c"tmpfs".as_ptr(), path.as_ptr(), c"tmpfs".as_ptr(), 0, std::ptr::null());
        check(libc::chdir(path.as_ptr()))?;
    }
    Ok(())
}

/// A file of so many bytes in the working folder, opened.
pub fn file(name: &str, length: usize) -> Result<i32, Errno> {
    let name = c(name)?;
    let file = unsafe { check(libc::open(name.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC, 0o644))? };
    let content = [0x5a_u8; 4096];
    let mut left = length;
    while left > 0 {
        let written = unsafe { libc::write(file, content.as_ptr().cast(), left.min(content.len())) };
        left -= usize::try_from(written).map_err(|_| last_error())?;
    }
    Ok(file)
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

/// A process that does `work` for ever; it is gone when this one is.
pub fn helper(work: impl FnOnce()) -> Result<i32, Errno> {
    let process = check(unsafe { libc::fork() })?;
    if process == 0 {
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        work();
        unsafe { libc::_exit(0) };
    }
    crate::runner::remember(process);
    Ok(process)
}

/// Waits for a process's end.
pub fn wait(process: i32) -> Result<i32, Errno> {
    let mut status = 0;
    check(unsafe { libc::waitpid(process, &mut status, 0) })?;
    Ok(status)
}

/// Room for so many descriptors.
pub fn descriptors(count: u64) -> Result<(), Errno> {
    let limit = libc::rlimit { rlim_cur: count + 64, rlim_max: count + 64 };
    let mut old = limit;
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut old) })?;
    if old.rlim_cur < limit.rlim_cur {
        check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) })?;
    }
    Ok(())
}
