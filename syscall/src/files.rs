//! Open files: opening, closing, reading, writing, and what else concerns descriptors.
use crate::origin::{read_path, with_origin};
use crate::pipes::{file, pipe_of, restartable};
use crate::{Fd, UserString};
use abi::Errno;
use abi::file::{OpenFlags, Whence};
use abi::raw::general::*;
use abi::raw::ioctl::{FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD};
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::{Reader, UserPtr, UserSlice, Writer};
use task::signals::{Information, send_to_task};
use task::{Answer, Failure, Task};
use vfs::{DescriptorTable, OpenFile, Seekable};

/// The most that one call transfers.
const MOST: usize = vfs::MAX_TRANSFER;

fn table(task: &Task) -> Result<Arc<DescriptorTable>, Errno> {
    task.files.descriptors().ok_or(Errno::EBADF)
}

pub fn openat(task: &Task, folder: Fd, path: UserString, flags: u32, mode: u32) -> Answer {
    let path = read_path(path)?;
    // O_LARGEFILE is every file's; bits that mean nothing are ignored, as always by open(2).
    let flags = OpenFlags::from_bits_truncate(flags) | OpenFlags::LARGE_FILE;
    let table = table(task)?;
    let reserved = table.reserve(0, flags.contains(OpenFlags::CLOSE_ON_EXEC), task.limit(RLIMIT_NOFILE))?;
    let opened =
        restartable(with_origin(task, folder, |origin| vfs::calls::open_at(origin, &path, flags, mode & 0o7777)))?;
    Ok(reserved.fill(opened) as usize)
}

pub fn open(task: &Task, path: UserString, flags: u32, mode: u32) -> Answer {
    openat(task, Fd(AT_FDCWD), path, flags, mode)
}

pub fn creat(task: &Task, path: UserString, mode: u32) -> Answer {
    openat(task, Fd(AT_FDCWD), path, O_CREAT | O_WRONLY | O_TRUNC, mode)
}

pub fn close(task: &Task, fd: Fd) -> Result<(), Errno> {
    let number = u32::try_from(fd.0).map_err(|_| Errno::EBADF)?;
    let closed = table(task)?.close(number)?;
    drop(closed);
    Ok(())
}

/// A transfer's outcome: SIGXFSZ goes with EFBIG.
fn transferred(task: &Task, result: Result<usize, Errno>) -> Answer {
    if result == Err(Errno::EFBIG) {
        let _ = send_to_task(task, SIGXFSZ, Information::kernel());
    }
    restartable(result)
}

pub fn read(task: &Task, fd: Fd, buffer: usize, length: usize) -> Answer {
    let file = file(task, fd)?;
    file.check_readable()?;
    restartable(file.read(&mut Writer::user(UserSlice::new(buffer, length.min(MOST)))))
}

pub fn write(task: &Task, fd: Fd, buffer: usize, length: usize) -> Answer {
    let file = file(task, fd)?;
    file.check_writable()?;
    let result = file.write(&mut Reader::user(UserSlice::new(buffer, length.min(MOST))), task.limit(RLIMIT_FSIZE));
    transferred(task, result)
}

fn position(offset: i64) -> Result<u64, Errno> {
    u64::try_from(offset).map_err(|_| Errno::EINVAL)
}

fn check_seekable(file: &OpenFile) -> Result<(), Errno> {
    if file.seekable() == Seekable::No { Err(Errno::ESPIPE) } else { Ok(()) }
}

pub fn pread64(task: &Task, fd: Fd, buffer: usize, length: usize, offset: i64) -> Answer {
    let position = position(offset)?;
    let file = file(task, fd)?;
    check_seekable(&file)?;
    file.check_readable()?;
    restartable(file.read_at(position, &mut Writer::user(UserSlice::new(buffer, length.min(MOST)))))
}

pub fn pwrite64(task: &Task, fd: Fd, buffer: usize, length: usize, offset: i64) -> Answer {
    let position = position(offset)?;
    let file = file(task, fd)?;
    check_seekable(&file)?;
    file.check_writable()?;
    let result =
        file.write_at(position, &mut Reader::user(UserSlice::new(buffer, length.min(MOST))), task.limit(RLIMIT_FSIZE));
    transferred(task, result)
}

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

pub fn lseek(task: &Task, fd: Fd, offset: i64, whence: u32) -> Result<usize, Errno> {
    let whence = match whence {
        SEEK_SET => Whence::Start,
        SEEK_CUR => Whence::Current,
        SEEK_END => Whence::End,
        SEEK_DATA => Whence::Data,
        SEEK_HOLE => Whence::Hole,
        _ => return Err(Errno::EINVAL),
    };
    file(task, fd)?.seek(offset, whence).map(|position| position as usize)
}

/// Copies between two open files through the kernel, a piece at a time; a short write ends it.
fn copy(
    task: &Task,
    from: &OpenFile,
    mut read_position: Option<u64>,
    to: &OpenFile,
    mut write_position: Option<u64>,
    count: usize,
) -> Answer {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(memory::PAGE_SIZE).map_err(|_| Errno::ENOMEM)?;
    buffer.resize(memory::PAGE_SIZE, 0);
    let limit = task.limit(RLIMIT_FSIZE);
    let mut done = 0;
    while done < count {
        let wanted = (count - done).min(buffer.len());
        let mut into = Writer::kernel(&mut buffer[..wanted]);
        let read = match read_position {
            Some(at) => from.read_at(at, &mut into),
            None => from.read(&mut into),
        };
        let read = match restartable(read) {
            Ok(0) => break,
            Ok(read) => read,
            Err(failure) if done == 0 => return Err(failure),
            Err(_) => break,
        };
        let mut source = Reader::kernel(&buffer[..read]);
        let written = match write_position {
            Some(at) => to.write_at(at, &mut source, limit),
            None => to.write(&mut source, limit),
        };
        match transferred(task, written) {
            Ok(written) => {
                done += written;
                read_position = read_position.map(|at| at + written as u64);
                write_position = write_position.map(|at| at + written as u64);
                if written < read {
                    break;
                }
            }
            Err(failure) if done == 0 => return Err(failure),
            Err(_) => break,
        }
    }
    Ok(done)
}

fn offset(place: UserPtr<i64>) -> Result<Option<u64>, Errno> {
    place.non_null().map(|place| position(place.read()?)).transpose()
}

fn store_offset(place: UserPtr<i64>, start: Option<u64>, done: usize) -> Result<(), Errno> {
    match start {
        Some(start) => place.write(&((start + done as u64) as i64)),
        None => Ok(()),
    }
}

pub fn sendfile(task: &Task, to: Fd, from: Fd, place: UserPtr<i64>, count: usize) -> Answer {
    let (from, to) = (file(task, from)?, file(task, to)?);
    from.check_readable()?;
    to.check_writable()?;
    let start = offset(place)?;
    if start.is_some() || from.seekable() == Seekable::No {
        check_seekable(&from).map_err(|_| if start.is_some() { Errno::ESPIPE } else { Errno::EINVAL })?;
    }
    let done = copy(task, &from, start, &to, None, count.min(MOST))?;
    store_offset(place, start, done)?;
    Ok(done)
}

pub fn copy_file_range(
    task: &Task,
    from: Fd,
    from_place: UserPtr<i64>,
    to: Fd,
    to_place: UserPtr<i64>,
    count: usize,
) -> Answer {
    let (from, to) = (file(task, from)?, file(task, to)?);
    from.check_readable()?;
    to.check_writable()?;
    let regular = |file: &OpenFile| file.inode().kind() == abi::file::FileType::Regular;
    if !regular(&from) || !regular(&to) {
        return Err(Errno::EINVAL.into());
    }
    let (read_start, write_start) = (offset(from_place)?, offset(to_place)?);
    let done = copy(task, &from, read_start, &to, write_start, count.min(MOST))?;
    store_offset(from_place, read_start, done)?;
    store_offset(to_place, write_start, done)?;
    Ok(done)
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
        F_GETLK | F_SETLK | F_SETLKW => {
            crate::locks::record_lock(task, &*table.get(number)?, command, argument as usize)
        }
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
            task::stub("fcntl: leases, owners, seals");
            Err(Errno::EINVAL.into())
        }
    }
}

pub fn ioctl(task: &Task, fd: Fd, command: u32, argument: usize) -> Answer {
    let file = file(task, fd)?;
    match command {
        FIOCLEX | FIONCLEX => {
            table(task)?.set_close_on_exec(fd.0 as u32, command == FIOCLEX)?;
            Ok(0)
        }
        FIONBIO => {
            let on = UserPtr::<u32>::new(argument).read()? != 0;
            let mut flags = file.flags();
            flags.set(OpenFlags::NON_BLOCKING, on);
            file.set_flags(flags);
            Ok(0)
        }
        FIOASYNC => Err(Errno::ENOTTY.into()),
        FIONREAD if file.inode().kind() == abi::file::FileType::Regular => {
            let left = file.inode().size().saturating_sub(file.position());
            UserPtr::<u32>::new(argument).write(&(left.min(i32::MAX as u64) as u32))?;
            Ok(0)
        }
        _ => restartable(file.ioctl(command, argument)),
    }
}

/// execve(2).
pub fn execve(
    task: &Task,
    context: &mut trap::UserContext,
    path: UserString,
    arguments: usize,
    environment: usize,
) -> Answer {
    execute(task, context, Fd(AT_FDCWD), &read_path(path)?, arguments, environment)
}

pub fn execveat(
    task: &Task,
    context: &mut trap::UserContext,
    folder: Fd,
    path: UserString,
    arguments: usize,
    environment: usize,
    flags: u32,
) -> Answer {
    if flags != 0 {
        task::stub("execveat: flags");
        return Err(Errno::EINVAL.into());
    }
    execute(task, context, folder, &read_path(path)?, arguments, environment)
}

fn execute(
    task: &Task,
    context: &mut trap::UserContext,
    folder: Fd,
    path: &[u8],
    arguments: usize,
    environment: usize,
) -> Answer {
    let (argument_count, environment_count) = (count(arguments)?, count(environment)?);
    let mut strings = exec::Arguments::new(task.limit(RLIMIT_STACK), argument_count, environment_count, path)?;
    collect(&mut strings, exec::StringTable::Arguments, arguments, argument_count)?;
    collect(&mut strings, exec::StringTable::Environment, environment, environment_count)?;
    let mut outcome = Err(Failure::Errno(Errno::ENOENT));
    let mut strings = Some(strings);
    with_origin(task, folder, |origin| {
        let file = task::opened::OpenedExecutable::open(origin, path)?;
        if let Some(strings) = strings.take() {
            outcome = task::execute::execute_path(task, context, origin, path, file, strings);
        }
        Ok(())
    })?;
    // RAX is the new program's own; the answer must leave it alone.
    outcome.map(|()| context.rax as usize)
}

/// The most strings of one list (`MAX_ARG_STRINGS` in practice: their pointers alone may not exceed the stack's limit).
const MOST_STRINGS: usize = 1 << 21;

fn count(list: usize) -> Result<usize, Errno> {
    if list == 0 {
        return Ok(0);
    }
    let mut count = 0;
    while UserPtr::<u64>::new(list).element(count).read()? != 0 {
        count += 1;
        if count > MOST_STRINGS {
            return Err(Errno::E2BIG);
        }
    }
    Ok(count)
}

fn collect(strings: &mut exec::Arguments, which: exec::StringTable, list: usize, count: usize) -> Result<(), Errno> {
    for index in 0..count {
        let address = UserPtr::<u64>::new(list).element(index).read()?;
        let string =
            UserPtr::<u8>::new(address as usize).read_string(exec::MAX_STRING).map_err(|errno| match errno {
                Errno::ENAMETOOLONG => Errno::E2BIG,
                other => other,
            })?;
        strings.push(which, &string)?;
    }
    Ok(())
}
