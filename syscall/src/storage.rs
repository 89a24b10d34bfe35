//! What concerns a file's space and storage: fallocate(2), readahead(2), posix_fadvise(2), syncing; and memfd_create(2).
use crate::files::table;
use crate::pipes::file;
use crate::{Fd, UserString};
use abi::Errno;
use abi::file::{AllocateFlags, FileType};
use abi::raw::general::*;
use alloc::vec::Vec;
use task::signals::{Information, send_to_task};
use task::{Answer, Task};
use vfs::Seals;

pub fn fallocate(task: &Task, fd: Fd, mode: u32, offset: i64, length: i64) -> Answer {
    let file = file(task, fd)?;
    let (Ok(offset), Ok(length @ 1..)) = (u64::try_from(offset), u64::try_from(length)) else {
        return Err(Errno::EINVAL.into());
    };
    let flags = AllocateFlags::from_bits(mode).ok_or(Errno::EOPNOTSUPP)?;
    let (hole, keep) = (AllocateFlags::PUNCH_HOLE, AllocateFlags::KEEP_SIZE);
    if flags.contains(hole | AllocateFlags::ZERO_RANGE) || flags.contains(hole) && !flags.contains(keep) {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let done = file.allocate(flags, offset, length, task.limit(RLIMIT_FSIZE));
    if done == Err(Errno::EFBIG) && offset.checked_add(length).is_some_and(|end| end <= i64::MAX as u64) {
        let _ = send_to_task(task, SIGXFSZ, Information::kernel());
    }
    Ok(done.map(|()| 0)?)
}

/// readahead(2): advice, which files in memory need not follow.
pub fn readahead(task: &Task, fd: Fd, _: i64, _: usize) -> Result<(), Errno> {
    let file = file(task, fd)?;
    file.check_readable()?;
    match file.inode().kind() {
        FileType::Regular | FileType::BlockDevice if !file.is_path_only() => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

pub fn fadvise64(task: &Task, fd: Fd, _: i64, length: i64, advice: u32) -> Result<(), Errno> {
    let file = file(task, fd)?;
    if file.is_path_only() {
        return Err(Errno::EBADF);
    }
    if file.inode().kind() == FileType::Fifo {
        return Err(Errno::ESPIPE);
    }
    if length < 0 || advice > POSIX_FADV_NOREUSE {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

pub fn sync_file_range(task: &Task, fd: Fd, offset: i64, length: i64, flags: u32) -> Result<(), Errno> {
    let known = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    let file = file(task, fd)?;
    if file.is_path_only() {
        return Err(Errno::EBADF);
    }
    let end = offset.checked_add(length);
    if flags & !known != 0 || offset < 0 || end.is_none_or(|end| end < offset) {
        return Err(Errno::EINVAL);
    }
    match file.inode().kind() {
        FileType::Regular | FileType::BlockDevice if flags & SYNC_FILE_RANGE_WRITE != 0 => file.synchronise(),
        FileType::Regular | FileType::BlockDevice | FileType::Directory => Ok(()),
        _ => Err(Errno::ESPIPE),
    }
}

pub fn syncfs(task: &Task, fd: Fd) -> Result<(), Errno> {
    let file = file(task, fd)?;
    if file.is_path_only() {
        return Err(Errno::EBADF);
    }
    file.inode().superblock().operations().synchronise()
}

/// The longest name of memfd_create(2), without its NUL: NAME_MAX less `memfd:`.
const LONGEST_NAME: usize = 249;

pub fn memfd_create(task: &Task, name: UserString, flags: u32) -> Result<usize, Errno> {
    let known = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC;
    if flags & MFD_HUGETLB != 0 {
        task::stub("memfd_create: MFD_HUGETLB");
        return Err(Errno::EINVAL);
    }
    let both = MFD_NOEXEC_SEAL | MFD_EXEC;
    if flags & !known != 0 || flags & both == both {
        return Err(Errno::EINVAL);
    }
    let name = name.0.read_string(LONGEST_NAME + 1).map_err(|errno| match errno {
        Errno::ENAMETOOLONG => Errno::EINVAL,
        other => other,
    })?;
    let mut shown = Vec::new();
    shown.try_reserve_exact(name.len() + 6).map_err(|_| Errno::ENOMEM)?;
    shown.extend_from_slice(b"memfd:");
    shown.extend_from_slice(&name);
    let sealed_exec = flags & MFD_NOEXEC_SEAL != 0;
    let file = task::mapping::nameless(task, &shown, 0, if sealed_exec { 0o666 } else { 0o777 })?;
    let mut seals = Seals::empty();
    seals.set(Seals::SEAL, flags & MFD_ALLOW_SEALING == 0 && !sealed_exec);
    seals.set(Seals::EXECUTE, sealed_exec);
    file.inode().set_first_seals(seals);
    table(task)?.install(file, flags & MFD_CLOEXEC != 0, task.limit(RLIMIT_NOFILE)).map(|number| number as usize)
}
