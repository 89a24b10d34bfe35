//! Files, folders, mounts, waiting for descriptors.

use crate::call::{Errno, Result, call, number};
use core::ffi::CStr;

/// A file descriptor.
pub type Descriptor = i32;

/// Open for reading.
pub const O_RDONLY: u32 = 0;
/// Open for writing.
pub const O_WRONLY: u32 = 1;
/// Open for both.
pub const O_RDWR: u32 = 2;
/// Do not make it the controlling terminal.
pub const O_NOCTTY: u32 = 0o400;
/// Never wait in read or write.
pub const O_NONBLOCK: u32 = 0o4000;
/// A folder or nothing.
pub const O_DIRECTORY: u32 = 0o200_000;
/// Closed by execve.
pub const O_CLOEXEC: u32 = 0o2_000_000;

const AT_FDCWD: usize = -100_isize as usize;
const F_SETFL: usize = 4;

/// Opens an existing file.
///
/// # Errors
/// open(2).
pub fn open(path: &CStr, flags: u32) -> Result<Descriptor> {
    // SAFETY: `path` is a string closed by a NUL.
    let descriptor = unsafe { call(number::OPENAT, [AT_FDCWD, path.as_ptr() as usize, flags as usize, 0, 0, 0])? };
    Ok(descriptor as Descriptor)
}

/// Closes a descriptor.
pub fn close(descriptor: Descriptor) {
    // SAFETY: no pointers.
    let _ = unsafe { call(number::CLOSE, [descriptor as usize, 0, 0, 0, 0, 0]) };
}

/// Reads at most `buffer.len()` bytes; 0 at the end.
///
/// # Errors
/// read(2); EINTR is retried.
pub fn read(descriptor: Descriptor, buffer: &mut [u8]) -> Result<usize> {
    loop {
        // SAFETY: the buffer is ours to write.
        let answer =
            unsafe { call(number::READ, [descriptor as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0]) };
        if answer != Err(Errno::EINTR) {
            return answer;
        }
    }
}

/// Writes at most `bytes.len()` bytes.
///
/// # Errors
/// write(2); EINTR is retried.
pub fn write(descriptor: Descriptor, bytes: &[u8]) -> Result<usize> {
    loop {
        // SAFETY: the kernel only reads the slice.
        let answer =
            unsafe { call(number::WRITE, [descriptor as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) };
        if answer != Err(Errno::EINTR) {
            return answer;
        }
    }
}

/// Writes all of `bytes` to a descriptor that blocks.
///
/// # Errors
/// write(2).
pub fn write_all(descriptor: Descriptor, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let written = write(descriptor, bytes)?;
        bytes = bytes.get(written..).unwrap_or(&[]);
    }
    Ok(())
}

/// A pipe that execve closes: the end to read, the end to write.
///
/// # Errors
/// pipe(2).
pub fn pipe() -> Result<(Descriptor, Descriptor)> {
    let mut ends = [0_i32; 2];
    // SAFETY: the kernel writes two descriptors.
    unsafe { call(number::PIPE2, [ends.as_mut_ptr() as usize, O_CLOEXEC as usize, 0, 0, 0, 0])? };
    Ok((ends[0], ends[1]))
}

/// Makes `to` another name of `from`, open across execve.
///
/// # Errors
/// dup(2); EINVAL when they are the same.
pub fn duplicate(from: Descriptor, to: Descriptor) -> Result<()> {
    // SAFETY: no pointers.
    unsafe { call(number::DUP3, [from as usize, to as usize, 0, 0, 0, 0]).map(drop) }
}

/// Makes reads and writes of an open description wait, or not.
///
/// # Errors
/// fcntl(2).
pub fn set_nonblocking(descriptor: Descriptor, flags: u32) -> Result<()> {
    // SAFETY: no pointers for F_SETFL.
    unsafe { call(number::FCNTL, [descriptor as usize, F_SETFL, (flags | O_NONBLOCK) as usize, 0, 0, 0]).map(drop) }
}

/// Creates a folder (mode 0755).
///
/// # Errors
/// mkdir(2).
pub fn make_folder(path: &CStr) -> Result<()> {
    // SAFETY: a string closed by a NUL.
    unsafe { call(number::MKDIR, [path.as_ptr() as usize, 0o755, 0, 0, 0, 0]).map(drop) }
}

/// Creates a symbolic link.
///
/// # Errors
/// symlink(2).
pub fn link(target: &CStr, path: &CStr) -> Result<()> {
    // SAFETY: strings closed by a NUL.
    unsafe { call(number::SYMLINK, [target.as_ptr() as usize, path.as_ptr() as usize, 0, 0, 0, 0]).map(drop) }
}

/// Changes the working directory.
///
/// # Errors
/// chdir(2).
pub fn change_folder(path: &CStr) -> Result<()> {
    // SAFETY: a string closed by a NUL.
    unsafe { call(number::CHDIR, [path.as_ptr() as usize, 0, 0, 0, 0, 0]).map(drop) }
}

/// Mounts a file system without a device.
///
/// # Errors
/// mount(2).
pub fn mount(kind: &CStr, path: &CStr, flags: usize, options: &CStr) -> Result<()> {
    let (name, path, options) = (kind.as_ptr() as usize, path.as_ptr() as usize, options.as_ptr() as usize);
    // SAFETY: strings closed by a NUL.
    unsafe { call(number::MOUNT, [name, path, name, flags, options, 0]).map(drop) }
}

/// Loads a kernel module from an open file.
///
/// # Errors
/// `finit_module(2)`.
pub fn load_module(file: Descriptor) -> Result<()> {
    // SAFETY: the parameters are an empty string.
    unsafe { call(number::FINIT_MODULE, [file as usize, c"".as_ptr() as usize, 0, 0, 0, 0]).map(drop) }
}

/// Calls `each` with the name of every entry of a folder, until it answers `false`.
///
/// # Errors
/// open(2), getdents(2).
pub fn list_folder(path: &CStr, mut each: impl FnMut(&CStr) -> bool) -> Result<()> {
    let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)?;
    let mut buffer = [0_u8; 1024];
    let answer = loop {
        let arguments = [folder as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
        // SAFETY: the buffer is ours to write.
        match unsafe { call(number::GETDENTS64, arguments) } {
            Ok(0) => break Ok(()),
            Ok(filled) if !entries(buffer.get(..filled).unwrap_or(&[]), &mut each) => break Ok(()),
            Ok(_) => {}
            Err(errno) => break Err(errno),
        }
    };
    close(folder);
    answer
}

/// Walks `struct linux_dirent64`: inode and offset (8 bytes each), length (2), type (1), name.
fn entries(mut rest: &[u8], each: &mut impl FnMut(&CStr) -> bool) -> bool {
    while let Some(&[low, high]) = rest.get(16..18) {
        let length = usize::from(u16::from_le_bytes([low, high]));
        let Some(entry) = rest.get(19..length) else {
            return true;
        };
        if let Ok(name) = CStr::from_bytes_until_nul(entry)
            && !each(name)
        {
            return false;
        }
        rest = rest.get(length..).unwrap_or(&[]);
    }
    true
}

/// There is something to read.
pub const POLLIN: i16 = 1;
/// There is room to write.
pub const POLLOUT: i16 = 4;
/// An error, or no reader is left.
pub const POLLERR: i16 = 8;
/// The other side is gone.
pub const POLLHUP: i16 = 16;

/// `struct pollfd`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Poll {
    /// What to watch; negative for none.
    pub descriptor: Descriptor,
    /// What to wait for.
    pub events: i16,
    /// What is so.
    pub returned: i16,
}

/// Waits for one of `polls` or a signal, for at most `milliseconds` (none: for ever), with all signals let in meanwhile.
///
/// # Errors
/// ppoll(2); EINTR when a signal came.
pub fn poll(polls: &mut [Poll], milliseconds: Option<u64>) -> Result<usize> {
    let limit = milliseconds.map(crate::processes::timespec);
    let limit = limit.as_ref().map_or(0, |limit| core::ptr::from_ref(limit) as usize);
    let mask = 0_u64;
    let mask = core::ptr::from_ref(&mask) as usize;
    // SAFETY: the pointers are to locals and to the slice, with its length; the mask is of the kernel's 8 bytes.
    unsafe { call(number::PPOLL, [polls.as_mut_ptr() as usize, polls.len(), limit, mask, 8, 0]) }
}
