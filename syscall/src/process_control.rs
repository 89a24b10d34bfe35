//! prctl(2).
use abi::Errno;
use abi::raw::prctl::*;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use memory::UserPtr;
use task::Task;
use vfs::{Capabilities, Credentials};

/// Bits of PR_SET_SECUREBITS: each may be locked by the one above (linux/securebits.h).
const SECURE_BITS: u32 = 0xff;
const LOCKS: u32 = 0xaa;
const KEEP_CAPABILITIES: u32 = 1 << 4;
const NO_AMBIENT_RAISE: u32 = 1 << 6;

fn nothing_more(rest: [usize; 3]) -> Result<(), Errno> {
    if rest == [0; 3] { Ok(()) } else { Err(Errno::EINVAL) }
}

pub fn prctl(
    task: &Task,
    option: u32,
    argument: usize,
    third: usize,
    fourth: usize,
    fifth: usize,
) -> Result<usize, Errno> {
    let rest = [third, fourth, fifth];
    let traits = &task.process.traits;
    match option {
        PR_SET_NAME => set_name(task, argument),
        PR_GET_NAME => UserPtr::<[u8; 16]>::new(argument).write(&task.name()).map(|()| 0),
        PR_SET_CHILD_SUBREAPER => {
            task.process.set_subreaper(argument != 0);
            Ok(0)
        }
        PR_GET_CHILD_SUBREAPER => {
            UserPtr::<u32>::new(argument).write(&u32::from(task.process.is_subreaper())).map(|()| 0)
        }
        PR_GET_DUMPABLE => Ok(traits.dumpable.load(Ordering::Relaxed) as usize),
        PR_SET_DUMPABLE if argument <= 1 => {
            traits.dumpable.store(argument as u32, Ordering::Relaxed);
            Ok(0)
        }
        PR_GET_PDEATHSIG => {
            UserPtr::<u32>::new(argument).write(&traits.parent_death_signal.load(Ordering::Relaxed)).map(|()| 0)
        }
        PR_SET_PDEATHSIG if argument <= 64 => {
            traits.parent_death_signal.store(argument as u32, Ordering::Relaxed);
            Ok(0)
        }
        PR_SET_NO_NEW_PRIVS if argument == 1 => {
            nothing_more(rest)?;
            task.traits.no_new_privileges.store(true, Ordering::Relaxed);
            Ok(0)
        }
        PR_GET_NO_NEW_PRIVS if argument == 0 => {
            nothing_more(rest)?;
            Ok(usize::from(task.traits.no_new_privileges.load(Ordering::Relaxed)))
        }
        PR_GET_TIMERSLACK => Ok(task.traits.timer_slack.load(Ordering::Relaxed) as usize),
        PR_SET_TIMERSLACK => {
            let slack = if argument as isize <= 0 { task.traits.default_timer_slack } else { argument as u64 };
            task.traits.timer_slack.store(slack, Ordering::Relaxed);
            Ok(0)
        }
        PR_GET_TSC => UserPtr::<u32>::new(argument).write(&PR_TSC_ENABLE).map(|()| 0),
        PR_GET_TID_ADDRESS => {
            let address = task.clear_child_tid.load(Ordering::Relaxed) as u64;
            UserPtr::<u64>::new(argument).write(&address).map(|()| 0)
        }
        PR_GET_KEEPCAPS | PR_SET_KEEPCAPS | PR_GET_SECUREBITS | PR_SET_SECUREBITS | PR_CAPBSET_READ
        | PR_CAPBSET_DROP | PR_CAP_AMBIENT => capabilities(task, option, argument, rest),
        PR_SET_DUMPABLE | PR_SET_PDEATHSIG | PR_SET_NO_NEW_PRIVS | PR_GET_NO_NEW_PRIVS => Err(Errno::EINVAL),
        _ => {
            task::stub("prctl: other options");
            Err(Errno::EINVAL)
        }
    }
}

fn set_name(task: &Task, address: usize) -> Result<usize, Errno> {
    let mut name = [0; 16];
    for (at, byte) in name.iter_mut().take(15).enumerate() {
        *byte = UserPtr::<u8>::new(address.wrapping_add(at)).read()?;
        if *byte == 0 {
            break;
        }
    }
    task.set_name(&name);
    Ok(0)
}

fn change(task: &Task, change: impl FnOnce(&mut Credentials)) -> Result<usize, Errno> {
    let mut new = (*task.credentials()).clone();
    change(&mut new);
    task.set_credentials(Arc::new(new));
    Ok(0)
}

/// The capability of this number. EINVAL.
fn capability(number: usize) -> Result<Capabilities, Errno> {
    1u64.checked_shl(number as u32).and_then(Capabilities::from_bits).filter(|_| number < 64).ok_or(Errno::EINVAL)
}

fn capabilities(task: &Task, option: u32, argument: usize, rest: [usize; 3]) -> Result<usize, Errno> {
    let own = task.credentials();
    let kept_locked = own.secure_bits & KEEP_CAPABILITIES << 1 != 0;
    match option {
        PR_GET_KEEPCAPS => Ok(usize::from(own.secure_bits & KEEP_CAPABILITIES != 0)),
        PR_SET_KEEPCAPS if argument > 1 => Err(Errno::EINVAL),
        PR_SET_KEEPCAPS if kept_locked => Err(Errno::EPERM),
        PR_SET_KEEPCAPS => change(task, |new| {
            new.secure_bits &= !KEEP_CAPABILITIES;
            new.secure_bits |= if argument != 0 { KEEP_CAPABILITIES } else { 0 };
        }),
        PR_GET_SECUREBITS => Ok(own.secure_bits as usize),
        PR_SET_SECUREBITS => {
            let wanted = argument as u32;
            let locked = (own.secure_bits & LOCKS) >> 1;
            let refused = locked & (own.secure_bits ^ wanted) != 0
                || own.secure_bits & LOCKS & !wanted != 0
                || argument as u32 & !SECURE_BITS != 0
                || !own.has(Capabilities::SETPCAP);
            if refused { Err(Errno::EPERM) } else { change(task, |new| new.secure_bits = wanted) }
        }
        PR_CAPBSET_READ => Ok(usize::from(own.bounding.contains(capability(argument)?))),
        PR_CAPBSET_DROP => {
            if !own.has(Capabilities::SETPCAP) {
                return Err(Errno::EPERM);
            }
            let dropped = capability(argument)?;
            change(task, |new| new.bounding.remove(dropped))
        }
        _ => ambient(task, &own, argument as u32, rest),
    }
}

fn ambient(task: &Task, own: &Credentials, what: u32, rest: [usize; 3]) -> Result<usize, Errno> {
    if what == PR_CAP_AMBIENT_CLEAR_ALL {
        nothing_more(rest)?;
        return change(task, |new| new.ambient = Capabilities::empty());
    }
    if rest[1..] != [0; 2] {
        return Err(Errno::EINVAL);
    }
    let which = capability(rest[0])?;
    match what {
        PR_CAP_AMBIENT_IS_SET => Ok(usize::from(own.ambient.contains(which))),
        PR_CAP_AMBIENT_RAISE => {
            let has = own.permitted.contains(which) && own.inheritable.contains(which);
            if !has || own.secure_bits & NO_AMBIENT_RAISE != 0 {
                return Err(Errno::EPERM);
            }
            change(task, |new| new.ambient.insert(which))
        }
        PR_CAP_AMBIENT_LOWER => change(task, |new| new.ambient.remove(which)),
        _ => Err(Errno::EINVAL),
    }
}
