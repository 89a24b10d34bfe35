//! execve(2).
use crate::origin::{path_in, with_origin};
use crate::{Fd, UserString};
use abi::Errno;
use abi::file::AtFlags;
use abi::raw::general::*;
use alloc::vec::Vec;
use memory::{UserPtr, UserText};
use task::{Answer, Failure, Task};

/// execve(2).
pub fn execve(
    task: &Task,
    context: &mut trap::UserContext,
    path: UserString,
    arguments: usize,
    environment: usize,
) -> Answer {
    let mut room = UserText::new();
    let path = path_in(path, &mut room)?;
    let program = Program { folder: Fd(AT_FDCWD), path, flags: AtFlags::empty() };
    execute(task, context, &program, arguments, environment)
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
    if flags & !(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut room = UserText::new();
    let path = path_in(path, &mut room)?;
    let flags = AtFlags::from_bits_truncate(flags);
    execute(task, context, &Program { folder, path, flags }, arguments, environment)
}

/// Where a program is.
struct Program<'a> {
    folder: Fd,
    path: &'a [u8],
    flags: AtFlags,
}

impl Program<'_> {
    /// As it is shown to scripts and in AT_EXECFN: by its descriptor where it is not found by a path from the current folder.
    fn shown(&self) -> Result<Vec<u8>, Errno> {
        let mut shown = Vec::new();
        shown.try_reserve_exact(self.path.len() + 32).map_err(|_| Errno::ENOMEM)?;
        if self.folder.0 != AT_FDCWD && !self.path.starts_with(b"/") {
            shown.extend_from_slice(alloc::format!("/dev/fd/{}", self.folder.0).as_bytes());
            if !self.path.is_empty() {
                shown.push(b'/');
            }
        }
        shown.extend_from_slice(self.path);
        Ok(shown)
    }
}

fn execute(
    task: &Task,
    context: &mut trap::UserContext,
    program: &Program<'_>,
    arguments: usize,
    environment: usize,
) -> Answer {
    let (argument_count, environment_count) = (count(arguments)?, count(environment)?);
    let shown = program.shown()?;
    let mut strings = exec::Arguments::new(task.limit(RLIMIT_STACK), argument_count, environment_count, &shown)?;
    collect(&mut strings, exec::StringTable::Arguments, arguments, argument_count)?;
    collect(&mut strings, exec::StringTable::Environment, environment, environment_count)?;
    let mut outcome = Err(Failure::Errno(Errno::ENOENT));
    let mut strings = Some(strings);
    with_origin(task, program.folder, program.path, |origin| {
        let place = vfs::calls::locate(origin, program.path, program.flags)?;
        if place.inode()?.kind() == abi::file::FileType::Symlink {
            return Err(Errno::ELOOP);
        }
        let file = task::opened::OpenedExecutable::of(origin, place)?;
        if let Some(strings) = strings.take() {
            outcome = task::execute::execute_path(task, context, origin, &shown, file, strings);
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
    let mut string = UserText::new();
    for index in 0..count {
        let address = UserPtr::<u64>::new(list).element(index).read()?;
        UserPtr::<u8>::new(address as usize).read_text(exec::MAX_STRING, &mut string).map_err(|errno| match errno {
            Errno::ENAMETOOLONG => Errno::E2BIG,
            other => other,
        })?;
        strings.push(which, &string)?;
    }
    Ok(())
}
