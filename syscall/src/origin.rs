//! Where a path starts, and the path itself.
use crate::pipes::file;
use crate::{Fd, UserString};
use abi::Errno;
use abi::PATH_MAX;
use abi::raw::general::AT_FDCWD;
use alloc::vec::Vec;
use memory::UserText;
use task::Task;
use vfs::Origin;

/// Reads a path. EFAULT; ENAMETOOLONG.
pub(crate) fn read_path(path: UserString) -> Result<Vec<u8>, Errno> {
    path.0.read_string(PATH_MAX)
}

/// The same into the caller's room: what is called often.
#[inline]
pub(crate) fn path_in(path: UserString, room: &mut UserText) -> Result<&[u8], Errno> {
    path.0.read_text(PATH_MAX, room)?;
    Ok(room)
}

/// Runs `body` with the origin that `path` starts from: the current folder for AT_FDCWD, else an open file. EBADF, but for an
/// absolute path, for which the descriptor does not matter (openat(2)).
pub(crate) fn with_origin<R>(
    task: &Task,
    folder: Fd,
    path: &[u8],
    body: impl FnOnce(&Origin<'_>) -> Result<R, Errno>,
) -> Result<R, Errno> {
    let (context, credentials) = (task.files.context(), task.credentials());
    if folder.0 == AT_FDCWD || path.starts_with(b"/") {
        return body(&Origin { context: &context, credentials: &credentials, start: None });
    }
    let file = file(task, folder)?;
    body(&Origin { context: &context, credentials: &credentials, start: Some(file.path()) })
}
