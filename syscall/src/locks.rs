//! Record locks (fcntl_locking(2)).
use crate::pipes::restartable;
use abi::Errno;
use abi::raw::general::{F_GETLK, F_RDLCK, F_SETLKW, F_UNLCK, F_WRLCK, SEEK_CUR, SEEK_END, SEEK_SET};
use alloc::sync::Arc;
use memory::UserPtr;
use task::{Answer, Task};
use vfs::{LockKind, LockOwner, LockRange, OpenFile};
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

/// F_GETLK, F_SETLK, F_SETLKW.
pub(crate) fn record_lock(task: &Task, file: &OpenFile, command: u32, address: usize) -> Answer {
    let place = UserPtr::<Flock>::new(address);
    let mut lock = place.read()?;
    let kind = match lock.kind as u32 {
        F_RDLCK => Some(LockKind::Shared),
        F_WRLCK => Some(LockKind::Exclusive),
        F_UNLCK => None,
        _ => return Err(Errno::EINVAL.into()),
    };
    let range = range(file, &lock)?;
    let table = task.files.descriptors().ok_or(Errno::EBADF)?;
    let owner = LockOwner::Process(Arc::as_ptr(&table) as usize as u64);
    if command == F_GETLK {
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
    restartable(file.set_lock(owner, task.process.pid as i32, range, kind, command == F_SETLKW).map(|()| 0))
}
