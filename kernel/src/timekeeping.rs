//! The TSC's rate, the local APIC timer's rate, and the time of day.
use crate::command_line::CommandLine;
use crate::interrupts;
use arch::features::{self, Feature};
use time::Clock;

/// The rate of the TSC where nothing says what it is. Programs would see time run at another speed, so it is reported.
const ASSUMED_HERTZ: u64 = 1_000_000_000;
/// How long the local APIC timer is measured against the TSC, in nanoseconds.
const MEASURE: u64 = 2_000_000;

/// Sets the clock going: monotonic time starts at the kernel's entry.
pub fn start_clock(command_line: &CommandLine, entry_tsc: u64) -> u64 {
    let given = command_line.value("tsc_early_khz").and_then(|text| text.parse::<u64>().ok()).filter(|&khz| khz > 0);
    let hertz = match given {
        Some(khz) => khz.saturating_mul(1000),
        None => {
            klog::warning!("tsc: no rate given; assuming {} MHz", ASSUMED_HERTZ / 1_000_000);
            ASSUMED_HERTZ
        }
    };
    if let Some(clock) = Clock::starting(hertz, entry_tsc) {
        scheduler::set_clock(clock);
    }
    hertz
}

/// Finds out how fast the local APIC's timer counts, and starts it.
pub fn start_timer(tsc_hertz: u64) {
    let Some(local) = interrupts::local() else { return };
    if features::has(Feature::TscDeadline) {
        local.use_deadline(tsc_hertz);
    } else {
        local.start_count();
        let begin = sync::now();
        delay(MEASURE);
        let (count, passed) = (u64::from(local.elapsed_count()), sync::now() - begin);
        local.use_counter((count * 1_000_000_000).checked_div(passed).unwrap_or(0).max(1));
    }
    local.start_timer(interrupts::TIMER);
}

/// Waits by looking at the clock: for the few waits of start-up that hardware prescribes, before there are threads.
pub fn delay(nanoseconds: u64) {
    let end = sync::now() + nanoseconds;
    while sync::now() < end {
        core::hint::spin_loop();
    }
}
