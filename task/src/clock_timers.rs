//! Timers on any clock: POSIX timers (timer_create(2)), ITIMER_VIRTUAL and ITIMER_PROF.
//!
//! **Overruns.** A POSIX timer's signal is queued once. Until it has been taken the timer is not armed again; whoever takes it counts how
//! often the timer would have expired meanwhile ([`taken`]), puts that into the signal, and arms the timer. A signal that came to
//! nothing, since it is ignored, is never taken; then the timer goes on by itself, no faster than the tick.
//!
//! **Clocks of processor time** advance only while threads run, and no interrupt comes when they reach an instant. A process that has such
//! timers asks for the tick's attention ([`crate::limits::watch_processor_time`]), and looks at them before it goes on in user mode.
use crate::due::{self, Due};
use crate::process::Process;
use crate::realtime::{Deadline, Listed};
use crate::signals::{Information, send_to_process, send_to_task};
use crate::task::Task;
use crate::timers::Setting;
use crate::tree::{self, Pid};
use crate::usage::{self, Usage};
use abi::Errno;
use abi::raw::general::RLIMIT_SIGPENDING;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};
use scheduler::Timer;
use sync::{Once, Preempt, Rank, SpinLock};
use time::{Interval, Start, TICK_NS};

/// Which processor time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portion {
    User,
    All,
}

impl Portion {
    /// Of what was used, in nanoseconds.
    pub fn of(self, usage: Usage) -> u64 {
        if self == Self::User { usage.user } else { usage.total() }
    }
}

/// A clock that timers follow.
#[derive(Debug)]
pub enum TimerClock {
    Real,
    Monotonic,
    Process(Weak<Process>, Portion),
    Thread(Weak<Task>, Portion),
}

/// What is to happen at an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing: whoever set the timer asks it (SIGEV_NONE).
    Nothing,
    /// A signal to the process or one of its threads.
    Signal { signal: u32, value: u64, thread: Option<Pid> },
    /// An interval timer's signal, without more.
    Interval { signal: u32 },
}

#[derive(Debug, Default)]
struct State {
    interval: Interval,
    /// The signal is on its way.
    pending: bool,
    /// Of the signal that was taken last.
    overrun: i32,
}

/// One timer.
pub struct ClockTimer {
    id: i32,
    process: Weak<Process>,
    clock: TimerClock,
    event: Event,
    /// The deadline is an instant of CLOCK_REALTIME.
    absolute: AtomicBool,
    state: SpinLock<State, Preempt>,
    timer: Once<Timer>,
    listed: Once<Listed>,
}

impl core::fmt::Debug for ClockTimer {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "timer {} on {:?}: {:?}", self.id, self.clock, self.event)
    }
}

/// The timers of a process but ITIMER_REAL.
#[derive(Debug, Default)]
pub(crate) struct Table {
    timers: BTreeMap<i32, Arc<ClockTimer>>,
    next: i32,
    interval: [Option<Arc<ClockTimer>>; 2],
    /// POSIX timers on clocks of processor time, which each tick looks at.
    counting: BTreeSet<i32>,
}

impl Table {
    /// Whether a tick has something to look at.
    pub(crate) fn counts_processor_time(&self) -> bool {
        !self.counting.is_empty() || self.interval.iter().any(Option::is_some)
    }

    /// The first timer on a clock of processor time from `key` on, and the key behind it; interval timers have the keys 0 and 1.
    fn counting_from(&self, key: u64) -> Option<(Arc<ClockTimer>, u64)> {
        for place in key..2 {
            if let Some(timer) = self.interval.get(place as usize).and_then(Option::as_ref) {
                return Some((timer.clone(), place + 1));
            }
        }
        let from = i32::try_from(key.saturating_sub(2)).ok()?;
        let id = *self.counting.range(from..).next()?;
        Some((self.timers.get(&id)?.clone(), id as u64 + 3))
    }
}

impl ClockTimer {
    fn new(id: i32, process: &Arc<Process>, clock: TimerClock, event: Event) -> Result<Arc<Self>, Errno> {
        let real = matches!(clock, TimerClock::Real);
        let made = Arc::new(Self {
            id,
            process: Arc::downgrade(process),
            clock,
            event,
            absolute: AtomicBool::new(false),
            state: SpinLock::new(Rank::Device, State::default()),
            timer: Once::new(),
            listed: Once::new(),
        });
        let target: Weak<Self> = Arc::downgrade(&made);
        let _ = made.timer.set(due::timer(target)?);
        if real {
            let deadline: Arc<dyn Deadline> = made.clone();
            let _ = made.listed.set(crate::realtime::list(&deadline));
        }
        Ok(made)
    }

    /// The clock; takes the tree's lock for those of processor time, so no timer is locked.
    fn now(&self) -> u64 {
        match &self.clock {
            TimerClock::Real if self.absolute.load(Ordering::Relaxed) => scheduler::realtime().to_ns_saturating(),
            TimerClock::Real | TimerClock::Monotonic => sync::now(),
            TimerClock::Process(process, portion) => {
                process.upgrade().map_or(0, |process| portion.of(usage::of_process(&process)))
            }
            TimerClock::Thread(task, portion) => task.upgrade().map_or(0, |task| portion.of(usage::of_thread(&task))),
        }
    }

    fn counts_processor_time(&self) -> bool {
        matches!(self.clock, TimerClock::Process(..) | TimerClock::Thread(..))
    }

    /// Has the interrupt come at the deadline; the tick sees to processor time.
    fn arm(&self, state: &State) {
        let Some(timer) = self.timer.get() else { return };
        let Some(deadline) = state.interval.deadline().filter(|_| self.event != Event::Nothing) else {
            timer.disarm();
            return;
        };
        timer.arm(match &self.clock {
            TimerClock::Real if self.absolute.load(Ordering::Relaxed) => {
                scheduler::clock().monotonic_of_realtime(time::Timespec::from_ns(deadline))
            }
            TimerClock::Real | TimerClock::Monotonic => deadline,
            TimerClock::Process(..) | TimerClock::Thread(..) => return,
        });
    }

    /// How it stands.
    fn setting(&self) -> Setting {
        let now = self.now();
        let state = self.state.lock();
        let mut interval = state.interval;
        interval.expire(now);
        Setting { remaining: interval.remaining(now), period: interval.period() }
    }

    /// Sets it, and answers how it stood.
    fn set(&self, start: Option<Start>, period: u64) -> Setting {
        let before = self.setting();
        self.absolute.store(matches!(start, Some(Start::At(_))), Ordering::Relaxed);
        let now = self.now();
        let mut state = self.state.lock();
        state.interval.set(start, period, now);
        (state.pending, state.overrun) = (false, 0);
        self.arm(&state);
        before
    }

    /// Its signal was taken: answers the overruns.
    fn taken(&self) -> i32 {
        let now = self.now();
        let mut state = self.state.lock();
        if core::mem::take(&mut state.pending) {
            let times = state.interval.expire(now);
            state.overrun = i32::try_from(times.saturating_sub(1)).unwrap_or(i32::MAX);
            self.arm(&state);
        }
        state.overrun
    }

    /// Sends the signal of a POSIX timer, which stays pending until it is taken.
    fn send(&self, process: &Arc<Process>, signal: u32, value: u64, thread: Option<Pid>) {
        let information = Information(::signal::Information::Timer { timer: self.id, overrun: 0, value });
        let is_pending =
            |set: ::signal::SignalSet| ::signal::Signal::new(signal).is_ok_and(|signal| set.contains(signal));
        let queued = match thread {
            None => {
                let _ = send_to_process(process, signal, information);
                is_pending(process.signals.lock().pending_set())
            }
            Some(tid) => match tree::find_task(tid).filter(|task| Arc::ptr_eq(&task.process, process)) {
                Some(task) => {
                    let _ = send_to_task(&task, signal, information);
                    is_pending(task.pending_signals())
                }
                None => false,
            },
        };
        if !queued {
            self.go_on();
        }
    }

    /// The signal was ignored, or taken at once.
    fn go_on(&self) {
        let now = self.now();
        let mut state = self.state.lock();
        if core::mem::take(&mut state.pending) {
            state.interval.expire(now);
            if let Some(deadline) = state.interval.deadline() {
                let later = deadline.max(now.saturating_add(TICK_NS));
                let period = state.interval.period();
                state.interval.set(Some(Start::At(later)), period, now);
            }
            self.arm(&state);
        }
    }
}

impl Due for ClockTimer {
    fn due(self: Arc<Self>) {
        let Some(process) = self.process.upgrade() else { return };
        let now = self.now();
        let mut state = self.state.lock();
        if state.pending || state.interval.deadline().is_none_or(|deadline| deadline > now) {
            if !state.pending {
                self.arm(&state);
            }
            return;
        }
        match self.event {
            Event::Nothing => {}
            Event::Interval { signal } => {
                state.interval.expire(now);
                self.arm(&state);
                drop(state);
                let _ = send_to_process(&process, signal, Information::kernel());
            }
            Event::Signal { signal, value, thread } => {
                state.pending = true;
                drop(state);
                self.send(&process, signal, value, thread);
            }
        }
    }
}

impl Deadline for ClockTimer {
    fn clock_was_set(&self) {
        let state = self.state.lock();
        if !state.pending && self.absolute.load(Ordering::Relaxed) {
            self.arm(&state);
        }
    }
}

/// A tick has found the process running: does what is due by clocks of processor time.
pub(crate) fn tick(process: &Process) {
    let mut key = 0;
    loop {
        let next = process.timers.lock().others.counting_from(key);
        let Some((timer, after)) = next else { return };
        timer.due();
        key = after;
    }
}

/// timer_create(2). EAGAIN beyond RLIMIT_SIGPENDING, since each may have a signal pending; ENOMEM.
pub fn create(task: &Task, clock: TimerClock, event: impl FnOnce(i32) -> Event) -> Result<i32, Errno> {
    let process = &task.process;
    let id = {
        let mut timers = process.timers.lock();
        let table = &mut timers.others;
        if table.timers.len() as u64 >= task.limit(RLIMIT_SIGPENDING) {
            return Err(Errno::EAGAIN);
        }
        // Numbers go up, and begin again at 0 when they are used up.
        while table.timers.contains_key(&table.next) {
            table.next = table.next.checked_add(1).unwrap_or(0);
        }
        let id = table.next;
        table.next = id.checked_add(1).unwrap_or(0);
        id
    };
    let made = ClockTimer::new(id, process, clock, event(id))?;
    let counts = made.counts_processor_time();
    let mut timers = process.timers.lock();
    timers.others.timers.insert(id, made);
    if counts {
        timers.others.counting.insert(id);
    }
    drop(timers);
    if counts {
        crate::limits::watch_processor_time(process);
    }
    Ok(id)
}

fn find(process: &Process, id: i32) -> Result<Arc<ClockTimer>, Errno> {
    process.timers.lock().others.timers.get(&id).cloned().ok_or(Errno::EINVAL)
}

/// timer_settime(2): answers how it stood. EINVAL.
pub fn set(process: &Process, id: i32, start: Option<Start>, period: u64) -> Result<Setting, Errno> {
    Ok(find(process, id)?.set(start, period))
}

/// timer_gettime(2). EINVAL.
pub fn get(process: &Process, id: i32) -> Result<Setting, Errno> {
    Ok(find(process, id)?.setting())
}

/// timer_getoverrun(2). EINVAL.
pub fn overrun(process: &Process, id: i32) -> Result<i32, Errno> {
    Ok(find(process, id)?.state.lock().overrun)
}

/// timer_delete(2). EINVAL.
pub fn delete(process: &Process, id: i32) -> Result<(), Errno> {
    let mut timers = process.timers.lock();
    let gone = timers.others.timers.remove(&id);
    timers.others.counting.remove(&id);
    drop(timers);
    gone.map(drop).ok_or(Errno::EINVAL)
}

/// An exec ends all POSIX timers; interval timers go on.
pub(crate) fn end_for_exec(process: &Process) {
    let mut timers = process.timers.lock();
    let gone = core::mem::take(&mut timers.others.timers);
    timers.others.counting.clear();
    drop(timers);
    drop(gone);
}

/// A signal was taken: if it is a timer's, it now says how often that has expired meanwhile.
#[inline]
pub(crate) fn taken(process: &Process, information: &mut ::signal::Information) {
    if let ::signal::Information::Timer { timer, overrun, .. } = information {
        *overrun = find(process, *timer).map_or(0, |timer| timer.taken());
    }
}

/// ITIMER_VIRTUAL (time in user mode) or ITIMER_PROF (all), with its signal.
fn interval_timer(process: &Arc<Process>, portion: Portion, signal: u32) -> Result<Arc<ClockTimer>, Errno> {
    let place = usize::from(portion == Portion::All);
    if let Some(timer) = &process.timers.lock().others.interval[place] {
        return Ok(timer.clone());
    }
    let clock = TimerClock::Process(Arc::downgrade(process), portion);
    let made = ClockTimer::new(-1, process, clock, Event::Interval { signal })?;
    let timer = process.timers.lock().others.interval[place].get_or_insert(made).clone();
    crate::limits::watch_processor_time(process);
    Ok(timer)
}

/// setitimer(2) of the two that count processor time: answers how it stood. ENOMEM.
pub fn set_interval(process: &Arc<Process>, portion: Portion, signal: u32, wanted: Setting) -> Result<Setting, Errno> {
    let start = (wanted.remaining != 0).then_some(Start::After(wanted.remaining));
    Ok(interval_timer(process, portion, signal)?.set(start, if start.is_some() { wanted.period } else { 0 }))
}

/// getitimer(2) of the same.
pub fn get_interval(process: &Process, portion: Portion) -> Setting {
    let timer = process.timers.lock().others.interval[usize::from(portion == Portion::All)].clone();
    timer.map_or(Setting::default(), |timer| timer.setting())
}
