//! /proc/PID/maps and its relatives.
use super::Look;
use abi::Errno;
use core::fmt::{self, Write};
use procfs::Output;

pub(crate) fn maps(look: &Look, output: &mut Output) -> Result<(), Errno> {
    let Some(space) = look.task.space() else { return Ok(()) };
    let mut shown: fmt::Result = Ok(());
    space.for_each_area(0, |area| {
        shown = writeln!(output, "{area}");
        shown.is_ok()
    });
    Ok(shown?)
}
