//! Clocks, sleeping, and the interval timers of a process.
use crate::process::timeval;
use abi::Errno;
use abi::raw::general::*;
use abi::time::{Itimerval, Timespec, Timeval, Timezone};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use memory::UserPtr;
use sync::{Preempt, Rank, Sleep, SpinLock, WaitError, WaitQueue};
use task::clock_timers::{self, Portion, TimerClock};
use task::process::Process;
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

/// A clock that programs name. Those of devices are not here: EINVAL.
#[derive(Clone, Debug)]
pub(crate) enum ClockId {
    Real,
    Atomic,
    /// CLOCK_MONOTONIC and CLOCK_BOOTTIME: there is no suspend.
    Monotonic,
    /// The same two, which wake a machine that sleeps: none does.
    RealAlarm,
    MonotonicAlarm,
    /// As the others, but nothing can sleep by it: raw, and the coarse ones with a tick's resolution.
    Raw,
    RealCoarse,
    MonotonicCoarse,
    Process(Arc<Process>, Portion),
    Thread(Arc<Task>, Portion),
}

/// In a negative number: which time of what (linux/posix-timers.h).
const CLOCK_KIND: i32 = 3;
const CLOCK_OF_THREAD: i32 = 4;
const CLOCK_VIRTUAL: i32 = 1;
const CLOCK_OF_DEVICE: i32 = 3;

impl ClockId {
    pub(crate) fn new(task: &Task, number: i32) -> Result<Self, Errno> {
        let Ok(positive) = u32::try_from(number) else { return Self::of_others(task, number) };
        Ok(match positive {
            CLOCK_REALTIME => Self::Real,
            CLOCK_TAI => Self::Atomic,
            CLOCK_MONOTONIC | CLOCK_BOOTTIME => Self::Monotonic,
            CLOCK_MONOTONIC_RAW => Self::Raw,
            CLOCK_REALTIME_COARSE => Self::RealCoarse,
            CLOCK_MONOTONIC_COARSE => Self::MonotonicCoarse,
            CLOCK_REALTIME_ALARM => Self::RealAlarm,
            CLOCK_BOOTTIME_ALARM => Self::MonotonicAlarm,
            CLOCK_PROCESS_CPUTIME_ID => Self::Process(task.process.clone(), Portion::All),
            CLOCK_THREAD_CPUTIME_ID => Self::Thread(itself(task)?, Portion::All),
            _ => return Err(Errno::EINVAL),
        })
    }

    /// Clocks of processes and threads by their numbers (clock_getcpuclockid(3)).
    fn of_others(task: &Task, number: i32) -> Result<Self, Errno> {
        let kind = number & CLOCK_KIND;
        if kind == CLOCK_OF_DEVICE {
            task::stub("clocks of devices");
            return Err(Errno::EINVAL);
        }
        let portion = if kind == CLOCK_VIRTUAL { Portion::User } else { Portion::All };
        let id = !(number >> 3) as u32;
        if number & CLOCK_OF_THREAD != 0 {
            let found = if id == 0 { Some(itself(task)?) } else { task::tree::find_task(id) };
            let own = found.filter(|other| other.process.pid == task.process.pid);
            return Ok(Self::Thread(own.ok_or(Errno::EINVAL)?, portion));
        }
        let process = if id == 0 { Some(task.process.clone()) } else { task::tree::find_process(id) };
        Ok(Self::Process(process.ok_or(Errno::EINVAL)?, portion))
    }

    fn read(&self) -> time::Timespec {
        match self {
            Self::Real | Self::RealAlarm => scheduler::realtime(),
            Self::RealCoarse => scheduler::realtime_coarse(),
            Self::MonotonicCoarse => scheduler::monotonic_coarse(),
            Self::Monotonic | Self::Raw | Self::MonotonicAlarm => time::Timespec::from_ns(sync::now()),
            Self::Atomic => scheduler::realtime().saturating_add(atomic_offset()),
            Self::Process(process, portion) => time::Timespec::from_ns(portion.of(usage::of_process(process))),
            Self::Thread(task, portion) => time::Timespec::from_ns(portion.of(usage::of_thread(task))),
        }
    }

    fn resolution(&self) -> u64 {
        if matches!(self, Self::RealCoarse | Self::MonotonicCoarse) { TICK_NS } else { 1 }
    }

    /// As what timers follow. EOPNOTSUPP; EPERM for alarms.
    pub(crate) fn timer_clock(&self, task: &Task) -> Result<TimerClock, Errno> {
        let alarm = matches!(self, Self::RealAlarm | Self::MonotonicAlarm);
        if alarm && !task.credentials().has(Capabilities::WAKE_ALARM) {
            return Err(Errno::EPERM);
        }
        Ok(match self {
            Self::Real | Self::RealAlarm => TimerClock::Real,
            Self::Monotonic | Self::MonotonicAlarm => TimerClock::Monotonic,
            Self::Process(process, portion) => TimerClock::Process(Arc::downgrade(process), *portion),
            Self::Thread(task, portion) => TimerClock::Thread(Arc::downgrade(task), *portion),
            Self::Atomic => {
                task::stub("timer_create: CLOCK_TAI");
                return Err(Errno::EOPNOTSUPP);
            }
            _ => return Err(Errno::EOPNOTSUPP),
        })
    }
}

/// The task as others hold it.
fn itself(task: &Task) -> Result<Arc<Task>, Errno> {
    task::tree::find_task(task.tid()).ok_or(Errno::EINVAL)
}

/// What TAI is ahead of UTC.
fn atomic_offset() -> time::Timespec {
    time::Timespec::from_seconds(i64::from(scheduler::clock().tai_offset))
}

fn to_user(time: time::Timespec) -> Timespec {
    Timespec { seconds: time.seconds(), nanoseconds: i64::from(time.nanoseconds()) }
}

pub fn clock_gettime(task: &Task, clock: i32, place: UserPtr<Timespec>) -> Result<(), Errno> {
    place.write(&to_user(ClockId::new(task, clock)?.read()))
}

pub fn clock_getres(task: &Task, clock: i32, place: UserPtr<Timespec>) -> Result<(), Errno> {
    let resolution = ClockId::new(task, clock)?.resolution();
    place.non_null().map_or(Ok(()), |place| place.write(&to_user(time::Timespec::from_ns(resolution))))
}

/// clock_settime(2): CLOCK_REALTIME alone can be set.
pub fn clock_settime(task: &Task, clock: i32, place: UserPtr<Timespec>) -> Result<(), Errno> {
    if !matches!(ClockId::new(task, clock)?, ClockId::Real) {
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
    let clock = ClockId::new(task, clock)?;
    match clock {
        ClockId::Real | ClockId::Atomic | ClockId::Monotonic => {}
        ClockId::Process(..) => {
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

/// Which processor time an interval timer counts, and its signal; `None` for ITIMER_REAL. EINVAL.
fn counted(which: u32) -> Result<Option<(Portion, u32)>, Errno> {
    match which {
        ITIMER_REAL => Ok(None),
        ITIMER_VIRTUAL => Ok(Some((Portion::User, SIGVTALRM))),
        ITIMER_PROF => Ok(Some((Portion::All, SIGPROF))),
        _ => Err(Errno::EINVAL),
    }
}

/// A timer that is about to expire still shows a microsecond: zero would say that it is not set.
fn show(setting: Setting) -> Itimerval {
    let remaining = if setting.remaining == 0 { 0 } else { setting.remaining.max(1000) };
    Itimerval { interval: timeval(setting.period), value: timeval(remaining) }
}

pub fn getitimer(task: &Task, which: u32, place: UserPtr<Itimerval>) -> Result<(), Errno> {
    let setting = match counted(which)? {
        None => timers::real(&task.process),
        Some((portion, _)) => clock_timers::get_interval(&task.process, portion),
    };
    place.write(&show(setting))
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
    let before = match counted(which)? {
        None => timers::set_real(&task.process, wanted)?,
        Some((portion, signal)) => clock_timers::set_interval(&task.process, portion, signal, wanted)?,
    };
    old.non_null().map_or(Ok(()), |place| place.write(&show(before)))
}
