//! POSIX timers.
use crate::time_calls::ClockId;
use crate::timer_files::length;
use abi::Errno;
use abi::raw::general::*;
use abi::time::{Itimerspec, Timespec};
use memory::UserPtr;
use task::Task;
use task::clock_timers::{self, Event};
use task::timers::Setting;
use time::Start;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The part of `struct sigevent` that the kernel reads.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SignalEvent {
    value: u64,
    signal: u32,
    notify: u32,
    thread: u32,
    padding: [u32; 11],
}

/// SIGEV_SIGNAL is 0; the flag SIGEV_THREAD_ID goes with it.
fn event(task: &Task, given: &SignalEvent) -> Result<Event, Errno> {
    let thread = match given.notify {
        SIGEV_NONE => return Ok(Event::Nothing),
        SIGEV_SIGNAL | SIGEV_THREAD => None,
        SIGEV_THREAD_ID => {
            let target = task::tree::find_task(given.thread);
            target.filter(|other| other.process.pid == task.process.pid).ok_or(Errno::EINVAL)?;
            Some(given.thread)
        }
        _ => return Err(Errno::EINVAL),
    };
    if !(1..=64).contains(&given.signal) {
        return Err(Errno::EINVAL);
    }
    Ok(Event::Signal { signal: given.signal, value: given.value, thread })
}

pub fn timer_create(task: &Task, clock: i32, given: UserPtr<SignalEvent>, place: UserPtr<i32>) -> Result<(), Errno> {
    let clock = ClockId::new(task, clock)?.timer_clock(task)?;
    let event = given.non_null().map(|given| event(task, &given.read()?)).transpose()?;
    // Without more, SIGALRM, which says which timer it was.
    let chosen = |id: i32| event.unwrap_or(Event::Signal { signal: SIGALRM, value: id as u64, thread: None });
    let id = clock_timers::create(task, clock, chosen)?;
    place.write(&id).inspect_err(|_| {
        let _ = clock_timers::delete(&task.process, id);
    })
}

fn to_user(setting: Setting) -> Itimerspec {
    let time = |nanoseconds: u64| {
        let time = time::Timespec::from_ns(nanoseconds);
        Timespec { seconds: time.seconds(), nanoseconds: i64::from(time.nanoseconds()) }
    };
    Itimerspec { interval: time(setting.period), value: time(setting.remaining) }
}

pub fn timer_settime(
    task: &Task,
    id: i32,
    flags: u32,
    new: UserPtr<Itimerspec>,
    old: UserPtr<Itimerspec>,
) -> Result<(), Errno> {
    let new = new.non_null().ok_or(Errno::EINVAL)?.read()?;
    let (value, period) = (length(new.value)?, length(new.interval)?);
    let at = if flags & TIMER_ABSTIME != 0 { Start::At(value) } else { Start::After(value) };
    let start = (value != 0).then_some(at);
    let before = clock_timers::set(&task.process, id, start, if start.is_some() { period } else { 0 })?;
    old.non_null().map_or(Ok(()), |old| old.write(&to_user(before)))
}

pub fn timer_gettime(task: &Task, id: i32, place: UserPtr<Itimerspec>) -> Result<(), Errno> {
    place.write(&to_user(clock_timers::get(&task.process, id)?))
}

pub fn timer_getoverrun(task: &Task, id: i32) -> Result<usize, Errno> {
    clock_timers::overrun(&task.process, id).map(|overrun| overrun as usize)
}

pub fn timer_delete(task: &Task, id: i32) -> Result<(), Errno> {
    clock_timers::delete(&task.process, id)
}
