//! Reading and writing several buffers at once: readv(2) and its kin.
use crate::Fd;
use crate::files::{MOST, check_seekable, position, transferred};
use crate::pipes::{file, restartable};
use abi::Errno;
use abi::raw::general::*;
use alloc::vec::Vec;
use memory::{Reader, UserPtr, UserSlice, Writer};
use task::{Answer, Task};

/// The buffers of readv(2) and its kin, cut at the most that one call transfers. EINVAL beyond IOV_MAX or for lengths that do
/// not add up.
fn vector(address: usize, count: usize) -> Result<Vec<UserSlice>, Errno> {
    if count > UIO_MAXIOV as usize {
        return Err(Errno::EINVAL);
    }
    let mut slices = Vec::new();
    slices.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    let mut total = 0usize;
    for index in 0..count {
        let [base, length] = UserPtr::<[u64; 2]>::new(address).element(index).read()?;
        if length > i64::MAX as u64 {
            return Err(Errno::EINVAL);
        }
        let length = (length as usize).min(MOST - total);
        total += length;
        slices.push(UserSlice::new(base as usize, length));
    }
    Ok(slices)
}

/// The most buffers of one vector (`IOV_MAX`).
const UIO_MAXIOV: u32 = 1024;

pub fn readv(task: &Task, fd: Fd, address: usize, count: usize) -> Answer {
    let file = file(task, fd)?;
    file.check_readable()?;
    let slices = vector(address, count)?;
    restartable(file.read(&mut Writer::user_many(&slices)))
}

pub fn writev(task: &Task, fd: Fd, address: usize, count: usize) -> Answer {
    let file = file(task, fd)?;
    file.check_writable()?;
    let slices = vector(address, count)?;
    let result = file.write(&mut Reader::user_many(&slices), task.limit(RLIMIT_FSIZE));
    transferred(task, result)
}

pub fn preadv(task: &Task, fd: Fd, address: usize, count: usize, offset: i64) -> Answer {
    let position = position(offset)?;
    let file = file(task, fd)?;
    check_seekable(&file)?;
    file.check_readable()?;
    let slices = vector(address, count)?;
    restartable(file.read_at(position, &mut Writer::user_many(&slices)))
}

pub fn pwritev(task: &Task, fd: Fd, address: usize, count: usize, offset: i64) -> Answer {
    let position = position(offset)?;
    let file = file(task, fd)?;
    check_seekable(&file)?;
    file.check_writable()?;
    let slices = vector(address, count)?;
    let result = file.write_at(position, &mut Reader::user_many(&slices), task.limit(RLIMIT_FSIZE));
    transferred(task, result)
}

/// A position of -1 stands for the file's own.
const OWN_POSITION: i64 = -1;

/// EOPNOTSUPP for flags that are not there.
fn check_flags(flags: u32, known: u32) -> Result<(), Errno> {
    if flags & !known == 0 {
        return Ok(());
    }
    if flags & RWF_NOWAIT != 0 {
        task::stub("preadv2, pwritev2: RWF_NOWAIT");
    }
    Err(Errno::EOPNOTSUPP)
}

/// preadv2(2). The high half of the position is for 32-bit programs only.
pub fn preadv2(task: &Task, fd: Fd, address: usize, count: usize, offset: i64, _: usize, flags: u32) -> Answer {
    check_flags(flags, RWF_HIPRI)?;
    if offset == OWN_POSITION { readv(task, fd, address, count) } else { preadv(task, fd, address, count, offset) }
}

/// pwritev2(2).
pub fn pwritev2(task: &Task, fd: Fd, address: usize, count: usize, offset: i64, _: usize, flags: u32) -> Answer {
    check_flags(flags, RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_APPEND)?;
    let written = if flags & RWF_APPEND != 0 {
        let file = file(task, fd)?;
        let keep = if offset == OWN_POSITION { false } else { position(offset).map(|_| true)? };
        file.check_writable()?;
        let slices = vector(address, count)?;
        transferred(task, file.append(&mut Reader::user_many(&slices), keep, task.limit(RLIMIT_FSIZE)))?
    } else if offset == OWN_POSITION {
        writev(task, fd, address, count)?
    } else {
        pwritev(task, fd, address, count, offset)?
    };
    if written != 0 && flags & (RWF_DSYNC | RWF_SYNC) != 0 {
        file(task, fd)?.synchronise()?;
    }
    Ok(written)
}
