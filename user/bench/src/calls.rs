//! Calls that do little: the way in and out of the kernel, the clocks, the devices that are always there.

use crate::system::{c, check, repeat};
use crate::{Batch, Errno, Operation};

pub const OPERATIONS: &[Operation] = &[
    Operation { name: "null_syscall", sizes: &[], most: u64::MAX, prepare: null_syscall },
    Operation { name: "clock_gettime", sizes: &[], most: u64::MAX, prepare: clock_gettime },
    Operation { name: "gettimeofday", sizes: &[], most: u64::MAX, prepare: gettimeofday },
    Operation { name: "sched_yield", sizes: &[], most: u64::MAX, prepare: sched_yield },
    Operation { name: "read_1_zero", sizes: &[], most: u64::MAX, prepare: read_zero },
    Operation { name: "write_1_null", sizes: &[], most: u64::MAX, prepare: write_null },
];

fn null_syscall(_: u64) -> Result<Batch, Errno> {
    repeat(|| {
        unsafe { libc::syscall(libc::SYS_getppid) };
        Ok(())
    })
}

fn clock_gettime(_: u64) -> Result<Batch, Errno> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    repeat(move || check(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) }).map(drop))
}

fn gettimeofday(_: u64) -> Result<Batch, Errno> {
    let mut time = libc::timeval { tv_sec: 0, tv_usec: 0 };
    repeat(move || check(unsafe { libc::gettimeofday(&mut time, std::ptr::null_mut()) }).map(drop))
}

fn sched_yield(_: u64) -> Result<Batch, Errno> {
    repeat(|| check(unsafe { libc::sched_yield() }).map(drop))
}

fn device(path: &str) -> Result<i32, Errno> {
    check(unsafe { libc::open(c(path)?.as_ptr(), libc::O_RDWR) })
}

fn read_zero(_: u64) -> Result<Batch, Errno> {
    let file = device("/dev/zero")?;
    let mut byte = 0_u8;
    repeat(move || check(unsafe { libc::read(file, (&raw mut byte).cast(), 1) } as i64).map(drop))
}

fn write_null(_: u64) -> Result<Batch, Errno> {
    let file = device("/dev/null")?;
    let byte = 0_u8;
    repeat(move || check(unsafe { libc::write(file, (&raw const byte).cast(), 1) } as i64).map(drop))
}
