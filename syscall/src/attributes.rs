//! Extended attributes: getxattr(2), setxattr(2), listxattr(2), removexattr(2), by path, by symlink and by descriptor.
use crate::origin::{path_in, with_origin};
use crate::pipes::file;
use crate::{Fd, UserString};
use abi::Errno;
use abi::raw::general::{AT_FDCWD, XATTR_CREATE, XATTR_REPLACE};
use alloc::vec::Vec;
use memory::{UserSlice, UserText};
use task::Task;
use vfs::calls::{Place, get_attribute, list_attributes, set_attribute};
use vfs::{LONGEST_NAME, LONGEST_VALUE, Last, Origin, SetMode};

/// What a call is about.
#[derive(Clone, Copy)]
enum Which {
    Path(UserString, Last),
    File(Fd),
}

fn with_place<R>(
    task: &Task,
    which: Which,
    body: impl FnOnce(&Origin<'_>, Place<'_>) -> Result<R, Errno>,
) -> Result<R, Errno> {
    match which {
        Which::Path(path, last) => {
            let mut room = UserText::new();
            let path = path_in(path, &mut room)?;
            with_origin(task, Fd(AT_FDCWD), path, |origin| body(origin, Place::Path(path, last)))
        }
        Which::File(fd) => {
            let file = file(task, fd)?;
            with_origin(task, Fd(AT_FDCWD), b"", |origin| body(origin, Place::File(&file)))
        }
    }
}

/// ERANGE for none, or one that is too long.
fn read_name(name: UserString) -> Result<Vec<u8>, Errno> {
    let text = name.0.read_string(LONGEST_NAME + 1).map_err(|errno| match errno {
        Errno::ENAMETOOLONG => Errno::ERANGE,
        other => other,
    })?;
    if text.is_empty() { Err(Errno::ERANGE) } else { Ok(text) }
}

/// Hands over a value or a list: its length alone where there is no room at all. ERANGE.
fn hand_over(bytes: &[u8], buffer: usize, size: usize) -> Result<usize, Errno> {
    if size != 0 {
        if bytes.len() > size {
            return Err(Errno::ERANGE);
        }
        UserSlice::new(buffer, bytes.len()).write(bytes)?;
    }
    Ok(bytes.len())
}

fn get(task: &Task, which: Which, name: UserString, buffer: usize, size: usize) -> Result<usize, Errno> {
    let name = read_name(name)?;
    let value = with_place(task, which, |origin, place| get_attribute(origin, place, &name))?;
    hand_over(&value, buffer, size)
}

fn set(task: &Task, which: Which, name: UserString, buffer: usize, size: usize, flags: u32) -> Result<(), Errno> {
    let mode = match flags {
        0 => SetMode::Any,
        XATTR_CREATE => SetMode::Create,
        XATTR_REPLACE => SetMode::Replace,
        // Both contradict each other, which Linux leaves to whichever fails first.
        both if both == XATTR_CREATE | XATTR_REPLACE => SetMode::Create,
        _ => return Err(Errno::EINVAL),
    };
    let name = read_name(name)?;
    if size > LONGEST_VALUE {
        return Err(Errno::E2BIG);
    }
    let mut value = Vec::new();
    value.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
    value.resize(size, 0);
    UserSlice::new(buffer, size).read(&mut value)?;
    with_place(task, which, |origin, place| set_attribute(origin, place, &name, Some(value), mode))
}

fn list(task: &Task, which: Which, buffer: usize, size: usize) -> Result<usize, Errno> {
    let names = with_place(task, which, list_attributes)?;
    hand_over(&names, buffer, size)
}

fn remove(task: &Task, which: Which, name: UserString) -> Result<(), Errno> {
    let name = read_name(name)?;
    with_place(task, which, |origin, place| set_attribute(origin, place, &name, None, SetMode::Any))
}

pub fn getxattr(task: &Task, path: UserString, name: UserString, value: usize, size: usize) -> Result<usize, Errno> {
    get(task, Which::Path(path, Last::Follow), name, value, size)
}

pub fn lgetxattr(task: &Task, path: UserString, name: UserString, value: usize, size: usize) -> Result<usize, Errno> {
    get(task, Which::Path(path, Last::Keep), name, value, size)
}

pub fn fgetxattr(task: &Task, fd: Fd, name: UserString, value: usize, size: usize) -> Result<usize, Errno> {
    get(task, Which::File(fd), name, value, size)
}

pub fn setxattr(
    task: &Task,
    path: UserString,
    name: UserString,
    value: usize,
    size: usize,
    flags: u32,
) -> Result<(), Errno> {
    set(task, Which::Path(path, Last::Follow), name, value, size, flags)
}

pub fn lsetxattr(
    task: &Task,
    path: UserString,
    name: UserString,
    value: usize,
    size: usize,
    flags: u32,
) -> Result<(), Errno> {
    set(task, Which::Path(path, Last::Keep), name, value, size, flags)
}

pub fn fsetxattr(task: &Task, fd: Fd, name: UserString, value: usize, size: usize, flags: u32) -> Result<(), Errno> {
    set(task, Which::File(fd), name, value, size, flags)
}

pub fn listxattr(task: &Task, path: UserString, names: usize, size: usize) -> Result<usize, Errno> {
    list(task, Which::Path(path, Last::Follow), names, size)
}

pub fn llistxattr(task: &Task, path: UserString, names: usize, size: usize) -> Result<usize, Errno> {
    list(task, Which::Path(path, Last::Keep), names, size)
}

pub fn flistxattr(task: &Task, fd: Fd, names: usize, size: usize) -> Result<usize, Errno> {
    list(task, Which::File(fd), names, size)
}

pub fn removexattr(task: &Task, path: UserString, name: UserString) -> Result<(), Errno> {
    remove(task, Which::Path(path, Last::Follow), name)
}

pub fn lremovexattr(task: &Task, path: UserString, name: UserString) -> Result<(), Errno> {
    remove(task, Which::Path(path, Last::Keep), name)
}

pub fn fremovexattr(task: &Task, fd: Fd, name: UserString) -> Result<(), Errno> {
    remove(task, Which::File(fd), name)
}
