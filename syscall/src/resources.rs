//! Resources: limits, what was used, priorities, CPUs.
use crate::process::timeval;
use abi::Errno;
use abi::raw::general::*;
use abi::system::{Rlimit, Rusage, Tms};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use memory::{PAGE_SIZE, UserPtr};
use task::limits::Limit;
use task::usage::{self, Usage};
use task::{Task, tree};
use vfs::Capabilities;

/// The most that RLIMIT_NOFILE may be (proc(5), fs.nr_open).
const MOST_DESCRIPTORS: u64 = 1 << 20;

pub fn getrlimit(task: &Task, which: u32, place: UserPtr<Rlimit>) -> Result<(), Errno> {
    let limit = task.process.limits.lock().get(which).ok_or(Errno::EINVAL)?;
    place.write(&to_user(limit))
}

pub fn setrlimit(task: &Task, which: u32, place: UserPtr<Rlimit>) -> Result<(), Errno> {
    change_limit(task, task, which, Some(place.read()?)).map(|_| ())
}

/// prlimit(2). The number may be that of any thread.
pub fn prlimit64(task: &Task, pid: i32, which: u32, new: UserPtr<Rlimit>, old: UserPtr<Rlimit>) -> Result<(), Errno> {
    let wanted = new.non_null().map(UserPtr::read).transpose()?;
    let other = find(task, pid)?;
    let target = other.as_deref().unwrap_or(task);
    may_limit(task, target)?;
    let before = change_limit(task, target, which, wanted)?;
    old.non_null().map_or(Ok(()), |place| place.write(&to_user(before)))
}

fn to_user(limit: Limit) -> Rlimit {
    Rlimit { soft: limit.soft, hard: limit.hard }
}

/// The task with this number; `None` for the caller itself, which 0 means too.
pub(crate) fn find(task: &Task, pid: i32) -> Result<Option<Arc<Task>>, Errno> {
    let pid = u32::try_from(pid).map_err(|_| Errno::ESRCH)?;
    if pid == 0 || pid == task.tid() {
        return Ok(None);
    }
    tree::find_task(pid).map(Some).ok_or(Errno::ESRCH)
}

/// prlimit(2): the same task; or one all whose identities are the caller's real ones; or CAP_SYS_RESOURCE.
fn may_limit(task: &Task, target: &Task) -> Result<(), Errno> {
    if task.tid() == target.tid() {
        return Ok(());
    }
    let (caller, target) = (task.credentials(), target.credentials());
    let same = |own: u32, other: vfs::Identity| own == other.real && own == other.effective && own == other.saved;
    let same = same(caller.user.real, target.user) && same(caller.group.real, target.group);
    if same || caller.has(Capabilities::SYS_RESOURCE) { Ok(()) } else { Err(Errno::EPERM) }
}

/// Looks at a limit, and sets it where `wanted` says so; answers how it stood.
fn change_limit(task: &Task, target: &Task, which: u32, wanted: Option<Rlimit>) -> Result<Limit, Errno> {
    let may_raise = wanted.is_some() && task.credentials().has(Capabilities::SYS_RESOURCE);
    let mut limits = target.process.limits.lock();
    let before = limits.get(which).ok_or(Errno::EINVAL)?;
    let Some(wanted) = wanted else { return Ok(before) };
    if wanted.soft > wanted.hard {
        return Err(Errno::EINVAL);
    }
    let too_many = which == RLIMIT_NOFILE && wanted.hard > MOST_DESCRIPTORS;
    if too_many || wanted.hard > before.hard && !may_raise {
        return Err(Errno::EPERM);
    }
    limits.set(which, Limit { soft: wanted.soft, hard: wanted.hard });
    drop(limits);
    if which == RLIMIT_CPU {
        task::limits::watch_processor_time(&target.process);
    }
    Ok(before)
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub fn getrusage(task: &Task, who: i32, place: UserPtr<Rusage>) -> Result<(), Errno> {
    const THREAD: i32 = RUSAGE_THREAD as i32;
    const SELF: i32 = RUSAGE_SELF as i32;
    let used: Usage = match who {
        SELF => usage::of_process(&task.process),
        THREAD => usage::of_thread(task),
        RUSAGE_CHILDREN => usage::of_children(&task.process),
        _ => return Err(Errno::EINVAL),
    };
    let now = if who == RUSAGE_CHILDREN { 0 } else { task.space().map_or(0, |space| space.usage().resident_peak) };
    place.write(&rusage(&Usage { resident_peak: used.resident_peak.max(now), ..used }))
}

/// As user space has it.
pub(crate) fn rusage(used: &Usage) -> Rusage {
    Rusage {
        user_time: timeval(used.user),
        system_time: timeval(used.system),
        max_resident: count(used.resident_peak.saturating_mul(PAGE_SIZE / 1024) as u64),
        minor_faults: count(used.minor_faults),
        major_faults: count(used.major_faults),
        voluntary_switches: count(used.voluntary_switches),
        involuntary_switches: count(used.involuntary_switches),
        ..Rusage::default()
    }
}

/// times(2): answers ticks of 1/100 s since boot.
pub fn times(task: &Task, place: UserPtr<Tms>) -> Result<usize, Errno> {
    if let Some(place) = place.non_null() {
        let (own, children) = (usage::of_process(&task.process), usage::of_children(&task.process));
        let ticks = |nanoseconds: u64| count(time::user_ticks(nanoseconds));
        place.write(&Tms {
            user: ticks(own.user),
            system: ticks(own.system),
            children_user: ticks(children.user),
            children_system: ticks(children.system),
        })?;
    }
    Ok(time::user_ticks(sync::now()) as usize)
}

/// Goes through the tasks that getpriority(2) means: `who` of 0 is the caller, its group, its real user.
fn for_each_meant(task: &Task, which: u32, who: u32, mut body: impl FnMut(&Task)) -> Result<(), Errno> {
    match which {
        PRIO_PROCESS if who == 0 || who == task.tid() => body(task),
        PRIO_PROCESS => body(&*tree::find_task(who).ok_or(Errno::ESRCH)?),
        PRIO_PGRP => {
            let group = if who == 0 { task.process.group() } else { who };
            let mut from = 0;
            while let Some(process) = tree::next_member(group, from) {
                for_each_thread(process.pid, &mut body);
                from = process.pid.saturating_add(1);
            }
        }
        PRIO_USER => {
            let user = if who == 0 { task.credentials().user.real } else { who };
            let mut from = 0;
            while let Some(process) = tree::next_process(from) {
                for_each_thread(process.pid, &mut |thread| {
                    if thread.credentials().user.real == user {
                        body(thread);
                    }
                });
                from = process.pid.saturating_add(1);
            }
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

fn for_each_thread(pid: tree::Pid, body: &mut dyn FnMut(&Task)) {
    let mut from = 0;
    while let Some(thread) = tree::next_thread(pid, from) {
        body(&thread);
        from = thread.tid().saturating_add(1);
    }
}

/// getpriority(2): 20 less the lowest nice value, so that no answer looks like an error.
pub fn getpriority(task: &Task, which: u32, who: u32) -> Result<usize, Errno> {
    let mut most = None;
    for_each_meant(task, which, who, |thread| most = most.max(Some(20 - thread.nice.load(Ordering::Relaxed))))?;
    most.map(|most| most as usize).ok_or(Errno::ESRCH)
}

/// setpriority(2). Every task that may be changed is; the last refusal is the answer.
pub fn setpriority(task: &Task, which: u32, who: u32, nice: i32) -> Result<(), Errno> {
    let nice = nice.clamp(-20, 19);
    let mut refused = None;
    let mut found = false;
    for_each_meant(task, which, who, |thread| {
        found = true;
        match may_set_nice(task, thread, nice) {
            Ok(()) => task::priority::set_nice(thread, nice),
            Err(errno) => refused = Some(errno),
        }
    })?;
    match refused {
        Some(errno) => Err(errno),
        None if found => Ok(()),
        None => Err(Errno::ESRCH),
    }
}

/// EPERM for another user's task; EACCES for a raise beyond RLIMIT_NICE. CAP_SYS_NICE overrides both.
pub(crate) fn may_set_nice(task: &Task, target: &Task, nice: i32) -> Result<(), Errno> {
    let (caller, other) = (task.credentials(), target.credentials());
    if caller.has(Capabilities::SYS_NICE) {
        return Ok(());
    }
    if other.user.real != caller.user.effective && other.user.effective != caller.user.effective {
        return Err(Errno::EPERM);
    }
    let raises = nice < target.nice.load(Ordering::Relaxed);
    if raises && (20 - nice) as u64 > target.limit(RLIMIT_NICE) { Err(Errno::EACCES) } else { Ok(()) }
}
