//! Mapping, touching, sharing and giving back memory.

use crate::system::{Errno, check, file, helper, map, map_small, pipe, repeat, scratch, time, touch, unmap, wait};
use crate::{Batch, Operation};
use std::ptr::null_mut;

const PAGE: usize = 4096;
const KIB_64: usize = 64 << 10;

pub const OPERATIONS: &[Operation] = &[
    Operation { name: "fault_anon", sizes: &[], most: 4096, prepare: fault_anonymous },
    Operation { name: "fault_file", sizes: &[], most: 4096, prepare: fault_file },
    Operation { name: "fault_cow", sizes: &[], most: 2048, prepare: fault_copy },
    Operation { name: "anon_touch_16M", sizes: &[], most: u64::MAX, prepare: touch_16m },
    Operation { name: "mmap_64K", sizes: &[], most: u64::MAX, prepare: map_64k },
    Operation { name: "mmap_touch_64K", sizes: &[], most: u64::MAX, prepare: map_touch_64k },
    Operation { name: "brk_64K", sizes: &[], most: u64::MAX, prepare: break_64k },
    Operation { name: "vm_readv_1M", sizes: &[], most: u64::MAX, prepare: read_other },
];

/// The first touch of pages of a fresh mapping; mapping and unmapping them is not counted.
fn fault_anonymous(_: u64) -> Result<Batch, Errno> {
    Ok(Box::new(|count| {
        let length = count as usize * PAGE;
        let memory = map_small(length)?;
        // The tables above the pages are not what is measured.
        let spent = time(|| {
            touch(memory, length);
            Ok(())
        });
        unmap(memory, length)?;
        spent
    }))
}

fn fault_file(_: u64) -> Result<Batch, Errno> {
    scratch()?;
    let length = 4096 * PAGE;
    let file = file("mapped", length)?;
    Ok(Box::new(move |count| {
        let length = count as usize * PAGE;
        let memory = unsafe { libc::mmap(null_mut(), length, libc::PROT_READ, libc::MAP_SHARED, file, 0) };
        if memory == libc::MAP_FAILED {
            return Err(crate::system::last_error());
        }
        let spent = time(|| {
            for offset in (0..length).step_by(PAGE) {
                unsafe { memory.cast::<u8>().add(offset).read_volatile() };
            }
            Ok(())
        });
        unmap(memory.cast(), length)?;
        spent
    }))
}

/// The first write to pages that another process, which sleeps, has as well.
fn fault_copy(_: u64) -> Result<Batch, Errno> {
    Ok(Box::new(|count| {
        let length = count as usize * PAGE;
        let memory = map_small(length)?;
        touch(memory, length);
        let (source, sink) = pipe()?;
        let child = check(unsafe { libc::fork() })?;
        if child == 0 {
            let mut byte = 0_u8;
            unsafe {
                libc::close(sink);
                libc::read(source, (&raw mut byte).cast(), 1);
                libc::_exit(0);
            }
        }
        let spent = time(|| {
            touch(memory, length);
            Ok(())
        });
        unsafe {
            libc::close(sink);
            libc::close(source);
        }
        wait(child)?;
        unmap(memory, length)?;
        spent
    }))
}

fn touch_16m(_: u64) -> Result<Batch, Errno> {
    repeat(|| {
        let memory = map(16 << 20)?;
        touch(memory, 16 << 20);
        unmap(memory, 16 << 20)
    })
}

fn map_64k(_: u64) -> Result<Batch, Errno> {
    repeat(|| unmap(map(KIB_64)?, KIB_64))
}

fn map_touch_64k(_: u64) -> Result<Batch, Errno> {
    repeat(|| {
        let memory = map(KIB_64)?;
        touch(memory, KIB_64);
        unmap(memory, KIB_64)
    })
}

/// By the system call itself: the C library asks once more than it needs.
fn break_64k(_: u64) -> Result<Batch, Errno> {
    let end = unsafe { libc::syscall(libc::SYS_brk, 0) };
    let set =
        |to: i64| if unsafe { libc::syscall(libc::SYS_brk, to) } == to { Ok(()) } else { Err(Errno(libc::ENOMEM)) };
    repeat(move || {
        set(end + KIB_64 as i64)?;
        set(end)
    })
}

fn read_other(_: u64) -> Result<Batch, Errno> {
    const LENGTH: usize = 1 << 20;
    let (there, here) = (map(LENGTH)?, map(LENGTH)?);
    touch(there, LENGTH);
    touch(here, LENGTH);
    let other = helper(|| {
        unsafe { libc::pause() };
    })?;
    let local = libc::iovec { iov_base: here.cast(), iov_len: LENGTH };
    let remote = libc::iovec { iov_base: there.cast(), iov_len: LENGTH };
    repeat(move || {
        let length = check(unsafe { libc::process_vm_readv(other, &local, 1, &remote, 1, 0) } as i64)?;
        if length == LENGTH as i64 { Ok(()) } else { Err(Errno(libc::EIO)) }
    })
}
