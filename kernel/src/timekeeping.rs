//! The TSC's rate, the local APIC timer's rate, and the time of day.
use crate::command_line::CommandLine;
use crate::interrupts;
use acpi_platform::{Address, Platform};
use alloc::vec::Vec;
use arch::features::{self, Feature};
use clock::{CmosClock, Hpet, IntervalTimer, PmTimer, Reference};
use sync::Once;
use time::Clock;

/// The rate of the TSC where nothing says what it is. Programs would see time run at another speed, so it is reported.
const ASSUMED_HERTZ: u64 = 1_000_000_000;
/// How exact the TSC's rate has to be, in parts per million.
const TOLERANCE: u64 = 200;

/// The rate of the TSC that is used, once it is known.
static HERTZ: Once<u64> = Once::new();

/// The TSC's rate.
pub fn hertz() -> u64 {
    HERTZ.get().copied().unwrap_or(ASSUMED_HERTZ)
}

/// The rate of the TSC that the command line or CPUID tells.
fn told(command_line: &CommandLine) -> Option<u64> {
    let khz = command_line.number::<u64>("tsc_early_khz").filter(|&khz| khz > 0);
    khz.map(|khz| khz.saturating_mul(1000)).or_else(clock::tsc_frequency_from_cpuid)
}

/// Sets the clock going: monotonic time starts at the kernel's entry. The rate may be a guess still.
pub fn start_clock(command_line: &CommandLine, entry_tsc: u64) -> u64 {
    let hertz = told(command_line).unwrap_or(ASSUMED_HERTZ);
    if let Some(clock) = Clock::starting(hertz, entry_tsc) {
        scheduler::set_clock(clock);
    }
    hertz
}

/// Measures the TSC where nobody told its rate, and sets the time of day; answers the rate.
pub fn calibrate(hertz: u64, command_line: &CommandLine, platform: &Platform, entry_tsc: u64) -> u64 {
    let hertz = if told(command_line).is_some() { hertz } else { measure(platform, entry_tsc).unwrap_or(hertz) };
    klog::info!("tsc: {}.{:03} MHz TSC", hertz / 1_000_000, hertz / 1000 % 1000);
    let _ = HERTZ.set(hertz);
    let cmos = platform.has_clock.then(|| CmosClock::new(clock::CmosPorts, platform.century_register).read()).flatten();
    if let Some(seconds) = cmos {
        scheduler::set_realtime(time::Timespec::from_seconds(seconds));
    }
    hertz
}

fn measure(platform: &Platform, entry_tsc: u64) -> Option<u64> {
    let hpet =
        platform.event_timer.and_then(|address| Hpet::new(memory::map_device(memory::PhysicalAddress(address), 1024)?));
    let pm_timer = platform.pm_timer.and_then(|timer| match timer.address {
        Address::Port(port) => Some(PmTimer::at_port(port, timer.bits)),
        Address::Memory(address) => {
            PmTimer::in_memory(memory::map_device(memory::PhysicalAddress(address), 4)?, timer.bits)
        }
    });
    let interval = IntervalTimer::start();
    let mut references: Vec<&dyn Reference> = Vec::new();
    references.extend(hpet.as_ref().map(|hpet| hpet as &dyn Reference));
    references.extend(pm_timer.as_ref().map(|timer| timer as &dyn Reference));
    references.push(&interval);
    let found = clock::measure_with(arch::instructions::read_tsc_ordered, &references, TOLERANCE);
    let Some(found) = found else {
        klog::warning!("tsc: no reference runs; assuming {} MHz", ASSUMED_HERTZ / 1_000_000);
        return None;
    };
    scheduler::set_clock(Clock::starting(found.frequency, entry_tsc)?);
    Some(found.frequency)
}

/// Finds out how fast the local APIC's timer counts, and starts it.
pub fn start_timer(tsc_hertz: u64) {
    let Some(local) = interrupts::local() else { return };
    if features::has(Feature::TscDeadline) {
        local.use_deadline(tsc_hertz);
    } else {
        local.start_count();
        let reference = clock::CounterReference { frequency: tsc_hertz, read: arch::instructions::read_tsc_ordered };
        let found = clock::measure(|| u64::from(local.elapsed_count()), &reference, 500);
        local.use_counter(found.map_or(1_000_000_000, |found| found.frequency));
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
