//! The system: its name, its memory, its random numbers, its end.
use crate::pipes::restartable;
use abi::Errno;
use abi::raw::general::{GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM};
use abi::system::{Sysinfo, Utsname};
use alloc::collections::VecDeque;
use core::sync::atomic::Ordering;
use memory::{UserPtr, UserSlice};
use task::names::{self, Which, padded};
use task::traits::{FIXED_ADDRESSES, LINUX_32};
use task::{Answer, Failure, Restart, Task};
use vfs::Capabilities;

pub fn uname(task: &Task, buffer: UserPtr<Utsname>) -> Result<(), Errno> {
    let small = task.traits.personality.load(Ordering::Relaxed) & !FIXED_ADDRESSES == LINUX_32;
    let machine = if small { "i686" } else { names::MACHINE };
    buffer.write(&Utsname {
        sysname: padded(names::TYPE.as_bytes()),
        nodename: names::get(Which::Host),
        release: padded(names::RELEASE.as_bytes()),
        version: padded(names::VERSION.as_bytes()),
        machine: padded(machine.as_bytes()),
        domainname: names::get(Which::Domain),
    })
}

fn set_name(task: &Task, buffer: usize, length: usize, which: Which) -> Result<(), Errno> {
    if !task.credentials().has(Capabilities::SYS_ADMIN) {
        return Err(Errno::EPERM);
    }
    if length > names::LONGEST {
        return Err(Errno::EINVAL);
    }
    let mut name = padded(b"");
    UserSlice::new(buffer, length).read(&mut name[..length])?;
    names::set(which, name);
    Ok(())
}

pub fn sethostname(task: &Task, buffer: usize, length: usize) -> Result<(), Errno> {
    set_name(task, buffer, length, Which::Host)
}

pub fn setdomainname(task: &Task, buffer: usize, length: usize) -> Result<(), Errno> {
    set_name(task, buffer, length, Which::Domain)
}

pub fn sysinfo(_: &Task, buffer: UserPtr<Sysinfo>) -> Result<(), Errno> {
    let zones = memory::statistics();
    let page = memory::PAGE_SIZE as u64;
    let sum = |pages: fn(&memory::Statistics) -> usize| zones.iter().map(pages).sum::<usize>() as u64 * page;
    buffer.write(&Sysinfo {
        uptime: (sync::now() / 1_000_000_000) as i64,
        totalram: sum(|zone| zone.managed),
        freeram: sum(|zone| zone.free),
        sharedram: crate::pipes::vfs()?.cached_pages().1 * page,
        loads: scheduler::load_average().for_sysinfo(),
        procs: task::tree::task_count().min(usize::from(u16::MAX)) as u16,
        mem_unit: 1,
        ..Sysinfo::default()
    })
}

pub fn getcpu(_: &Task, cpu: UserPtr<u32>, node: UserPtr<u32>) -> Result<(), Errno> {
    if let Some(cpu) = cpu.non_null() {
        cpu.write(&(sync::ambient::cpu() as u32))?;
    }
    if let Some(node) = node.non_null() {
        node.write(&0)?;
    }
    Ok(())
}

/// getrandom(2). EAGAIN where it would wait for the first good bytes.
pub fn getrandom(_: &Task, buffer: usize, length: usize, flags: u32) -> Answer {
    if flags & !(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) != 0
        || flags & (GRND_RANDOM | GRND_INSECURE) == GRND_RANDOM | GRND_INSECURE
    {
        return Err(Errno::EINVAL.into());
    }
    if flags & GRND_INSECURE == 0 {
        restartable(task::random::wait_until_ready(flags & GRND_NONBLOCK != 0))?;
    }
    let length = length.min(i32::MAX as usize);
    let mut bytes = [0; 256];
    let mut done = 0;
    while done < length {
        let now = (length - done).min(bytes.len());
        task::random::fill(&mut bytes[..now]);
        match UserSlice::new(buffer.wrapping_add(done), now).write(&bytes[..now]) {
            Ok(()) => done += now,
            Err(errno) if done == 0 => return Err(errno.into()),
            Err(_) => break,
        }
    }
    Ok(done)
}

const MAGIC: u32 = 0xfee1_dead;
const MAGIC_2: [u32; 4] = [672_274_793, 85_072_278, 369_367_448, 537_993_216];

/// reboot(2).
pub fn reboot(task: &Task, magic: u32, magic_2: u32, command: u32) -> Result<(), Errno> {
    use task::machine::{End, end};
    if !task.credentials().has(Capabilities::SYS_BOOT) {
        return Err(Errno::EPERM);
    }
    if magic != MAGIC || !MAGIC_2.contains(&magic_2) {
        return Err(Errno::EINVAL);
    }
    match command {
        0x0123_4567 => end(End::Restart),
        0x4321_fedc => end(End::PowerOff),
        0xcdef_0123 => end(End::Halt),
        0xa1b2_c3d4 => end(End::Restart),
        // Ctrl-Alt-Del on or off: there is no keyboard.
        0x89ab_cdef | 0 => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

/// syslog(2).
pub fn syslog(task: &Task, action: u32, buffer: usize, length: i32) -> Result<usize, Failure> {
    const READ: u32 = 2;
    const READ_ALL: u32 = 3;
    const READ_CLEAR: u32 = 4;
    const CLEAR: u32 = 5;
    const CONSOLE_OFF: u32 = 6;
    const CONSOLE_ON: u32 = 7;
    const CONSOLE_LEVEL: u32 = 8;
    const SIZE_UNREAD: u32 = 9;
    const SIZE_BUFFER: u32 = 10;
    if action != READ_ALL && action != SIZE_BUFFER && !task.credentials().has(Capabilities::SYSLOG) {
        return Err(Errno::EPERM.into());
    }
    let size = || usize::try_from(length).ok().filter(|_| buffer != 0).ok_or(Errno::EINVAL);
    match action {
        // To open and to close the log, which is always open.
        0 | 1 => {}
        READ => return take_log(buffer, size()?),
        READ_ALL => return Ok(read_log(buffer, size()?)?),
        READ_CLEAR => {
            let count = read_log(buffer, size()?)?;
            klog::lines::clear();
            return Ok(count);
        }
        CLEAR => klog::lines::clear(),
        CONSOLE_OFF => klog::silence_console(),
        CONSOLE_ON => klog::restore_console(),
        CONSOLE_LEVEL => {
            let level = u8::try_from(length).ok().filter(|level| (1..=8).contains(level)).ok_or(Errno::EINVAL)?;
            klog::set_console_level(level);
        }
        SIZE_UNREAD => return Ok(klog::lines::unread_size()),
        SIZE_BUFFER => return Ok(klog::CAPACITY),
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// Takes lines that nobody has taken yet; waits for the first.
fn take_log(buffer: usize, length: usize) -> Result<usize, Failure> {
    let mut piece = [0; 512];
    let wanted = piece.len().min(length);
    loop {
        let count = klog::lines::take_unread(&mut piece[..wanted]);
        if count != 0 || wanted == 0 {
            UserSlice::new(buffer, count).write(&piece[..count])?;
            return Ok(count);
        }
        klog::lines::wait_for_unread().map_err(|_| Failure::Interrupted(Restart::IfFlagged))?;
    }
}

/// The newest lines that fit.
fn read_log(buffer: usize, length: usize) -> Result<usize, Errno> {
    let first = klog::lines::first_shown();
    let mut sizes = VecDeque::new();
    let (mut place, mut total) = (first, 0);
    while let Some(line) = klog::lines::next_line(&mut place) {
        sizes.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        sizes.push_back(line.bytes().len());
        total += line.bytes().len();
    }
    // The oldest are left out until the rest fits.
    let mut place = first;
    while total > length {
        total -= sizes.pop_front().unwrap_or(total);
        let _ = klog::lines::next_line(&mut place);
    }
    let mut done = 0;
    while let Some(line) = klog::lines::next_line(&mut place).filter(|line| done + line.bytes().len() <= length) {
        UserSlice::new(buffer.wrapping_add(done), line.bytes().len()).write(line.bytes())?;
        done += line.bytes().len();
    }
    Ok(done)
}
