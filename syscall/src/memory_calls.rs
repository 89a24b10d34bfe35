//! Memory: mmap(2) and its kin.
use crate::Fd;
use abi::Errno;
use abi::raw::general::*;
use memory::{PAGE_SIZE, UserSlice};
use mm::{Advice, Area, AreaFlags, Backing, LockAll, MapRequest, Place, RemapFlags, Rights, SyncFlags};
use task::Task;
use task::image::limits_of;
use task::mapping::Part;

fn rights(protection: u32) -> Result<Rights, Errno> {
    if protection & !(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN | PROT_GROWSUP | PROT_SEM) != 0 {
        return Err(Errno::EINVAL);
    }
    let mut rights = Rights::empty();
    rights.set(Rights::READ, protection & PROT_READ != 0);
    rights.set(Rights::WRITE, protection & PROT_WRITE != 0);
    rights.set(Rights::EXECUTE, protection & PROT_EXEC != 0);
    Ok(rights)
}

fn place(address: usize, flags: u32) -> Result<Place, Errno> {
    let hint = address & !(PAGE_SIZE - 1);
    Ok(match flags {
        flags if flags & MAP_FIXED_NOREPLACE != 0 => Place::FixedNoReplace(address),
        flags if flags & MAP_FIXED != 0 => Place::Fixed(address),
        flags if flags & MAP_32BIT != 0 => Place::Below2GiB { hint },
        _ => Place::Anywhere { hint },
    })
}

pub fn mmap(
    task: &Task,
    address: usize,
    length: usize,
    protection: u32,
    flags: u32,
    fd: Fd,
    offset: usize,
) -> Result<usize, Errno> {
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let shared = match flags & MAP_TYPE {
        MAP_PRIVATE => false,
        MAP_SHARED | MAP_SHARED_VALIDATE => true,
        _ => return Err(Errno::EINVAL),
    };
    if flags & MAP_HUGETLB != 0 {
        task::stub("mmap: MAP_HUGETLB");
        return Err(Errno::ENOMEM);
    }
    let mut area_flags = AreaFlags::empty();
    area_flags.set(AreaFlags::SHARED, shared);
    area_flags.set(AreaFlags::GROWS_DOWN, flags & MAP_GROWSDOWN != 0);
    area_flags.set(AreaFlags::LOCKED, flags & MAP_LOCKED != 0);
    area_flags.set(AreaFlags::NO_RESERVE, flags & MAP_NORESERVE != 0);
    let (backing, may) = if flags & MAP_ANONYMOUS != 0 {
        let backing = if shared { task::mapping::shared_memory(task, length)? } else { Backing::Anonymous };
        (backing, Rights::all())
    } else {
        let part = Part { fd: fd.0, page: (offset / PAGE_SIZE) as u64, length };
        task::mapping::of_file(task, &part, rights(protection)?, shared)?
    };
    let request = MapRequest {
        place: place(address, flags)?,
        length,
        area: Area { rights: rights(protection)?, may, flags: area_flags, backing },
        populate: flags & MAP_POPULATE != 0 && flags & MAP_NONBLOCK == 0,
        low: task.credentials().has(vfs::Capabilities::SYS_RAWIO),
    };
    task.memory()?.mmap(request, &limits_of(task))
}

pub fn munmap(task: &Task, address: usize, length: usize) -> Result<(), Errno> {
    task.memory()?.munmap(address, length)
}

pub fn mprotect(task: &Task, address: usize, length: usize, protection: u32) -> Result<(), Errno> {
    task.memory()?.mprotect(address, length, rights(protection)?, &limits_of(task))
}

pub fn mremap(
    task: &Task,
    old: usize,
    old_length: usize,
    new_length: usize,
    flags: u32,
    target: usize,
) -> Result<usize, Errno> {
    let flags = RemapFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    task.memory()?.mremap(old, old_length, new_length, flags, target, &limits_of(task))
}

pub fn brk(task: &Task, end: usize) -> Result<usize, Errno> {
    Ok(task.memory()?.brk(end, &limits_of(task)))
}

pub fn madvise(task: &Task, address: usize, length: usize, advice: u32) -> Result<(), Errno> {
    task.memory()?.madvise(address, length, Advice::from_number(advice)?)
}

pub fn mincore(task: &Task, address: usize, length: usize, residence: usize) -> Result<(), Errno> {
    if !address.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let space = task.memory()?;
    let pages = length.div_ceil(PAGE_SIZE);
    let mut bytes = [0; 256];
    let mut done = 0;
    while done < pages {
        let now = (pages - done).min(bytes.len());
        space.mincore(address.wrapping_add(done * PAGE_SIZE), &mut bytes[..now])?;
        UserSlice::new(residence.wrapping_add(done), now).write(&bytes[..now])?;
        done += now;
    }
    Ok(())
}

pub fn msync(task: &Task, address: usize, length: usize, flags: u32) -> Result<(), Errno> {
    task.memory()?.msync(address, length, SyncFlags::from_bits(flags).ok_or(Errno::EINVAL)?)
}

pub fn mlock(task: &Task, address: usize, length: usize) -> Result<(), Errno> {
    task.memory()?.mlock(address, length, false, &limits_of(task))
}

pub fn mlock2(task: &Task, address: usize, length: usize, flags: u32) -> Result<(), Errno> {
    if flags & !MLOCK_ONFAULT != 0 {
        return Err(Errno::EINVAL);
    }
    task.memory()?.mlock(address, length, flags & MLOCK_ONFAULT != 0, &limits_of(task))
}

pub fn munlock(task: &Task, address: usize, length: usize) -> Result<(), Errno> {
    task.memory()?.munlock(address, length)
}

pub fn mlockall(task: &Task, flags: u32) -> Result<(), Errno> {
    if flags == 0 || flags & !(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0 || flags == MCL_ONFAULT {
        return Err(Errno::EINVAL);
    }
    let what = LockAll {
        current: flags & MCL_CURRENT != 0,
        future: flags & MCL_FUTURE != 0,
        on_fault: flags & MCL_ONFAULT != 0,
    };
    task.memory()?.mlockall(what, &limits_of(task))
}

pub fn munlockall(task: &Task) -> Result<(), Errno> {
    task.memory()?.munlockall()
}
