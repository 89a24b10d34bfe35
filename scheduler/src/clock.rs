//! The clock: the TSC as nanoseconds.
use sync::{Once, Preempt, Rank, SequenceLock};
use time::{Clock, Ratio, Timespec};

static CLOCK: SequenceLock<Clock, Preempt> = SequenceLock::new(
    Rank::Clock,
    Clock { rate: Ratio::ONE, base_cycles: 0, base_ns: 0, realtime_at_zero: Timespec::ZERO, tai_offset: 0 },
);

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
    CLOCK.read().realtime(arch::instructions::read_tsc())
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
