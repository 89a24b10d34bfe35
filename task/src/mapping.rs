//! What mmap(2) maps: open files, and memory that processes share.
use crate::task::Task;
use abi::Errno;
use abi::file::MountFlags;
use mm::{Backing, Rights};
use sync::Once;

/// Makes a nameless file of `length` bytes in memory, for MAP_SHARED | MAP_ANONYMOUS.
pub type MakeShared = fn(usize) -> Result<alloc::sync::Arc<dyn mm::MappedFile>, Errno>;

static SHARED: Once<MakeShared> = Once::new();

/// Says how shared memory is made. Once.
pub fn set_shared_memory(make: MakeShared) {
    let _ = SHARED.set(make);
}

/// Memory of `length` bytes that every mapping of it shares. ENOMEM.
pub fn shared_memory(length: usize) -> Result<Backing, Errno> {
    let make = SHARED.get().ok_or(Errno::ENODEV)?;
    Ok(Backing::file(make(length)?, 0))
}

/// The file open as `fd` from page `page` on, and the most that the mapping may ever allow. EBADF; EACCES where it was not
/// opened for it; ENODEV where it cannot be mapped.
pub fn of_file(task: &Task, fd: i32, rights: Rights, shared: bool, page: u64) -> Result<(Backing, Rights), Errno> {
    let table = task.files.descriptors().ok_or(Errno::EBADF)?;
    let file = table.get(u32::try_from(fd).map_err(|_| Errno::EBADF)?)?;
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
    crate::opened::backing(&file, &task.files.context().root, page).map(|backing| (backing, may))
}
