//! The system: its name, its memory, its random numbers, its end.
use abi::Errno;
use abi::raw::general::{GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM};
use abi::system::{Sysinfo, Utsname};
use memory::{UserPtr, UserSlice};
use task::Task;
use task::names::{self, Which, padded};
use vfs::Capabilities;

pub fn uname(_: &Task, buffer: UserPtr<Utsname>) -> Result<(), Errno> {
    buffer.write(&Utsname {
        sysname: padded(names::TYPE.as_bytes()),
        nodename: names::get(Which::Host),
        release: padded(names::RELEASE.as_bytes()),
        version: padded(names::VERSION.as_bytes()),
        machine: padded(names::MACHINE.as_bytes()),
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

/// getrandom(2). The source is seeded before the first program runs, so no flag ever has to wait.
pub fn getrandom(_: &Task, buffer: usize, length: usize, flags: u32) -> Result<usize, Errno> {
    if flags & !(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) != 0
        || flags & (GRND_RANDOM | GRND_INSECURE) == GRND_RANDOM | GRND_INSECURE
    {
        return Err(Errno::EINVAL);
    }
    let length = length.min(i32::MAX as usize);
    let mut bytes = [0; 256];
    let mut done = 0;
    while done < length {
        let now = (length - done).min(bytes.len());
        task::random::fill(&mut bytes[..now]);
        match UserSlice::new(buffer.wrapping_add(done), now).write(&bytes[..now]) {
            Ok(()) => done += now,
            Err(errno) if done == 0 => return Err(errno),
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
pub fn syslog(task: &Task, action: u32, buffer: usize, length: i32) -> Result<usize, Errno> {
    const READ_ALL: u32 = 3;
    const CONSOLE_LEVEL: u32 = 8;
    const SIZE_BUFFER: u32 = 10;
    if action != READ_ALL && action != SIZE_BUFFER && !task.credentials().has(Capabilities::SYSLOG) {
        return Err(Errno::EPERM);
    }
    match action {
        0 | 1 => Ok(0),
        READ_ALL => read_log(buffer, usize::try_from(length).map_err(|_| Errno::EINVAL)?),
        6 | 7 => Ok(0),
        CONSOLE_LEVEL => {
            let level = u8::try_from(length).ok().filter(|level| (1..=8).contains(level)).ok_or(Errno::EINVAL)?;
            klog::set_console_level(level);
            Ok(0)
        }
        SIZE_BUFFER => Ok(64 * 1024),
        _ => {
            task::stub("syslog: reading piece by piece, clearing");
            Err(Errno::EINVAL)
        }
    }
}

/// The newest records that fit, as dmesg wants them: `<level>[time] text`.
fn read_log(buffer: usize, length: usize) -> Result<usize, Errno> {
    use alloc::format;
    let mut lines = alloc::vec::Vec::new();
    let mut place = klog::with_ring(|ring| ring.start());
    let mut text = [0; 512];
    while let Some(record) = klog::with_ring(|ring| ring.read(&mut place, &mut text)) {
        let stamp =
            format!("<{}>[{:5}.{:06}] ", record.level, record.time / 1_000_000_000, record.time / 1000 % 1_000_000);
        let line = [stamp.as_bytes(), &text[..record.length], b"\n"].concat();
        lines.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        lines.push(line);
    }
    let mut from = lines.len();
    let mut total = 0;
    while from > 0 && total + lines[from - 1].len() <= length {
        from -= 1;
        total += lines[from].len();
    }
    let mut done = 0;
    for line in &lines[from..] {
        UserSlice::new(buffer.wrapping_add(done), line.len()).write(line)?;
        done += line.len();
    }
    Ok(done)
}
