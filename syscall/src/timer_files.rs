//! timerfd: a timer as something to read (timerfd_create(2)).
//!
//! The interrupt only notes that the timer has expired, and wakes; how often it has is counted when somebody reads, who arms it for the next
//! period too. So a period of a nanosecond costs as much as its reader spends on it.
use crate::Fd;
use crate::files::table;
use crate::pipes::{file, vfs, whole};
use abi::Errno;
use abi::file::{OpenFlags, PollEvents};
use abi::raw::general::*;
use abi::time::{Itimerspec, Timespec};
use alloc::sync::{Arc, Weak};
use ipc::Readiness;
use memory::{UserPtr, Writer};
use scheduler::{Expire, Timer};
use sync::{InterruptsOff, Once, Rank, Registrations, Sleep, SpinLock, WaitError, WaitQueue};
use task::Task;
use task::realtime::{Deadline, Listed};
use time::{Interval, Start};
use vfs::{AnonymousKind, Capabilities, FileOperations, OpenFile};

/// Which clock the timer follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    Real,
    Monotonic,
}

impl Clock {
    fn now(self) -> u64 {
        match self {
            Self::Real => scheduler::realtime().to_ns_saturating(),
            Self::Monotonic => sync::now(),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// On the timer's own clock.
    interval: Interval,
    /// The deadline is an instant of CLOCK_REALTIME, and moves when that is set.
    absolute: bool,
    /// Expired, and not yet looked at.
    expired: bool,
    cancels: bool,
    cancelled: bool,
}

struct TimerState {
    clock: Clock,
    state: SpinLock<State, InterruptsOff>,
    timer: Once<Timer>,
    waiters: WaitQueue,
    readiness: Readiness,
}

impl TimerState {
    /// The clock that deadlines are kept on: instants of CLOCK_REALTIME move when it is set, lengths of time do not.
    fn now(&self, state: &State) -> u64 {
        if state.absolute { self.clock.now() } else { sync::now() }
    }

    fn arm(&self, state: &State) {
        let Some(timer) = self.timer.get() else { return };
        match state.interval.deadline() {
            Some(deadline) if state.absolute && self.clock == Clock::Real => {
                timer.arm(scheduler::clock().monotonic_of_realtime(time::Timespec::from_ns(deadline)));
            }
            Some(deadline) => timer.arm(deadline),
            None => {
                timer.disarm();
            }
        }
    }

    fn tell(&self) {
        self.waiters.wake_all();
        self.readiness.notify();
    }

    /// What a read takes: how often it has expired. ECANCELED where the clock was set.
    fn take(&self) -> Option<Result<u64, Errno>> {
        let mut state = self.state.lock();
        if core::mem::take(&mut state.cancelled) {
            return Some(Err(Errno::ECANCELED));
        }
        if !core::mem::take(&mut state.expired) {
            return None;
        }
        let times = {
            let now = self.now(&state);
            state.interval.expire(now)
        };
        self.arm(&state);
        // A clock that was set back meanwhile: the expiry was none.
        (times != 0).then_some(Ok(times))
    }

    /// How it stands: time left, and period.
    fn setting(&self, state: &State) -> Itimerspec {
        let now = self.now(state);
        let mut interval = state.interval;
        interval.expire(now);
        Itimerspec { interval: to_user(state.interval.period()), value: to_user(interval.remaining(now)) }
    }
}

impl Expire for TimerState {
    fn expire(&self, _: u64) -> Option<u64> {
        self.state.lock().expired = true;
        self.tell();
        None
    }
}

impl Deadline for TimerState {
    fn clock_was_set(&self) {
        let mut state = self.state.lock();
        if self.clock != Clock::Real || !state.absolute {
            return;
        }
        if state.cancels && (state.interval.deadline().is_some() || state.expired) {
            state.cancelled = true;
        }
        self.arm(&state);
        let tells = state.cancelled;
        drop(state);
        if tells {
            self.tell();
        }
    }
}

struct TimerFile {
    state: Arc<TimerState>,
    _listed: Option<Listed>,
}

impl FileOperations for TimerFile {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut Writer<'_>) -> Result<usize, Errno> {
        if into.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let times = match self.state.take() {
            Some(times) => times,
            None if file.flags().contains(OpenFlags::NON_BLOCKING) => Err(Errno::EAGAIN),
            None => match self.state.waiters.wait(Sleep::Interruptible, None, || self.state.take()) {
                Ok(times) => times,
                Err(WaitError::Interrupted | WaitError::TimedOut) => Err(Errno::EINTR),
            },
        }?;
        whole(into.write(&times.to_ne_bytes()), 8)
    }

    fn poll(&self, _: &OpenFile, registrations: Option<&mut Registrations>) -> PollEvents {
        if let Some(registrations) = registrations
            && self.state.readiness.register(registrations).is_err()
        {
            return PollEvents::ERROR;
        }
        let state = self.state.state.lock();
        if state.expired || state.cancelled { PollEvents::IN } else { PollEvents::empty() }
    }

    fn release(&self, _: &OpenFile) {
        if let Some(timer) = self.state.timer.get() {
            timer.disarm();
        }
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

fn to_user(nanoseconds: u64) -> Timespec {
    let time = time::Timespec::from_ns(nanoseconds);
    Timespec { seconds: time.seconds(), nanoseconds: i64::from(time.nanoseconds()) }
}

pub fn timerfd_create(task: &Task, clock: u32, flags: u32) -> Result<usize, Errno> {
    if flags & !(TFD_CLOEXEC | TFD_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let alarm = matches!(clock, CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM);
    let clock = match clock {
        CLOCK_REALTIME | CLOCK_REALTIME_ALARM => Clock::Real,
        CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => Clock::Monotonic,
        _ => return Err(Errno::EINVAL),
    };
    if alarm && !task.credentials().has(Capabilities::WAKE_ALARM) {
        return Err(Errno::EPERM);
    }
    let state = Arc::new(TimerState {
        clock,
        state: SpinLock::new(Rank::Device, State::default()),
        timer: Once::new(),
        waiters: WaitQueue::new(),
        readiness: Readiness::new(),
    });
    let weak: Weak<TimerState> = Arc::downgrade(&state);
    let timer = Timer::calling(Arc::new(Expiry(weak))).ok_or(Errno::ENOMEM)?;
    let _ = state.timer.set(timer);
    let listed = (clock == Clock::Real).then(|| {
        let deadline: Arc<dyn Deadline> = state.clone();
        task::realtime::list(&deadline)
    });
    let path = vfs()?.anonymous_path(AnonymousKind::Other("[timerfd]"))?;
    let mut open = OpenFlags::READ_WRITE;
    open.set(OpenFlags::NON_BLOCKING, flags & TFD_NONBLOCK != 0);
    let operations = Arc::new(TimerFile { state, _listed: listed });
    let file = vfs()?.anonymous_file(path, operations, open, &task.credentials());
    table(task)?.install(file, flags & TFD_CLOEXEC != 0, task.limit(RLIMIT_NOFILE)).map(|number| number as usize)
}

/// What the scheduler's timer holds: the state holds the timer, so not the other way round.
struct Expiry(Weak<TimerState>);

impl Expire for Expiry {
    fn expire(&self, now: u64) -> Option<u64> {
        self.0.upgrade().and_then(|state| state.expire(now))
    }
}

fn with_timer<R>(task: &Task, fd: Fd, body: impl FnOnce(&TimerState) -> Result<R, Errno>) -> Result<R, Errno> {
    let file = file(task, fd)?;
    if file.is_path_only() {
        return Err(Errno::EBADF);
    }
    let timer = file.operations().and_then(|operations| operations.as_any());
    body(&timer.and_then(|any| any.downcast_ref::<TimerFile>()).ok_or(Errno::EINVAL)?.state)
}

/// Nanoseconds of a time that user space gives. EINVAL.
pub(crate) fn length(time: Timespec) -> Result<u64, Errno> {
    let time = time::Timespec::non_negative(time.seconds, time.nanoseconds).ok_or(Errno::EINVAL)?;
    Ok(time.to_ns_saturating())
}

pub fn timerfd_settime(
    task: &Task,
    fd: Fd,
    flags: u32,
    new: UserPtr<Itimerspec>,
    old: UserPtr<Itimerspec>,
) -> Result<(), Errno> {
    let new = new.read()?;
    if flags & !(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) != 0 {
        return Err(Errno::EINVAL);
    }
    let (value, period) = (length(new.value)?, length(new.interval)?);
    let old = old.non_null();
    let before = with_timer(task, fd, |timer| {
        let mut state = timer.state.lock();
        let before = old.map(|_| timer.setting(&state));
        let absolute = flags & TFD_TIMER_ABSTIME != 0;
        (state.absolute, state.expired, state.cancelled) = (absolute, false, false);
        state.cancels = absolute && timer.clock == Clock::Real && flags & TFD_TIMER_CANCEL_ON_SET != 0;
        let start = (value != 0).then_some(if absolute { Start::At(value) } else { Start::After(value) });
        let now = timer.now(&state);
        state.interval.set(start, period, now);
        timer.arm(&state);
        Ok(before)
    })?;
    old.zip(before).map_or(Ok(()), |(old, before)| old.write(&before))
}

pub fn timerfd_gettime(task: &Task, fd: Fd, place: UserPtr<Itimerspec>) -> Result<(), Errno> {
    let setting = with_timer(task, fd, |timer| Ok(timer.setting(&timer.state.lock())))?;
    place.write(&setting)
}
