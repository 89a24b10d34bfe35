//! Operations whose cost may grow with how much of something there is.

use crate::system::{
    Errno, c, check, file, helper, last_error, map_small, pipe, repeat, scratch, time, touch, unmap, wait,
};
use crate::{Batch, Operation, files};
use std::ffi::CString;
use std::mem::zeroed;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};

const PAGE: usize = 4096;
const MIB: u64 = 1 << 20;

pub const OPERATIONS: &[Operation] = &[
    Operation { name: "fork_mappings", sizes: &[1, 100, 1000], most: u64::MAX, prepare: fork_mappings },
    Operation { name: "fault_mapped_MiB", sizes: &[1, 16, 256, 1024], most: 64, prepare: fault_mapped },
    Operation { name: "munmap_MiB", sizes: &[1, 16, 256, 1024], most: 64, prepare: unmap_touched },
    Operation { name: "poll", sizes: &[10, 100, 1000, 10_000], most: u64::MAX, prepare: files::poll },
    Operation { name: "epoll", sizes: &[10, 100, 1000, 10_000], most: u64::MAX, prepare: files::epoll },
    Operation { name: "stat_depth", sizes: &[1, 2, 4, 8, 16, 32], most: u64::MAX, prepare: stat_depth },
    Operation { name: "stat_folder", sizes: &[10, 1000, 10_000, 100_000], most: u64::MAX, prepare: stat_folder },
    Operation { name: "wake_sleepers", sizes: &[1, 100, 1000, 5000], most: u64::MAX, prepare: wake },
    Operation { name: "futex_wake_waiters", sizes: &[1, 10, 100, 1000], most: 64, prepare: futex_waiters },
    Operation { name: "signal_tasks", sizes: &[1, 100, 1000], most: u64::MAX, prepare: signal_among },
    Operation { name: "timer_armed", sizes: &[10, 1000, 10_000, 100_000], most: u64::MAX, prepare: timers },
];

/// Mappings that do not melt into one: every second page cannot be written.
fn fork_mappings(count: u64) -> Result<Batch, Errno> {
    let length = count as usize * 2 * PAGE;
    let memory = map_small(length)?;
    for index in 0..count as usize {
        let page = unsafe { memory.add(2 * index * PAGE) };
        unsafe { page.write_volatile(1) };
        check(unsafe { libc::mprotect(page.cast(), PAGE, libc::PROT_READ) })?;
    }
    repeat(|| {
        let child = check(unsafe { libc::fork() })?;
        if child == 0 {
            unsafe { libc::_exit(0) };
        }
        wait(child).map(drop)
    })
}

/// A page of a mapping so large, given back and touched again.
fn fault_mapped(mebibytes: u64) -> Result<Batch, Errno> {
    let length = (mebibytes * MIB) as usize;
    let memory = map_small(length)?;
    touch(memory, length);
    Ok(Box::new(move |count| {
        let window = count as usize * PAGE;
        check(unsafe { libc::madvise(memory.cast(), window, libc::MADV_DONTNEED) })?;
        time(|| {
            touch(memory, window);
            Ok(())
        })
    }))
}

fn unmap_touched(mebibytes: u64) -> Result<Batch, Errno> {
    let length = (mebibytes * MIB) as usize;
    Ok(Box::new(move |count| {
        let mut spent = 0;
        for _ in 0..count {
            let memory = map_small(length)?;
            touch(memory, length);
            spent += time(|| unmap(memory, length))?;
        }
        Ok(spent)
    }))
}

fn stat_depth(depth: u64) -> Result<Batch, Errno> {
    files::stat(files::deep(depth)?)
}

fn stat_folder(entries: u64) -> Result<Batch, Errno> {
    scratch()?;
    for number in 0..entries {
        unsafe { libc::close(file(&format!("entry-{number}"), 0)?) };
    }
    let names = (0..1000).map(|index| c(&format!("entry-{}", index * 7919 % entries)));
    let names: Vec<CString> = names.collect::<Result<_, _>>()?;
    let (mut answer, mut next): (libc::stat, _) = (unsafe { zeroed() }, 0);
    repeat(move || {
        next = (next + 1) % names.len();
        check(unsafe { libc::stat(names[next].as_ptr(), &mut answer) }).map(drop)
    })
}

/// Processes that sleep.
fn sleepers(count: u64) -> Result<Vec<i32>, Errno> {
    let sleeper = |_| {
        helper(|| {
            unsafe { libc::pause() };
        })
    };
    (0..count).map(sleeper).collect()
}

/// A byte to a process and back, while so many others sleep.
fn wake(count: u64) -> Result<Batch, Errno> {
    sleepers(count)?;
    let (there, back) = (pipe()?, pipe()?);
    helper(move || {
        let mut byte = 0_u8;
        unsafe {
            while libc::read(there.0, (&raw mut byte).cast(), 1) == 1 {
                libc::write(back.1, (&raw const byte).cast(), 1);
            }
        }
    })?;
    let mut byte = 0_u8;
    repeat(move || unsafe {
        check(libc::write(there.1, (&raw const byte).cast(), 1) as i64)?;
        check(libc::read(back.0, (&raw mut byte).cast(), 1) as i64).map(drop)
    })
}

static WORD: AtomicU32 = AtomicU32::new(0);
static WAITING: AtomicU32 = AtomicU32::new(0);

fn futex(operation: i32, value: u32) -> i64 {
    let word = WORD.as_ptr();
    unsafe { libc::syscall(libc::SYS_futex, word, operation | libc::FUTEX_PRIVATE_FLAG, value, null::<u8>()) }
}

extern "C" fn waiter(_: *mut libc::c_void) -> *mut libc::c_void {
    loop {
        WAITING.fetch_add(1, Ordering::AcqRel);
        futex(libc::FUTEX_WAIT, 0);
    }
}

/// Waking one of so many threads that wait for a word; they wait again before the next is woken.
fn futex_waiters(count: u64) -> Result<Batch, Errno> {
    unsafe {
        let mut attributes: libc::pthread_attr_t = zeroed();
        libc::pthread_attr_init(&mut attributes);
        libc::pthread_attr_setstacksize(&mut attributes, 64 << 10);
        for _ in 0..count {
            let mut thread = 0;
            match libc::pthread_create(&mut thread, &attributes, waiter, null_mut()) {
                0 => {}
                error => return Err(Errno(error)),
            }
        }
    }
    let settle = |sum: u32| {
        while WAITING.load(Ordering::Acquire) < sum {
            unsafe { libc::sched_yield() };
        }
        // The last one counted itself before it slept.
        unsafe { libc::sched_yield() };
    };
    settle(count as u32);
    let mut sum = count as u32;
    Ok(Box::new(move |count| {
        let mut spent = 0;
        for _ in 0..count {
            spent += time(|| if futex(libc::FUTEX_WAKE, 1) == 1 { Ok(()) } else { Err(last_error()) })?;
            sum += 1;
            settle(sum);
        }
        Ok(spent)
    }))
}

/// The null signal to one among so many.
fn signal_among(count: u64) -> Result<Batch, Errno> {
    let processes = sleepers(count)?;
    let mut next = 0;
    repeat(move || {
        next = (next + 1) % processes.len();
        check(unsafe { libc::kill(processes[next], 0) }).map(drop)
    })
}

/// Arming and disarming a timer beside so many armed ones.
fn timers(count: u64) -> Result<Batch, Errno> {
    crate::system::descriptors(count)?;
    let timer = || check(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, 0) });
    let set = |timer, seconds| {
        let mut time: libc::itimerspec = unsafe { zeroed() };
        time.it_value.tv_sec = seconds;
        check(unsafe { libc::timerfd_settime(timer, 0, &time, null_mut()) }).map(drop)
    };
    for index in 0..count {
        set(timer()?, 1000 + (index * 7919 % count) as i64)?;
    }
    let timer = timer()?;
    repeat(move || {
        set(timer, 1500)?;
        set(timer, 0)
    })
}
