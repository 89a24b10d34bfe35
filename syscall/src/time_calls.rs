//! Clocks, sleeping, and the interval timers of a process.
use crate::process::timeval;
use abi::Errno;
use abi::raw::general::*;
use abi::time::{Itimerval, Timespec, Timeval, Timezone};
use alloc::boxed::Box;
use core::sync::atomic::{AtomicU64, Ordering};
use memory::UserPtr;
use sync::{Preempt, Rank, Sleep, SpinLock, WaitError, WaitQueue};
use task::timers::{self, Setting};
use task::{Answer, Failure, Restart, Task, usage};
use time::{NANOSECONDS_PER_SECOND, TICK_NS};
use vfs::Capabilities;

/// What settimeofday(2) was told about the time zone; nothing in the kernel uses it.
static TIME_ZONE: SpinLock<Timezone, Preempt> =
    SpinLock::new(Rank::Leaf, Timezone { minutes_west: 0, daylight_saving: 0 });

/// How often CLOCK_REALTIME was set, and who sleeps until an instant of it.
static SETTINGS: AtomicU64 = AtomicU64::new(0);
static CLOCK_WAS_SET: WaitQueue = WaitQueue::new();

/// A clock that programs name. Those of other processes, of devices and of alarms are not here: EINVAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClockId {
    Real,
    Atomic,
    /// CLOCK_MONOTONIC and CLOCK_BOOTTIME: there is no suspend.
    Monotonic,
    /// As the others, but nothing can sleep by it: raw, and the coarse ones with a tick's resolution.
    Raw,
    RealCoarse,
    MonotonicCoarse,
    Process,
    Thread,
}

impl ClockId {
    fn new(number: i32) -> Result<Self, Errno> {
        Ok(match u32::try_from(number).map_err(|_| stub_dynamic())? {
            CLOCK_REALTIME => Self::Real,
            CLOCK_TAI => Self::Atomic,
            CLOCK_MONOTONIC | CLOCK_BOOTTIME => Self::Monotonic,
            CLOCK_MONOTONIC_RAW => Self::Raw,
            CLOCK_REALTIME_COARSE => Self::RealCoarse,
            CLOCK_MONOTONIC_COARSE => Self::MonotonicCoarse,
            CLOCK_PROCESS_CPUTIME_ID => Self::Process,
            CLOCK_THREAD_CPUTIME_ID => Self::Thread,
            _ => return Err(Errno::EINVAL),
        })
    }

    fn read(self, task: &Task) -> time::Timespec {
        match self {
            Self::Real | Self::RealCoarse => scheduler::realtime(),
            Self::Monotonic | Self::Raw | Self::MonotonicCoarse => time::Timespec::from_ns(sync::now()),
            Self::Atomic => scheduler::realtime().saturating_add(atomic_offset()),
            Self::Process => time::Timespec::from_ns(usage::of_process(&task.process).total()),
            Self::Thread => time::Timespec::from_ns(usage::of_thread(task).total()),
        }
    }

    fn resolution(self) -> u64 {
        if matches!(self, Self::RealCoarse | Self::MonotonicCoarse) { TICK_NS } else { 1 }
    }
}

#[cold]
fn stub_dynamic() -> Errno {
    task::stub("clocks: those of other processes and of devices");
    Errno::EINVAL
}

/// What TAI is ahead of UTC.
fn atomic_offset() -> time::Timespec {
    time::Timespec::from_seconds(i64::from(scheduler::clock().tai_offset))
}

fn to_user(time: time::Timespec) -> Timespec {
    Timespec { seconds: time.seconds(), nanoseconds: i64::from(time.nanoseconds()) }
}

pub fn clock_gettime(task: &Task, clock: i32, place: UserPtr<Timespec>) -> Result<(), Errno> {
    place.write(&to_user(ClockId::new(clock)?.read(task)))
}

pub fn clock_getres(_: &Task, clock: i32, place: UserPtr<Timespec>) -> Result<(), Errno> {
    let resolution = ClockId::new(clock)?.resolution();
    place.non_null().map_or(Ok(()), |place| place.write(&to_user(time::Timespec::from_ns(resolution))))
}

/// clock_settime(2): CLOCK_REALTIME alone can be set.
pub fn clock_settime(task: &Task, clock: i32, place: UserPtr<Timespec>) -> Result<(), Errno> {
    if ClockId::new(clock)? != ClockId::Real {
        return Err(Errno::EINVAL);
    }
    let wanted = place.read()?;
    set_realtime(task, time::Timespec::new(wanted.seconds, wanted.nanoseconds))
}

/// Sets CLOCK_REALTIME; `None` was no time. EINVAL comes before EPERM.
fn set_realtime(task: &Task, wanted: Option<time::Timespec>) -> Result<(), Errno> {
    let wanted = wanted.filter(|wanted| wanted.is_settable()).ok_or(Errno::EINVAL)?;
    may_set_time(task)?;
    if !task::realtime::set(wanted) {
        return Err(Errno::EINVAL);
    }
    SETTINGS.fetch_add(1, Ordering::Release);
    CLOCK_WAS_SET.wake_all();
    Ok(())
}

fn may_set_time(task: &Task) -> Result<(), Errno> {
    if task.credentials().has(Capabilities::SYS_TIME) { Ok(()) } else { Err(Errno::EPERM) }
}

pub fn gettimeofday(_: &Task, place: UserPtr<Timeval>, zone: UserPtr<Timezone>) -> Result<(), Errno> {
    if let Some(place) = place.non_null() {
        let now = scheduler::realtime();
        place.write(&Timeval { seconds: now.seconds(), microseconds: i64::from(now.microseconds()) })?;
    }
    if let Some(place) = zone.non_null() {
        let zone = *TIME_ZONE.lock();
        place.write(&zone)?;
    }
    Ok(())
}

pub fn settimeofday(task: &Task, place: UserPtr<Timeval>, zone: UserPtr<Timezone>) -> Result<(), Errno> {
    let wanted = place.non_null().map(UserPtr::read).transpose()?;
    // Linux takes 1,000,000 microseconds here, and refuses them as nanoseconds a line later.
    let wanted = wanted
        .map(|given| time::Timespec::from_timeval(given.seconds, given.microseconds).ok_or(Errno::EINVAL))
        .transpose()?;
    let zone = zone.non_null().map(UserPtr::read).transpose()?;
    if wanted.is_some_and(|wanted| !wanted.is_settable()) {
        return Err(Errno::EINVAL);
    }
    may_set_time(task)?;
    if let Some(zone) = zone {
        if !(-15 * 60..=15 * 60).contains(&zone.minutes_west) {
            return Err(Errno::EINVAL);
        }
        *TIME_ZONE.lock() = zone;
    }
    wanted.map_or(Ok(()), |wanted| set_realtime(task, Some(wanted)))
}

/// time(2): seconds since 1970.
pub fn time(_: &Task, place: UserPtr<i64>) -> Result<usize, Errno> {
    let seconds = scheduler::realtime().seconds();
    if let Some(place) = place.non_null() {
        place.write(&seconds)?;
    }
    Ok(seconds as usize)
}

/// A length of time or an instant from user memory. EFAULT; EINVAL for what is neither.
fn read_request(request: UserPtr<Timespec>) -> Result<time::Timespec, Errno> {
    let given = request.read()?;
    time::Timespec::non_negative(given.seconds, given.nanoseconds).ok_or(Errno::EINVAL)
}

pub fn nanosleep(task: &Task, request: UserPtr<Timespec>, remaining: UserPtr<Timespec>) -> Answer {
    let deadline = read_request(request)?.after(sync::now());
    sleep_relative(task, deadline, remaining)
}

/// clock_nanosleep(2).
pub fn clock_nanosleep(
    task: &Task,
    clock: i32,
    flags: u32,
    request: UserPtr<Timespec>,
    remaining: UserPtr<Timespec>,
) -> Answer {
    // Alarm clocks exist, but without a real-time clock that wakes the machine.
    if clock == CLOCK_REALTIME_ALARM as i32 || clock == CLOCK_BOOTTIME_ALARM as i32 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let clock = ClockId::new(clock)?;
    match clock {
        ClockId::Real | ClockId::Atomic | ClockId::Monotonic => {}
        ClockId::Process => {
            task::stub("clock_nanosleep: CLOCK_PROCESS_CPUTIME_ID");
            return Err(Errno::EOPNOTSUPP.into());
        }
        _ => return Err(Errno::EOPNOTSUPP.into()),
    }
    let request = read_request(request)?;
    if flags & TIMER_ABSTIME == 0 {
        return sleep_relative(task, request.after(sync::now()), remaining);
    }
    match clock {
        ClockId::Monotonic => answer_absolute(sleep_until(request.to_ns_saturating())),
        ClockId::Atomic => answer_absolute(sleep_until_realtime(|| request.saturating_sub(atomic_offset()))),
        _ => answer_absolute(sleep_until_realtime(|| request)),
    }
}

/// Sleeps until the monotonic clock shows `deadline`; an error where a signal came first.
fn sleep_until(deadline: u64) -> Result<(), WaitError> {
    match WaitQueue::new().wait(Sleep::Interruptible, Some(deadline), || None::<()>) {
        Err(WaitError::Interrupted) if sync::now() < deadline => Err(WaitError::Interrupted),
        _ => Ok(()),
    }
}

/// Sleeps for the rest of a length of time that ends at `deadline`. Interrupted, it tells what is left, and goes on by
/// restart_syscall(2) to the same end if no handler runs.
fn sleep_relative(task: &Task, deadline: u64, remaining: UserPtr<Timespec>) -> Answer {
    if sleep_until(deadline).is_ok() {
        return Ok(0);
    }
    let left = deadline.saturating_sub(sync::now());
    if left == 0 {
        return Ok(0);
    }
    if let Some(place) = remaining.non_null() {
        place.write(&to_user(time::Timespec::from_ns(left)))?;
    }
    task.set_restart(Box::new(move |task| sleep_relative(task, deadline, remaining)));
    Err(Failure::Interrupted(Restart::Block))
}

fn answer_absolute(slept: Result<(), WaitError>) -> Answer {
    slept.map(|()| 0).map_err(|_| Failure::Interrupted(Restart::WithoutHandler))
}

/// Sleeps until CLOCK_REALTIME shows `instant`, also if it is set meanwhile (clock_settime(2)).
fn sleep_until_realtime(instant: impl Fn() -> time::Timespec) -> Result<(), WaitError> {
    loop {
        let settings = SETTINGS.load(Ordering::Acquire);
        let deadline = scheduler::clock().monotonic_of_realtime(instant());
        let was_set = || (SETTINGS.load(Ordering::Acquire) != settings).then_some(());
        match CLOCK_WAS_SET.wait(Sleep::Interruptible, Some(deadline), was_set) {
            Ok(()) => {}
            Err(WaitError::Interrupted) if sync::now() < deadline => return Err(WaitError::Interrupted),
            Err(_) => return Ok(()),
        }
    }
}

/// alarm(2): answers how many seconds an earlier one had left, rounded, but never zero where there was one.
pub fn alarm(task: &Task, seconds: u32) -> Result<usize, Errno> {
    let wanted = Setting { remaining: u64::from(seconds) * NANOSECONDS_PER_SECOND, period: 0 };
    let left = timers::set_real(&task.process, wanted)?.remaining;
    let (whole, part) = (left / NANOSECONDS_PER_SECOND, left % NANOSECONDS_PER_SECOND);
    let up = part >= NANOSECONDS_PER_SECOND / 2 || whole == 0 && part != 0;
    Ok((whole + u64::from(up)) as usize)
}

/// EINVAL for all but ITIMER_REAL.
fn check_timer(which: u32) -> Result<(), Errno> {
    match which {
        ITIMER_REAL => Ok(()),
        ITIMER_VIRTUAL | ITIMER_PROF => {
            task::stub("setitimer: ITIMER_VIRTUAL, ITIMER_PROF");
            Err(Errno::EINVAL)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// A timer that is about to expire still shows a microsecond: zero would say that it is not set.
fn show(setting: Setting) -> Itimerval {
    let remaining = if setting.remaining == 0 { 0 } else { setting.remaining.max(1000) };
    Itimerval { interval: timeval(setting.period), value: timeval(remaining) }
}

pub fn getitimer(task: &Task, which: u32, place: UserPtr<Itimerval>) -> Result<(), Errno> {
    check_timer(which)?;
    place.write(&show(timers::real(&task.process)))
}

/// setitimer(2). Without a new value the timer is taken away, as Linux does for programs that rely on it.
pub fn setitimer(task: &Task, which: u32, new: UserPtr<Itimerval>, old: UserPtr<Itimerval>) -> Result<(), Errno> {
    let given = new.non_null().map_or(Ok(Itimerval::default()), UserPtr::read)?;
    let length = |value: Timeval| {
        let length =
            time::Timespec::from_timeval(value.seconds, value.microseconds).filter(|length| !length.is_negative());
        length.map(time::Timespec::to_ns_saturating).ok_or(Errno::EINVAL)
    };
    let wanted = Setting { remaining: length(given.value)?, period: length(given.interval)? };
    check_timer(which)?;
    let before = timers::set_real(&task.process, wanted)?;
    old.non_null().map_or(Ok(()), |place| place.write(&show(before)))
}
