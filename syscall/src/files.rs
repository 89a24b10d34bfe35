//! Open files: opening, reading, writing, copying.
use crate::origin::{path_in, with_origin};
use crate::pipes::{file, restartable};
use crate::{Fd, UserString};
use abi::Errno;
use abi::file::{OpenFlags, Whence};
use abi::raw::general::*;
use abi::raw::ioctl::{FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD};
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::{Reader, UserPtr, UserSlice, UserText, Writer};
use task::signals::{Information, send_to_task};
use task::{Answer, Task};
use vfs::{DescriptorTable, OpenFile, Seekable};

/// The most that one call transfers.
pub(crate) const MOST: usize = vfs::MAX_TRANSFER;

pub(crate) fn table(task: &Task) -> Result<Arc<DescriptorTable>, Errno> {
    task.files.descriptors().ok_or(Errno::EBADF)
}

pub fn openat(task: &Task, folder: Fd, path: UserString, flags: u32, mode: u32) -> Answer {
    let mut room = UserText::new();
    let path = path_in(path, &mut room)?;
    // O_LARGEFILE is every file's; bits that mean nothing are ignored, as always by open(2).
    let flags = OpenFlags::from_bits_truncate(flags) | OpenFlags::LARGE_FILE;
    let table = table(task)?;
    let reserved = table.reserve(0, flags.contains(OpenFlags::CLOSE_ON_EXEC), task.limit(RLIMIT_NOFILE))?;
    let opened =
        restartable(with_origin(task, folder, path, |origin| vfs::calls::open_at(origin, path, flags, mode & 0o7777)))?;
    Ok(reserved.fill(opened) as usize)
}

pub fn open(task: &Task, path: UserString, flags: u32, mode: u32) -> Answer {
    openat(task, Fd(AT_FDCWD), path, flags, mode)
}

pub fn creat(task: &Task, path: UserString, mode: u32) -> Answer {
    openat(task, Fd(AT_FDCWD), path, O_CREAT | O_WRONLY | O_TRUNC, mode)
}

/// A transfer's outcome: SIGXFSZ goes with EFBIG.
pub(crate) fn transferred(task: &Task, result: Result<usize, Errno>) -> Answer {
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

/// A position from which `length` bytes can be counted. EINVAL.
fn position_of(offset: i64, length: usize) -> Result<u64, Errno> {
    let start = position(offset)?;
    start.checked_add(length as u64).filter(|&end| end <= i64::MAX as u64).map(|_| start).ok_or(Errno::EINVAL)
}

pub(crate) fn position(offset: i64) -> Result<u64, Errno> {
    u64::try_from(offset).map_err(|_| Errno::EINVAL)
}

pub(crate) fn check_seekable(file: &OpenFile) -> Result<(), Errno> {
    if file.seekable() == Seekable::No { Err(Errno::ESPIPE) } else { Ok(()) }
}

pub fn pread64(task: &Task, fd: Fd, buffer: usize, length: usize, offset: i64) -> Answer {
    position(offset)?;
    let file = file(task, fd)?;
    check_seekable(&file)?;
    file.check_readable()?;
    let position = position_of(offset, length)?;
    restartable(file.read_at(position, &mut Writer::user(UserSlice::new(buffer, length.min(MOST)))))
}

pub fn pwrite64(task: &Task, fd: Fd, buffer: usize, length: usize, offset: i64) -> Answer {
    position(offset)?;
    let file = file(task, fd)?;
    check_seekable(&file)?;
    file.check_writable()?;
    let position = position_of(offset, length)?;
    let result =
        file.write_at(position, &mut Reader::user(UserSlice::new(buffer, length.min(MOST))), task.limit(RLIMIT_FSIZE));
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
    flags: u32,
) -> Answer {
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
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
