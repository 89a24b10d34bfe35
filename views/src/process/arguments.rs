//! What the last exec left in a program's memory: arguments, environment, auxiliary vector.
use super::Look;
use abi::{Errno, PAGE_SIZE};
use core::ops::Range;
use memory::Writer;
use procfs::Output;
use task::Task;

/// Copies a range of the program's memory, as far as it is there. A process without memory has none.
fn copy(task: &Task, range: Range<u64>, output: &mut Output) -> Result<(), Errno> {
    let Some(space) = task.space() else { return Ok(()) };
    let mut page = [0; 1024];
    let mut address = range.start;
    while address < range.end {
        let wanted = (range.end - address).min(page.len() as u64) as usize;
        let Ok(count) = space.read_remote(address as usize, &mut Writer::kernel(&mut page[..wanted])) else { break };
        output.bytes(&page[..count]);
        if count < wanted {
            break;
        }
        address += count as u64;
    }
    Ok(())
}

/// cmdline. A program may have written its title over the arguments (setproctitle(3)): where their last NUL is gone, the title
/// goes on into the environment, up to a NUL or for a page.
pub(crate) fn command_line(look: &Look, output: &mut Output) -> Result<(), Errno> {
    let Some(image) = look.task.exec_image() else { return Ok(()) };
    let stack = &image.stack;
    if stack.argument_start >= stack.argument_end {
        return Ok(());
    }
    let mut last = Output::default();
    copy(&look.task, stack.argument_end - 1..stack.argument_end, &mut last)?;
    if last.ends_with(b"\0") || last.is_empty() {
        return copy(&look.task, stack.argument_start..stack.argument_end, output);
    }
    let end = stack.environment_end.min(stack.argument_start + PAGE_SIZE as u64).max(stack.argument_end);
    copy(&look.task, stack.argument_start..end, output)?;
    output.cut_behind_first_nul();
    Ok(())
}

pub(crate) fn environment(look: &Look, output: &mut Output) -> Result<(), Errno> {
    let Some(image) = look.task.exec_image() else { return Ok(()) };
    copy(&look.task, image.stack.environment_start..image.stack.environment_end, output)
}

/// Words of the machine, up to and with the pair of zeros.
pub(crate) fn auxiliary_vector(look: &Look, output: &mut Output) -> Result<(), Errno> {
    let Some(image) = look.task.exec_image().filter(|_| look.task.space().is_some()) else { return Ok(()) };
    for word in &image.auxiliary_vector {
        output.bytes(&word.to_ne_bytes());
    }
    Ok(())
}
