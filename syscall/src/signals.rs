//! Signals.
use abi::Errno;
use abi::raw::general::*;
use abi::signal::{Sigaction, Siginfo, SignalStack};
use abi::time::Timespec;
use memory::UserPtr;
use task::signals::{self, Action, Information, Signal, SignalInformation, SignalSet};
use task::{Answer, Failure, Restart, Task};
use trap::UserContext;

/// Bytes of a signal set in the ABI.
const SET_SIZE: usize = 8;

fn check_size(size: usize) -> Result<(), Errno> {
    if size == SET_SIZE { Ok(()) } else { Err(Errno::EINVAL) }
}

pub fn rt_sigaction(
    task: &Task,
    number: u32,
    new: UserPtr<Sigaction>,
    old: UserPtr<Sigaction>,
    size: usize,
) -> Result<(), Errno> {
    check_size(size)?;
    let signal = Signal::new(number)?;
    let new = new.non_null().map(|new| new.read()).transpose()?;
    let new = new.map(Action::from);
    let Some(old) = old.non_null() else {
        return new.map_or(Ok(()), |new| task.set_signal_action(signal, &new, None));
    };
    let mut before = Action::default();
    match new {
        Some(new) => task.set_signal_action(signal, &new, Some(&mut before))?,
        None => before = task.signal_action(signal),
    }
    old.write(&Sigaction::from(before))
}

pub fn rt_sigprocmask(task: &Task, how: u32, new: UserPtr<u64>, old: UserPtr<u64>, size: usize) -> Result<(), Errno> {
    check_size(size)?;
    let before = task.signal_mask();
    if let Some(new) = new.non_null() {
        let set = SignalSet::mask_from_bits(new.read()?);
        let mask = match how {
            SIG_BLOCK => before | set,
            SIG_UNBLOCK => before & !set,
            SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        };
        task.set_signal_mask(mask);
    }
    match old.non_null() {
        Some(old) => old.write(&before.bits()),
        None => Ok(()),
    }
}

pub fn rt_sigreturn(task: &Task, context: &mut UserContext) -> Answer {
    signals::sigreturn(task, context)
}

pub fn rt_sigpending(task: &Task, set: UserPtr<u64>, size: usize) -> Result<(), Errno> {
    if size > SET_SIZE {
        return Err(Errno::EINVAL);
    }
    set.write(&(task.pending_signals() & task.signal_mask()).bits())
}

/// Sleeps until a handler has run.
fn sleep_for_signal() -> Failure {
    let _ = sync::park(sync::Sleep::Interruptible, None, || None::<()>);
    Failure::Interrupted(Restart::WithoutHandler)
}

pub fn rt_sigsuspend(task: &Task, set: UserPtr<u64>, size: usize) -> Answer {
    check_size(size)?;
    task.set_temporary_mask(SignalSet::mask_from_bits(set.read()?));
    Err(sleep_for_signal())
}

pub fn pause(_: &Task) -> Answer {
    Err(sleep_for_signal())
}

pub fn restart_syscall(task: &Task) -> Answer {
    match task.take_restart() {
        Some(restart) => restart(task),
        None => Err(Errno::EINTR.into()),
    }
}

pub fn rt_sigtimedwait(
    task: &Task,
    set: UserPtr<u64>,
    information: UserPtr<Siginfo>,
    timeout: UserPtr<Timespec>,
    size: usize,
) -> Answer {
    check_size(size)?;
    let set = SignalSet::mask_from_bits(set.read()?);
    let deadline = match timeout.non_null() {
        None => None,
        Some(timeout) => {
            let given = timeout.read()?;
            let time = time::Timespec::non_negative(given.seconds, given.nanoseconds).ok_or(Errno::EINVAL)?;
            Some(time.after(sync::now()))
        }
    };
    let (signal, found) = task.await_signal(set, deadline)?;
    if let Some(place) = information.non_null() {
        place.write(&found.to_siginfo(signal))?;
    }
    Ok(signal.number() as usize)
}

/// A program's own siginfo. It may not pretend to be the kernel or kill(2), except to itself.
fn own_information(task: &Task, pid: u32, signal: u32, place: UserPtr<Siginfo>) -> Result<Information, Errno> {
    let siginfo = place.read()?;
    let information = SignalInformation::from_siginfo(&siginfo);
    let _ = signal;
    if pid != task.process.pid && !information.is_for_others() {
        return Err(Errno::EPERM);
    }
    Ok(Information(information))
}

pub fn rt_sigqueueinfo(task: &Task, pid: u32, signal: u32, place: UserPtr<Siginfo>) -> Result<(), Errno> {
    check_number(signal)?;
    let information = own_information(task, pid, signal, place)?;
    let process = task::tree::find_process(pid).ok_or(Errno::ESRCH)?;
    task.may_signal(&process, signal)?;
    signals::send_to_process(&process, signal, information)
}

pub fn rt_tgsigqueueinfo(task: &Task, pid: i32, tid: i32, signal: u32, place: UserPtr<Siginfo>) -> Result<(), Errno> {
    if pid <= 0 || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    check_number(signal)?;
    let information = own_information(task, pid as u32, signal, place)?;
    to_thread(task, Some(pid as u32), tid as u32, signal, information)
}

pub fn sigaltstack(
    task: &Task,
    context: &mut UserContext,
    new: UserPtr<SignalStack>,
    old: UserPtr<SignalStack>,
) -> Result<(), Errno> {
    let mut stack = task.alternate_stack();
    let before = stack.report(context.rsp);
    if let Some(new) = new.non_null() {
        stack.set(context.rsp, &new.read()?)?;
        task.set_alternate_stack(stack);
    }
    match old.non_null() {
        Some(old) => old.write(&before),
        None => Ok(()),
    }
}

fn check_number(signal: u32) -> Result<(), Errno> {
    if signal <= 64 { Ok(()) } else { Err(Errno::EINVAL) }
}

pub fn kill(task: &Task, pid: i32, signal: u32) -> Result<(), Errno> {
    check_number(signal)?;
    let information = Information::kill(task);
    match pid {
        pid if pid > 0 => {
            let process = task::tree::find_process(pid as u32).ok_or(Errno::ESRCH)?;
            task.may_signal(&process, signal)?;
            signals::send_to_process(&process, signal, information)
        }
        -1 => to_many(task, signal, information, |process| process.pid > 1 && process.pid != task.process.pid),
        i32::MIN => Err(Errno::ESRCH),
        pid => {
            let group = if pid == 0 { task.process.group() } else { pid.unsigned_abs() };
            to_many(task, signal, information, |process| process.group() == group)
        }
    }
}

/// Sends to every process that `wanted` picks; fails only if it could be sent to none.
fn to_many(
    task: &Task,
    signal: u32,
    information: Information,
    wanted: impl Fn(&task::process::Process) -> bool,
) -> Result<(), Errno> {
    let (mut from, mut sent, mut error) = (0, false, Errno::ESRCH);
    while let Some(process) = task::tree::next_process(from) {
        from = process.pid + 1;
        if wanted(&process) {
            match task
                .may_signal(&process, signal)
                .and_then(|()| signals::send_to_process(&process, signal, information))
            {
                Ok(()) => sent = true,
                Err(errno) => error = errno,
            }
        }
    }
    if sent { Ok(()) } else { Err(error) }
}

fn to_thread(task: &Task, pid: Option<u32>, tid: u32, signal: u32, information: Information) -> Result<(), Errno> {
    if tid == task.tid() && pid.is_none_or(|pid| task.process.pid == pid) {
        return signals::send_to_task(task, signal, information);
    }
    let target = task::tree::find_task(tid)
        .filter(|other| pid.is_none_or(|pid| other.process.pid == pid))
        .ok_or(Errno::ESRCH)?;
    task.may_signal(&target.process, signal)?;
    signals::send_to_task(&target, signal, information)
}

pub fn tkill(task: &Task, tid: i32, signal: u32) -> Result<(), Errno> {
    if tid <= 0 {
        return Err(Errno::EINVAL);
    }
    check_number(signal)?;
    to_thread(task, None, tid as u32, signal, Information::thread_kill(task))
}

pub fn tgkill(task: &Task, pid: i32, tid: i32, signal: u32) -> Result<(), Errno> {
    if pid <= 0 || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    check_number(signal)?;
    to_thread(task, Some(pid as u32), tid as u32, signal, Information::thread_kill(task))
}
