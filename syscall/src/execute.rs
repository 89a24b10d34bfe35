//! execve(2).
use crate::origin::{read_path, with_origin};
use crate::{Fd, UserString};
use abi::Errno;
use abi::raw::general::*;
use memory::UserPtr;
use task::{Answer, Failure, Task};

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
    with_origin(task, folder, path, |origin| {
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
