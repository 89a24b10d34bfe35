//! What a batch is made of, and places to work in; the calls themselves are `measure`'s.

pub use measure::system::{Errno, c, check, last_error, map, map_small, now, pipe, touch, unmap, wait};

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
