//! Times of files: utimensat(2) and the calls that came before it.
use crate::origin::{path_in, with_origin};
use crate::pipes::file;
use crate::{Fd, UserString};
use abi::Errno;
use abi::file::AtFlags;
use abi::raw::general::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, UTIME_NOW, UTIME_OMIT};
use abi::time::{Timespec, Timeval};
use memory::{UserPtr, UserText};
use task::Task;
use vfs::Last;
use vfs::calls::{Place, SetTime, change_times_at};

const HERE: Fd = Fd(AT_FDCWD);
const NOW: [SetTime; 2] = [SetTime::Now, SetTime::Now];

/// Sets access and modification times of a path, or of the open file itself where there is none.
fn set(task: &Task, folder: Fd, path: UserString, times: [SetTime; 2], flags: u32) -> Result<(), Errno> {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let [accessed, modified] = times;
    if path.0.is_null() && folder != HERE {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        let file = file(task, folder)?;
        let place = Place::File(&file);
        return with_origin(task, HERE, b"", |origin| {
            change_times_at(origin, place, AtFlags::empty(), accessed, modified)
        });
    }
    let mut room = UserText::new();
    let path = path_in(path, &mut room)?;
    let last = if flags & AT_SYMLINK_NOFOLLOW != 0 { Last::Keep } else { Last::Follow };
    let flags = AtFlags::from_bits_truncate(flags);
    with_origin(task, folder, path, |origin| {
        change_times_at(origin, Place::Path(path, last), flags, accessed, modified)
    })
}

/// From the form with nanoseconds. EINVAL.
fn from_nanoseconds(time: Timespec) -> Result<SetTime, Errno> {
    match time.nanoseconds {
        now if now == i64::from(UTIME_NOW) => Ok(SetTime::Now),
        omit if omit == i64::from(UTIME_OMIT) => Ok(SetTime::Omit),
        0..1_000_000_000 => Ok(SetTime::To(time)),
        _ => Err(Errno::EINVAL),
    }
}

/// From the form with microseconds. EINVAL.
fn from_microseconds(times: UserPtr<[Timeval; 2]>) -> Result<[SetTime; 2], Errno> {
    let Some(times) = times.non_null() else { return Ok(NOW) };
    let set = |time: Timeval| match time.microseconds {
        0..1_000_000 => Ok(SetTime::To(Timespec { seconds: time.seconds, nanoseconds: time.microseconds * 1000 })),
        _ => Err(Errno::EINVAL),
    };
    let [accessed, modified] = times.read()?;
    Ok([set(accessed)?, set(modified)?])
}

pub fn utimensat(
    task: &Task,
    folder: Fd,
    path: UserString,
    times: UserPtr<[Timespec; 2]>,
    flags: u32,
) -> Result<(), Errno> {
    let times = match times.non_null() {
        None => NOW,
        Some(times) => {
            let [accessed, modified] = times.read()?;
            [from_nanoseconds(accessed)?, from_nanoseconds(modified)?]
        }
    };
    // Nothing is to change: not even the path is looked at (utimensat(2)).
    if times == [SetTime::Omit, SetTime::Omit] { Ok(()) } else { set(task, folder, path, times, flags) }
}

pub fn futimesat(task: &Task, folder: Fd, path: UserString, times: UserPtr<[Timeval; 2]>) -> Result<(), Errno> {
    set(task, folder, path, from_microseconds(times)?, 0)
}

pub fn utimes(task: &Task, path: UserString, times: UserPtr<[Timeval; 2]>) -> Result<(), Errno> {
    futimesat(task, HERE, path, times)
}

/// utime(2): whole seconds.
pub fn utime(task: &Task, path: UserString, times: UserPtr<[i64; 2]>) -> Result<(), Errno> {
    let times = match times.non_null() {
        None => NOW,
        Some(times) => times.read()?.map(|seconds| SetTime::To(Timespec { seconds, nanoseconds: 0 })),
    };
    set(task, HERE, path, times, 0)
}
