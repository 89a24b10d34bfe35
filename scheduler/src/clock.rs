//! The clock: the TSC as nanoseconds.
use sync::{InterruptsOff, Once, Rank, SequenceLock};
use time::{Clock, Timespec};

// Interrupts read the clock: one that came between a writer's two steps on the same CPU would wait for itself.
static CLOCK: SequenceLock<Clock, InterruptsOff> = SequenceLock::new(Rank::Clock, Clock::UNKNOWN);

static PUBLISH: Once<fn(&Clock)> = Once::new();

/// Says who shows the clock to programs; called at once and after each change, one at a time, without sleeping.
pub fn publish_to(publish: fn(&Clock)) {
    let _ = PUBLISH.set(publish);
    change(|_| ());
}

fn change<R>(body: impl FnOnce(&mut Clock) -> R) -> R {
    CLOCK.write(|clock| {
        let answer = body(clock);
        if let Some(publish) = PUBLISH.get() {
            publish(clock);
        }
        answer
    })
}

/// Sets the clock going, once its rate is known.
pub fn set_clock(clock: Clock) {
    change(|current| *current = clock);
}

/// The clock's parameters, for the vDSO's page.
pub fn clock() -> Clock {
    CLOCK.read()
}

/// Nanoseconds since boot.
#[inline]
pub(crate) fn now() -> u64 {
    CLOCK.read().monotonic_ns(arch::instructions::read_tsc())
}

/// What CLOCK_REALTIME shows.
pub fn realtime() -> Timespec {
    CLOCK.read().realtime(arch::instructions::read_tsc()).to_timespec()
}

/// What CLOCK_REALTIME_COARSE shows.
pub fn realtime_coarse() -> Timespec {
    CLOCK.read().realtime(arch::instructions::read_tsc()).to_coarse()
}

/// What CLOCK_MONOTONIC_COARSE shows.
pub fn monotonic_coarse() -> Timespec {
    CLOCK.read().monotonic(arch::instructions::read_tsc()).to_coarse()
}

/// Sets CLOCK_REALTIME; false where the time cannot be represented.
pub fn set_realtime(time: Timespec) -> bool {
    change(|clock| match clock.with_realtime(time, arch::instructions::read_tsc()) {
        Some(changed) => {
            *clock = changed;
            true
        }
        None => false,
    })
}
