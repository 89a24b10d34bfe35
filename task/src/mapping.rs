//! What mmap(2) maps: open files, and memory that processes share.
use crate::opened::MappedOpenFile;
use crate::task::Task;
use abi::file::MountFlags;
use abi::{Errno, PAGE_SIZE};
use alloc::sync::Arc;
use mm::{Backing, Rights};
use sync::Once;
use vfs::{Credentials, Mapping, OpenFile};

/// Makes a file in memory that has no name in any tree, open for reading and writing: by the name that /proc shows, its bytes,
/// its permissions, and whose it is.
pub type MakeNameless = fn(&[u8], u64, u32, &Arc<Credentials>) -> Result<Arc<OpenFile>, Errno>;

static NAMELESS: Once<MakeNameless> = Once::new();

/// Says how files without names are made. Once.
pub fn set_nameless(make: MakeNameless) {
    let _ = NAMELESS.set(make);
}

/// A new file without a name. ENOSPC; ENOMEM.
pub fn nameless(task: &Task, name: &[u8], size: u64, permissions: u32) -> Result<Arc<OpenFile>, Errno> {
    NAMELESS.get().ok_or(Errno::ENODEV)?(name, size, permissions, &task.credentials())
}

/// Memory of `length` bytes that every mapping of it shares: an open file that looks like /dev/zero's. ENOMEM.
pub fn shared_memory(task: &Task, length: usize) -> Result<Backing, Errno> {
    let size = length.checked_next_multiple_of(PAGE_SIZE).ok_or(Errno::ENOMEM)?;
    let file = nameless(task, b"dev/zero", size as u64, 0o777)?;
    Ok(Backing::file(MappedOpenFile::new(&file, &task.files.context().root)?, 0))
}

/// A part of a file that is to be mapped.
pub struct Part {
    /// The descriptor.
    pub fd: i32,
    /// First page, and bytes.
    pub page: u64,
    pub length: usize,
}

/// A part of an open file, and the most that the mapping may ever allow. EBADF; EACCES where it was not opened for it; ENODEV
/// where it cannot be mapped.
pub fn of_file(task: &Task, part: &Part, rights: Rights, shared: bool) -> Result<(Backing, Rights), Errno> {
    let table = task.files.descriptors().ok_or(Errno::EBADF)?;
    let file = table.get(u32::try_from(part.fd).map_err(|_| Errno::EBADF)?)?;
    if file.is_path_only() {
        return Err(Errno::EBADF);
    }
    let writable = file.check_writable().is_ok();
    if file.check_readable().is_err() || shared && rights.contains(Rights::WRITE) && !writable {
        return Err(Errno::EACCES);
    }
    let mut may = Rights::all();
    if shared && !writable {
        may.remove(Rights::WRITE);
    }
    if file.path().mount.flags().contains(MountFlags::NO_EXECUTE) {
        if rights.contains(Rights::EXECUTE) {
            return Err(Errno::EPERM);
        }
        may.remove(Rights::EXECUTE);
    }
    let end = (part.page.checked_mul(PAGE_SIZE as u64)).and_then(|start| start.checked_add(part.length as u64));
    if end.is_none_or(|end| end > file.inode().superblock().properties().max_size) {
        return Err(Errno::EOVERFLOW);
    }
    let backing = match file.mapping()? {
        Mapping::Zeros if shared => shared_memory(task, part.length)?,
        Mapping::Zeros => Backing::Anonymous,
        Mapping::Cache(_) => Backing::file(MappedOpenFile::new(&file, &task.files.context().root)?, part.page),
        Mapping::Device { .. } => {
            crate::stub("mmap of device memory");
            return Err(Errno::ENODEV);
        }
    };
    Ok((backing, may))
}
