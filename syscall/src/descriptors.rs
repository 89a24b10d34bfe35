//! Descriptors: closing, doubling, and fcntl(2).
use crate::Fd;
use crate::files::table;
use crate::pipes::{file, pipe_of};
use abi::Errno;
use abi::file::OpenFlags;
use abi::raw::general::*;
use task::{Answer, Task};

pub fn close(task: &Task, fd: Fd) -> Result<(), Errno> {
    let number = u32::try_from(fd.0).map_err(|_| Errno::EBADF)?;
    let closed = table(task)?.close(number)?;
    drop(closed);
    Ok(())
}

/// Flags of close_range(2) (linux/close_range.h).
const CLOSE_RANGE_UNSHARE: u32 = 2;
const CLOSE_RANGE_CLOEXEC: u32 = 4;

/// close_range(2).
pub fn close_range(task: &Task, first: u32, last: u32, flags: u32) -> Result<(), Errno> {
    if flags & !(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) != 0 || first > last {
        return Err(Errno::EINVAL);
    }
    if flags & CLOSE_RANGE_UNSHARE != 0 {
        task.files.unshare_descriptors()?;
    }
    let table = table(task)?;
    if flags & CLOSE_RANGE_CLOEXEC != 0 {
        table.set_close_on_exec_range(first..=last);
    } else {
        table.close_range(first..=last, drop);
    }
    Ok(())
}

pub fn dup(task: &Task, fd: Fd) -> Result<usize, Errno> {
    let number = u32::try_from(fd.0).map_err(|_| Errno::EBADF)?;
    table(task)?.duplicate(number, 0, false, task.limit(RLIMIT_NOFILE)).map(|number| number as usize)
}

pub fn dup2(task: &Task, fd: Fd, to: Fd) -> Result<usize, Errno> {
    if fd == to {
        file(task, fd)?;
        return Ok(fd.0 as usize);
    }
    duplicate_to(task, fd, to, false)
}

pub fn dup3(task: &Task, fd: Fd, to: Fd, flags: u32) -> Result<usize, Errno> {
    if flags & !O_CLOEXEC != 0 || fd == to {
        return Err(Errno::EINVAL);
    }
    duplicate_to(task, fd, to, flags & O_CLOEXEC != 0)
}

fn duplicate_to(task: &Task, fd: Fd, to: Fd, close_on_exec: bool) -> Result<usize, Errno> {
    let number = |fd: Fd| u32::try_from(fd.0).map_err(|_| Errno::EBADF);
    let replaced = table(task)?.duplicate_to(number(fd)?, number(to)?, close_on_exec, task.limit(RLIMIT_NOFILE))?;
    drop(replaced);
    Ok(to.0 as usize)
}

pub fn fcntl(task: &Task, fd: Fd, command: u32, argument: u64) -> Answer {
    let number = u32::try_from(fd.0).map_err(|_| Errno::EBADF)?;
    let table = table(task)?;
    match command {
        F_DUPFD | F_DUPFD_CLOEXEC => {
            let minimum = u32::try_from(argument).map_err(|_| Errno::EINVAL)?;
            let close_on_exec = command == F_DUPFD_CLOEXEC;
            Ok(table.duplicate(number, minimum, close_on_exec, task.limit(RLIMIT_NOFILE))? as usize)
        }
        F_GETFD => Ok(usize::from(table.close_on_exec(number)?)),
        F_SETFD => {
            table.set_close_on_exec(number, argument as u32 & FD_CLOEXEC != 0)?;
            Ok(0)
        }
        F_GETFL => Ok(table.get(number)?.flags().bits() as usize),
        F_SETFL => {
            table.get(number)?.set_flags(OpenFlags::from_bits_retain(argument as u32));
            Ok(0)
        }
        F_GETLK | F_SETLK | F_SETLKW | F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW => {
            crate::locks::record_lock(task, &table, &*table.get(number)?, command, argument as usize)
        }
        F_ADD_SEALS => Ok(table.get(number)?.add_seals(argument as u32).map(|()| 0)?),
        F_GET_SEALS => Ok(table.get(number)?.inode().seals()?.bits() as usize),
        F_SETPIPE_SZ | F_GETPIPE_SZ => {
            let file = table.get(number)?;
            let pipe = pipe_of(&file).ok_or(Errno::EBADF)?;
            if command == F_GETPIPE_SZ {
                return Ok(pipe.capacity());
            }
            let privileged = task.credentials().has(vfs::Capabilities::SYS_RESOURCE);
            Ok(pipe.set_capacity(argument as u32 as usize, privileged)?)
        }
        F_GETOWN => Ok(0),
        _ => {
            table.get(number)?;
            task::stub("fcntl: leases, owners");
            Err(Errno::EINVAL.into())
        }
    }
}
