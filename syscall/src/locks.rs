//! Record locks (fcntl_locking(2)) and flock(2).
use crate::Fd;
use crate::pipes::{file, restartable};
use abi::Errno;
use abi::raw::general::*;
use memory::UserPtr;
use task::{Answer, Task};
use vfs::{DescriptorTable, LockKind, LockRange, OpenFile};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct flock`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Flock {
    kind: i16,
    whence: i16,
    _pad: u32,
    start: i64,
    length: i64,
    pid: i32,
    _pad_2: u32,
}

fn range(file: &OpenFile, lock: &Flock) -> Result<LockRange, Errno> {
    let base = match lock.whence as u32 {
        SEEK_SET => 0,
        SEEK_CUR => file.position() as i64,
        SEEK_END => file.inode().size() as i64,
        _ => return Err(Errno::EINVAL),
    };
    let start = base.checked_add(lock.start).ok_or(Errno::EOVERFLOW)?;
    // A negative length reaches back from the start; none reaches to the end of everything.
    let (first, last) = match lock.length {
        0 => (start, i64::MAX),
        length if length > 0 => (start, start.checked_add(length - 1).ok_or(Errno::EOVERFLOW)?),
        length => (start.checked_add(length).ok_or(Errno::EINVAL)?, start - 1),
    };
    let bound = |at: i64| u64::try_from(at).map_err(|_| Errno::EINVAL);
    Ok(bound(first)?..=bound(last)?)
}

/// F_GETLK, F_SETLK, F_SETLKW of the process, whose table is `table`, and the same of the open file description.
pub(crate) fn record_lock(
    task: &Task,
    table: &DescriptorTable,
    file: &OpenFile,
    command: u32,
    address: usize,
) -> Answer {
    let place = UserPtr::<Flock>::new(address);
    let mut lock = place.read()?;
    let kind = match lock.kind as u32 {
        F_RDLCK => Some(LockKind::Shared),
        F_WRLCK => Some(LockKind::Exclusive),
        F_UNLCK => None,
        _ => return Err(Errno::EINVAL.into()),
    };
    let range = range(file, &lock)?;
    let of_description = matches!(command, F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW);
    if of_description && lock.pid != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (owner, holder) =
        if of_description { (file.lock_owner(), -1) } else { (table.lock_owner(), task.process.pid as i32) };
    if matches!(command, F_GETLK | F_OFD_GETLK) {
        let kind = kind.ok_or(Errno::EINVAL)?;
        match file.blocking_lock(owner, range, kind) {
            None => lock.kind = F_UNLCK as i16,
            Some((kind, found, pid)) => {
                lock.kind = if kind == LockKind::Shared { F_RDLCK } else { F_WRLCK } as i16;
                (lock.whence, lock.pid) = (SEEK_SET as i16, pid);
                lock.start = *found.start() as i64;
                lock.length =
                    if *found.end() >= i64::MAX as u64 { 0 } else { (found.end() - found.start() + 1) as i64 };
            }
        }
        place.write(&lock)?;
        return Ok(0);
    }
    match kind {
        Some(LockKind::Shared) => file.check_readable()?,
        Some(LockKind::Exclusive) => file.check_writable()?,
        None => {}
    }
    let wait = matches!(command, F_SETLKW | F_OFD_SETLKW);
    restartable(file.set_lock(owner, holder, range, kind, wait).map(|()| 0))
}

/// flock(2).
pub fn flock(task: &Task, fd: Fd, operation: u32) -> Answer {
    if operation & LOCK_MAND != 0 {
        // Mandatory share modes, which Linux has taken away: nothing happens since 5.18.
        return Ok(0);
    }
    let kind = match operation & !LOCK_NB {
        LOCK_SH => Some(LockKind::Shared),
        LOCK_EX => Some(LockKind::Exclusive),
        LOCK_UN => None,
        _ => return Err(Errno::EINVAL.into()),
    };
    let file = file(task, fd)?;
    if file.is_path_only() {
        return Err(Errno::EBADF.into());
    }
    restartable(file.flock(kind, operation & LOCK_NB == 0).map(|()| 0))
}
