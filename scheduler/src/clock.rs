//! The clock: the TSC as nanoseconds.
use sync::{Preempt, Rank, SequenceLock};
use time::{Clock, Ratio, Timespec};

static CLOCK: SequenceLock<Clock, Preempt> = SequenceLock::new(
    Rank::Leaf,
    Clock { rate: Ratio::ONE, base_cycles: 0, base_ns: 0, realtime_at_zero: Timespec::ZERO, tai_offset: 0 },
);

/// Sets the clock going, once its rate is known.
pub fn set_clock(clock: Clock) {
    CLOCK.write(|current| *current = clock);
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
    CLOCK.write(|clock| match clock.with_realtime(time, arch::instructions::read_tsc()) {
        Some(changed) => {
            *clock = changed;
            true
        }
        None => false,
    })
}
