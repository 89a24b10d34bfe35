//! Futexes.
use abi::Errno;
use abi::raw::general::*;
use abi::time::Timespec;
use core::sync::atomic::Ordering;
use memory::UserPtr;
use task::{Answer, Restart, Task, futexes};

/// Bytes of `struct robust_list_head`.
const ROBUST_HEAD: usize = 24;
const MATCH_ANY: u32 = u32::MAX;

/// futex(2).
pub fn futex(
    task: &Task,
    address: usize,
    operation: u32,
    value: u32,
    fourth: usize,
    second: usize,
    third: u32,
) -> Answer {
    let private = operation & FUTEX_PRIVATE_FLAG != 0;
    let realtime = operation & FUTEX_CLOCK_REALTIME != 0;
    let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    if realtime && !matches!(command, FUTEX_WAIT | FUTEX_WAIT_BITSET) {
        return Err(Errno::ENOSYS.into());
    }
    let done = |count: usize| Ok(count);
    match command {
        FUTEX_WAIT => {
            let deadline = relative(fourth)?;
            wait(task, address, private, MATCH_ANY, value, deadline, true)
        }
        FUTEX_WAIT_BITSET => {
            let deadline = absolute(fourth, realtime)?;
            wait(task, address, private, third, value, deadline, false)
        }
        FUTEX_WAKE => futexes::wake(task, address, private, value, MATCH_ANY).and_then(done),
        FUTEX_WAKE_BITSET => futexes::wake(task, address, private, value, third).and_then(done),
        FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => {
            let counts = (value, fourth as u32);
            if (counts.0 as i32) < 0 || (counts.1 as i32) < 0 {
                return Err(Errno::EINVAL.into());
            }
            let expected = (command == FUTEX_CMP_REQUEUE).then_some(third);
            let (woken, moved) = futexes::requeue(task, address, second, private, counts, expected)?;
            // Both answer both, whatever futex(2) says of FUTEX_REQUEUE.
            Ok(woken + moved)
        }
        FUTEX_WAKE_OP => futexes::wake_operation(task, address, second, private, (value, fourth as u32), third),
        _ => {
            task::stub("futex: priority inheritance");
            Err(Errno::ENOSYS.into())
        }
    }
}

/// Waits; after an interruption a relative wait goes on with what is left.
fn wait(
    task: &Task,
    address: usize,
    private: bool,
    bitset: u32,
    expected: u32,
    deadline: Option<u64>,
    is_relative: bool,
) -> Answer {
    if is_relative && deadline.is_some() {
        let again = move |task: &Task| {
            futexes::wait(task, address, private, bitset, expected, deadline, Restart::Block).map(|()| 0)
        };
        task.set_restart(alloc::boxed::Box::new(again));
        return futexes::wait(task, address, private, bitset, expected, deadline, Restart::Block).map(|()| 0);
    }
    futexes::wait(task, address, private, bitset, expected, deadline, Restart::IfFlagged).map(|()| 0)
}

fn timespec(address: usize) -> Result<Option<time::Timespec>, Errno> {
    let Some(place) = UserPtr::<Timespec>::new(address).non_null() else { return Ok(None) };
    let given = place.read()?;
    time::Timespec::non_negative(given.seconds, given.nanoseconds).map(Some).ok_or(Errno::EINVAL)
}

fn relative(address: usize) -> Result<Option<u64>, Errno> {
    Ok(timespec(address)?.map(|time| time.after(sync::now())))
}

fn absolute(address: usize, realtime: bool) -> Result<Option<u64>, Errno> {
    let time = timespec(address)?;
    Ok(time.map(|time| if realtime { scheduler::clock().monotonic_of_realtime(time) } else { time.to_ns_saturating() }))
}

pub fn set_robust_list(task: &Task, head: usize, length: usize) -> Result<(), Errno> {
    if length != ROBUST_HEAD {
        return Err(Errno::EINVAL);
    }
    task.robust_list.store(head, Ordering::Relaxed);
    Ok(())
}

pub fn get_robust_list(task: &Task, tid: u32, head: UserPtr<u64>, length: UserPtr<u64>) -> Result<(), Errno> {
    let address = if tid == 0 {
        task.robust_list.load(Ordering::Relaxed)
    } else {
        let other = task::tree::find_task(tid).ok_or(Errno::ESRCH)?;
        if other.process.pid != task.process.pid && !task.credentials().has(vfs::Capabilities::SYS_PTRACE) {
            return Err(Errno::EPERM);
        }
        other.robust_list.load(Ordering::Relaxed)
    };
    length.write(&(ROBUST_HEAD as u64))?;
    head.write(&(address as u64))
}
