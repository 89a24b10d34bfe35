//! Other processes' memory: process_vm_readv(2), process_vm_writev(2); and what all processors see: membarrier(2).
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use arch::cpu_set::CpuSet;
use core::sync::atomic::Ordering;
use memory::{Reader, UserPtr, UserSlice, Writer};
use mm::Access;
use platform::AddressSpace;
use task::Task;

/// The most buffers on either side (`UIO_MAXIOV`).
const MOST: usize = 1024;

/// Addresses and lengths, not looked at any closer. EINVAL; EFAULT.
fn ranges(address: usize, count: usize) -> Result<Vec<(usize, usize)>, Errno> {
    if count > MOST {
        return Err(Errno::EINVAL);
    }
    let mut ranges = Vec::new();
    ranges.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    for index in 0..count {
        let [base, length] = UserPtr::<[u64; 2]>::new(address).element(index).read()?;
        if length > i64::MAX as u64 {
            return Err(Errno::EINVAL);
        }
        ranges.push((base as usize, length as usize));
    }
    Ok(ranges)
}

/// Moves bytes between the caller's buffers and another process's, range by range of that one, until `body` moves less than it was
/// offered.
fn transfer(
    task: &Task,
    pid: i32,
    (remote, remote_count): (usize, usize),
    flags: u64,
    mut body: impl FnMut(&Arc<AddressSpace>, usize, usize) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let remote = ranges(remote, remote_count)?;
    let target = u32::try_from(pid).ok().and_then(task::tree::find_task).ok_or(Errno::ESRCH)?;
    task.may_inspect(&target)?;
    let space = target.space().ok_or(Errno::ESRCH)?;
    let mut done = 0usize;
    for (address, length) in remote {
        match body(&space, address, length) {
            Ok(moved) => {
                done = done.saturating_add(moved);
                if moved < length {
                    break;
                }
            }
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}

fn local(address: usize, count: usize) -> Result<Vec<UserSlice>, Errno> {
    let ranges = ranges(address, count)?;
    let mut slices = Vec::new();
    slices.try_reserve_exact(ranges.len()).map_err(|_| Errno::ENOMEM)?;
    slices.extend(ranges.into_iter().map(|(address, length)| UserSlice::new(address, length)));
    Ok(slices)
}

pub fn process_vm_readv(
    task: &Task,
    pid: i32,
    own: usize,
    own_count: usize,
    remote: usize,
    remote_count: usize,
    flags: u64,
) -> Result<usize, Errno> {
    let slices = local(own, own_count)?;
    let mut into = Writer::user_many(&slices);
    transfer(task, pid, (remote, remote_count), flags, |space, address, length| {
        let length = length.min(into.remaining());
        space.access_remote(address, length, Access::Read, |frame, offset, length| {
            into.write_from_frame(frame, offset, length)
        })
    })
}

pub fn process_vm_writev(
    task: &Task,
    pid: i32,
    own: usize,
    own_count: usize,
    remote: usize,
    remote_count: usize,
    flags: u64,
) -> Result<usize, Errno> {
    let slices = local(own, own_count)?;
    let mut from = Reader::user_many(&slices);
    transfer(task, pid, (remote, remote_count), flags, |space, address, length| {
        let length = length.min(from.remaining());
        space.access_remote(address, length, Access::Write, |frame, offset, length| {
            from.read_to_frame(frame, offset, length)
        })
    })
}

/// Commands of membarrier(2) (linux/membarrier.h).
const QUERY: u32 = 0;
const GLOBAL: u32 = 1;
const GLOBAL_EXPEDITED: u32 = 1 << 1;
const REGISTER_GLOBAL_EXPEDITED: u32 = 1 << 2;
const PRIVATE_EXPEDITED: u32 = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: u32 = 1 << 4;
const KNOWN: u32 =
    GLOBAL | GLOBAL_EXPEDITED | REGISTER_GLOBAL_EXPEDITED | PRIVATE_EXPEDITED | REGISTER_PRIVATE_EXPEDITED;

/// membarrier(2): an interrupt orders everything on the processor that it comes to. Those that make the instruction stream anew, or
/// restart rseq sections, are not there.
pub fn membarrier(task: &Task, command: u32, flags: u32, _: i32) -> Result<usize, Errno> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let registered = &task.process.traits.registered_barriers;
    match command {
        QUERY => return Ok(KNOWN as usize),
        REGISTER_GLOBAL_EXPEDITED | REGISTER_PRIVATE_EXPEDITED => {
            registered.fetch_or(command, Ordering::Relaxed);
        }
        PRIVATE_EXPEDITED if registered.load(Ordering::Relaxed) & REGISTER_PRIVATE_EXPEDITED == 0 => {
            return Err(Errno::EPERM);
        }
        GLOBAL | GLOBAL_EXPEDITED | PRIVATE_EXPEDITED => {
            let all = CpuSet::new();
            let online = |cpu: &usize| scheduler::statistics(*cpu).is_some_and(|cpu| cpu.online);
            (0..scheduler::cpu_count()).filter(online).for_each(|cpu| all.insert(cpu));
            core::sync::atomic::fence(Ordering::SeqCst);
            scheduler::call(&all, &scheduler::Request::Answer);
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
