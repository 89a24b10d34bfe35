//! Scheduling: where tasks run, and by which policy (sched(7)). Real-time classes are not there: EINVAL.
use crate::resources::find;
use abi::Errno;
use abi::raw::general::*;
use arch::cpu_set::MAX_CPUS;
use memory::{UserPtr, UserSlice};
use sched::Policy;
use task::{Task, priority};
use vfs::Capabilities;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// Runs `body` with the task that `pid` names.
fn with_target<R>(task: &Task, pid: i32, body: impl FnOnce(&Task) -> Result<R, Errno>) -> Result<R, Errno> {
    match find(task, pid)? {
        Some(other) => body(&other),
        None => body(task),
    }
}

/// EPERM unless the caller's effective user is one of the target's, or it has CAP_SYS_NICE.
fn may_schedule(task: &Task, target: &Task) -> Result<(), Errno> {
    let (caller, other) = (task.credentials(), target.credentials());
    let owner = caller.user.effective == other.user.effective || caller.user.effective == other.user.real;
    if owner || caller.has(Capabilities::SYS_NICE) { Ok(()) } else { Err(Errno::EPERM) }
}

fn is_online(cpu: usize) -> bool {
    scheduler::statistics(cpu).is_some_and(|cpu| cpu.online)
}

fn mask_words() -> usize {
    scheduler::cpu_count().div_ceil(64)
}

/// sched_getaffinity(2): answers the bytes written.
pub fn sched_getaffinity(task: &Task, pid: i32, length: u32, mask: usize) -> Result<usize, Errno> {
    let length = length as usize;
    if length.saturating_mul(8) < scheduler::cpu_count() || !length.is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let words = mask_words().min(length / 8);
    with_target(task, pid, |target| {
        let allowed = |cpu: usize| is_online(cpu) && target.thread().is_some_and(|thread| thread.affinity.allows(cpu));
        for index in 0..words {
            let bits = (0..64).filter(|bit| allowed(index * 64 + bit)).fold(0u64, |word, bit| word | 1 << bit);
            UserPtr::<u64>::new(mask).element(index).write(&bits)?;
        }
        Ok(words * 8)
    })
}

/// sched_setaffinity(2). EINVAL where no CPU that runs is among them, and for threads of the kernel's that stay where they are.
pub fn sched_setaffinity(task: &Task, pid: i32, length: u32, mask: usize) -> Result<(), Errno> {
    let length = length as usize;
    let mut bytes = [0u8; MAX_CPUS / 8];
    let known = length.min(bytes.len());
    UserSlice::new(mask, known).read(&mut bytes[..known])?;
    let wanted = |cpu: usize| bytes.get(cpu / 8).is_some_and(|byte| byte >> (cpu % 8) & 1 != 0);
    with_target(task, pid, |target| {
        if !target.may_be_moved() {
            return Err(Errno::EINVAL);
        }
        may_schedule(task, target)?;
        if !(0..scheduler::cpu_count()).any(|cpu| wanted(cpu) && is_online(cpu)) {
            return Err(Errno::EINVAL);
        }
        priority::set_affinity(target, wanted);
        Ok(())
    })
}

fn number(policy: Policy) -> u32 {
    match policy {
        Policy::Normal => SCHED_NORMAL,
        Policy::Batch => SCHED_BATCH,
        Policy::Idle => SCHED_IDLE,
    }
}

/// EINVAL for a policy that is not there, known or not.
fn policy(number: u32) -> Result<Policy, Errno> {
    match number {
        SCHED_NORMAL => Ok(Policy::Normal),
        SCHED_BATCH => Ok(Policy::Batch),
        SCHED_IDLE => Ok(Policy::Idle),
        SCHED_FIFO | SCHED_RR | SCHED_DEADLINE => {
            task::stub("sched_setscheduler: SCHED_FIFO, SCHED_RR, SCHED_DEADLINE");
            Err(Errno::EINVAL)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// EINVAL for a negative number, as the scheduler's calls have it.
fn check_number(pid: i32) -> Result<(), Errno> {
    if pid < 0 { Err(Errno::EINVAL) } else { Ok(()) }
}

pub fn sched_getscheduler(task: &Task, pid: i32) -> Result<usize, Errno> {
    check_number(pid)?;
    with_target(task, pid, |target| Ok(number(target.policy.get()) as usize))
}

/// sched_setscheduler(2). The policies that are there have the static priority 0.
pub fn sched_setscheduler(task: &Task, pid: i32, number: u32, parameter: UserPtr<i32>) -> Result<(), Errno> {
    check_number(pid)?;
    let given = parameter.non_null().ok_or(Errno::EINVAL)?.read()?;
    with_target(task, pid, |target| set(task, target, number, given as u32, None))
}

fn set(task: &Task, target: &Task, number: u32, static_priority: u32, nice: Option<i32>) -> Result<(), Errno> {
    let policy = policy(number)?;
    if static_priority != 0 {
        return Err(Errno::EINVAL);
    }
    may_schedule(task, target)?;
    if let Some(nice) = nice {
        crate::resources::may_set_nice(task, target, nice)?;
        priority::set_nice(target, nice);
    }
    priority::set_policy(target, policy);
    Ok(())
}

pub fn sched_getparam(task: &Task, pid: i32, place: UserPtr<i32>) -> Result<(), Errno> {
    let place = place.non_null().ok_or(Errno::EINVAL)?;
    check_number(pid)?;
    with_target(task, pid, |_| Ok(()))?;
    place.write(&0)
}

pub fn sched_setparam(task: &Task, pid: i32, parameter: UserPtr<i32>) -> Result<(), Errno> {
    let parameter = parameter.non_null().ok_or(Errno::EINVAL)?;
    check_number(pid)?;
    let given = parameter.read()?;
    with_target(task, pid, |target| {
        may_schedule(task, target)?;
        if given == 0 { Ok(()) } else { Err(Errno::EINVAL) }
    })
}

/// `struct sched_attr`, of which the first 48 bytes are older.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
    utilisation: [u32; 2],
}

const FIRST_SIZE: usize = 48;

pub fn sched_getattr(task: &Task, pid: i32, place: usize, size: u32, flags: u32) -> Result<(), Errno> {
    let size = size as usize;
    if place == 0 || pid < 0 || !(FIRST_SIZE..=abi::PAGE_SIZE).contains(&size) || flags != 0 {
        return Err(Errno::EINVAL);
    }
    let mut found = Attributes::new_zeroed();
    with_target(task, pid, |target| {
        found.policy = number(target.policy.get());
        found.nice = target.nice.load(core::sync::atomic::Ordering::Relaxed);
        Ok(())
    })?;
    // Clamping of utilisation is not there, as where Linux is built without it.
    let known = size.min(FIRST_SIZE);
    found.size = known as u32;
    UserSlice::new(place, known).write(&found.as_bytes()[..known])
}

pub fn sched_setattr(task: &Task, pid: i32, place: usize, flags: u32) -> Result<(), Errno> {
    if place == 0 || pid < 0 || flags != 0 {
        return Err(Errno::EINVAL);
    }
    let size = match UserPtr::<u32>::new(place).read()? as usize {
        0 => FIRST_SIZE,
        size => size,
    };
    if !(FIRST_SIZE..=abi::PAGE_SIZE).contains(&size) {
        // What would do is told in the size's own place.
        let _ = UserPtr::<u32>::new(place).write(&(size_of::<Attributes>() as u32));
        return Err(Errno::E2BIG);
    }
    let mut given = Attributes::new_zeroed();
    let known = size.min(size_of::<Attributes>());
    UserSlice::new(place, known).read(&mut given.as_mut_bytes()[..known])?;
    for at in known..size {
        if UserPtr::<u8>::new(place.wrapping_add(at)).read()? != 0 {
            return Err(Errno::E2BIG);
        }
    }
    if given.flags != 0 {
        task::stub("sched_setattr: flags");
        return Err(Errno::EINVAL);
    }
    with_target(task, pid, |target| {
        let nice = (given.policy != SCHED_IDLE).then_some(given.nice.clamp(-20, 19));
        set(task, target, given.policy, given.priority, nice)
    })
}

pub fn sched_get_priority_max(_: &Task, policy: u32) -> Result<usize, Errno> {
    priorities(policy).map(|(_, most)| most)
}

pub fn sched_get_priority_min(_: &Task, policy: u32) -> Result<usize, Errno> {
    priorities(policy).map(|(least, _)| least)
}

/// The static priorities of a policy (sched(7)), whether it is there or not.
fn priorities(policy: u32) -> Result<(usize, usize), Errno> {
    match policy {
        SCHED_FIFO | SCHED_RR => Ok((1, 99)),
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE | SCHED_DEADLINE => Ok((0, 0)),
        _ => Err(Errno::EINVAL),
    }
}
