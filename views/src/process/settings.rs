//! Small files of one value, some of which can be set.
use super::{Look, access};
use abi::Errno;
use core::fmt::Write;
use core::sync::atomic::Ordering;
use procfs::Output;
use task::{NAME_LENGTH, shortage, tree};
use vfs::Capabilities;

/// A name without the NULs behind it.
pub(crate) fn trimmed(name: &[u8; NAME_LENGTH]) -> &[u8] {
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    &name[..end]
}

/// comm.
pub(crate) fn name(look: &Look, output: &mut Output) -> Result<(), Errno> {
    output.bytes(trimmed(&look.task.name()));
    output.bytes(b"\n");
    Ok(())
}

/// A thread's name is its process's to change. EINVAL.
pub(crate) fn set_name(look: &Look, bytes: &[u8]) -> Result<usize, Errno> {
    if access::with_reader(|reader| reader.process.pid == look.task.process.pid) != Some(true) {
        return Err(Errno::EINVAL);
    }
    look.task.set_name(bytes);
    Ok(bytes.len())
}

pub(crate) fn personality(look: &Look, output: &mut Output) -> Result<(), Errno> {
    writeln!(output, "{:08x}", look.task.traits.personality.load(Ordering::Relaxed))?;
    Ok(())
}

/// children: numbers, each with a blank behind it.
pub(crate) fn children(look: &Look, output: &mut Output) -> Result<(), Errno> {
    for pid in tree::children_of(&look.task) {
        write!(output, "{pid} ")?;
    }
    Ok(())
}

/// oom_score: two thirds of a thousand for who has nothing, twice that for who has all (proc_oom_score in Linux's fs/proc/base.c).
pub(crate) fn oom_score(look: &Look, output: &mut Output) -> Result<(), Errno> {
    let total = shortage::total_pages();
    let score = shortage::badness(&look.task).map_or(0, |points| (1000 + points * 1000 / total) * 2 / 3);
    writeln!(output, "{score}")?;
    Ok(())
}

pub(crate) fn oom_score_adjustment(look: &Look, output: &mut Output) -> Result<(), Errno> {
    writeln!(output, "{}", look.task.process.oom_score_adjustment.load(Ordering::Relaxed))?;
    Ok(())
}

/// EINVAL for what is no number from -1000 to 1000; EACCES without CAP_SYS_RESOURCE below what somebody with it set last.
pub(crate) fn set_oom_score_adjustment(look: &Look, bytes: &[u8]) -> Result<usize, Errno> {
    let text = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
    let value: i32 = text.trim().parse().map_err(|_| Errno::EINVAL)?;
    if !(-1000..=1000).contains(&value) {
        return Err(Errno::EINVAL);
    }
    let process = &look.task.process;
    let privileged = access::with_reader(|reader| reader.credentials().has(Capabilities::SYS_RESOURCE)) == Some(true);
    if value < process.oom_score_least.load(Ordering::Relaxed) && !privileged {
        return Err(Errno::EACCES);
    }
    process.oom_score_adjustment.store(value, Ordering::Relaxed);
    if privileged {
        process.oom_score_least.store(value, Ordering::Relaxed);
    }
    Ok(bytes.len())
}

/// Whether the running task may look at or set another's timer slack. EPERM.
fn check_slack(look: &Look) -> Result<(), Errno> {
    let may = access::with_reader(|reader| {
        reader.process.pid == look.task.process.pid || reader.credentials().has(Capabilities::SYS_NICE)
    });
    if may == Some(true) { Ok(()) } else { Err(Errno::EPERM) }
}

/// How late a sleep may end.
pub(crate) fn timer_slack(look: &Look, output: &mut Output) -> Result<(), Errno> {
    check_slack(look)?;
    writeln!(output, "{}", look.task.traits.timer_slack.load(Ordering::Relaxed))?;
    Ok(())
}

/// 0 for what the thread had at first. EINVAL.
pub(crate) fn set_timer_slack(look: &Look, bytes: &[u8]) -> Result<usize, Errno> {
    check_slack(look)?;
    let text = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
    let value: u64 = text.trim().parse().map_err(|_| Errno::EINVAL)?;
    let traits = &look.task.traits;
    traits.timer_slack.store(if value == 0 { traits.default_timer_slack } else { value }, Ordering::Relaxed);
    Ok(bytes.len())
}
