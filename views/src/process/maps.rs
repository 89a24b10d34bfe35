//! /proc/PID/maps, smaps and smaps_rollup.
use super::Look;
use abi::{Errno, PAGE_SIZE};
use core::fmt::{self, Write};
use mm::{AreaFlags, Residence, Rights};
use procfs::Output;

const KIB_PER_PAGE: usize = PAGE_SIZE / 1024;

pub(crate) fn maps(look: &Look, output: &mut Output) -> Result<(), Errno> {
    let Some(space) = look.task.space() else { return Ok(()) };
    let mut shown: fmt::Result = Ok(());
    space.for_each_area(0, |area| {
        shown = writeln!(output, "{area}");
        shown.is_ok()
    });
    Ok(shown?)
}

fn row(output: &mut Output, name: &str, kib: usize) -> fmt::Result {
    // Names take 16 columns with their colon, and numbers 8 behind them.
    let width = 23_usize.saturating_sub(name.len());
    writeln!(output, "{name}:{kib:width$} kB")
}

/// What is present, as both files show it. There are no large pages, no swap, and no pages that are free unless used.
fn residence(output: &mut Output, found: &Residence, locked: usize) -> fmt::Result {
    row(output, "Rss", found.resident * KIB_PER_PAGE)?;
    row(output, "Pss", (found.proportional / 1024) as usize)?;
    row(output, "Shared_Clean", found.shared_clean * KIB_PER_PAGE)?;
    row(output, "Shared_Dirty", found.shared_dirty * KIB_PER_PAGE)?;
    row(output, "Private_Clean", found.private_clean * KIB_PER_PAGE)?;
    row(output, "Private_Dirty", found.private_dirty * KIB_PER_PAGE)?;
    row(output, "Referenced", found.referenced * KIB_PER_PAGE)?;
    row(output, "Anonymous", found.anonymous * KIB_PER_PAGE)?;
    for name in ["LazyFree", "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb"] {
        row(output, name, 0)?;
    }
    row(output, "Swap", 0)?;
    row(output, "SwapPss", 0)?;
    row(output, "Locked", locked)
}

/// Of an area with these flags: its part of what is present.
fn locked(flags: AreaFlags, found: &Residence) -> usize {
    if flags.contains(AreaFlags::LOCKED) { (found.proportional / 1024) as usize } else { 0 }
}

pub(crate) fn detailed(look: &Look, output: &mut Output) -> Result<(), Errno> {
    let Some(space) = look.task.space() else { return Ok(()) };
    let mut shown: fmt::Result = Ok(());
    space.for_each_area(0, |area| {
        let found = space.residence(area.range.clone());
        shown = writeln!(output, "{area}")
            .and_then(|()| row(output, "Size", area.range.len() / 1024))
            .and_then(|()| row(output, "KernelPageSize", KIB_PER_PAGE))
            .and_then(|()| row(output, "MMUPageSize", KIB_PER_PAGE))
            .and_then(|()| residence(output, &found, locked(area.flags, &found)))
            .and_then(|()| writeln!(output, "THPeligible:    0"))
            .and_then(|()| flags(output, area.rights, area.flags));
        shown.is_ok()
    });
    Ok(shown?)
}

/// Flags by Linux's two letters. (What an area may be made, it may be made to have any right that it could be mapped with.)
fn flags(output: &mut Output, rights: Rights, flags: AreaFlags) -> fmt::Result {
    let names = [
        (rights.contains(Rights::READ), "rd"),
        (rights.contains(Rights::WRITE), "wr"),
        (rights.contains(Rights::EXECUTE), "ex"),
        (flags.contains(AreaFlags::SHARED), "sh"),
        (flags.contains(AreaFlags::GROWS_DOWN), "gd"),
        (flags.contains(AreaFlags::LOCKED), "lo"),
        (flags.contains(AreaFlags::SEQUENTIAL), "sr"),
        (flags.contains(AreaFlags::RANDOM), "rr"),
        (flags.contains(AreaFlags::DONT_FORK), "dc"),
        (flags.contains(AreaFlags::NO_RESERVE), "nr"),
        (flags.contains(AreaFlags::WIPE_ON_FORK), "wf"),
        (flags.contains(AreaFlags::DONT_DUMP), "dd"),
        (flags.contains(AreaFlags::HUGE), "hg"),
        (flags.contains(AreaFlags::NO_HUGE), "nh"),
    ];
    output.write_str("VmFlags: ")?;
    names.iter().filter(|(set, _)| *set).try_for_each(|(_, name)| write!(output, "{name} "))?;
    output.write_str("\n")
}

/// smaps_rollup: the sums, under a line that spans all areas.
pub(crate) fn summary(look: &Look, output: &mut Output) -> Result<(), Errno> {
    let Some(space) = look.task.space() else { return Err(Errno::ESRCH) };
    let (mut sums, mut kept, mut span) = (Residence::default(), 0, None);
    space.for_each_area(0, |area| {
        let found = space.residence(area.range.clone());
        kept += locked(area.flags, &found);
        sums.add(&found);
        let start = span.map_or(area.range.start, |(start, _)| start);
        span = Some((start, area.range.end));
        true
    });
    let (start, end) = span.unwrap_or_default();
    let mut line = alloc::format!("{start:08x}-{end:08x} ---p 00000000 00:00 0 ");
    while line.len() < 25 + 6 * 8 {
        line.push(' ');
    }
    writeln!(output, "{line}[rollup]")?;
    residence(output, &sums, kept)?;
    Ok(())
}
