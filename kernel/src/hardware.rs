//! What the machine consists of, and how it is ended.
use crate::command_line::CommandLine;
use crate::{interrupts, panic};
use acpi_platform::{Platform, ReadyPowerOff, ReadyReset};
use alloc::vec::Vec;
use boot::Information;
use memory::PhysicalAddress;
use sync::Once;

/// Reads the firmware's tables.
pub fn discover(information: &Information) -> Platform {
    let platform = Platform::discover(&firmware::read, information.rsdp);
    klog::info!(
        "ACPI: {} CPUs, {} I/O APICs, {} virtio windows, {} PCI windows",
        platform.cpus.len(),
        platform.io_apics.len(),
        platform.virtio_windows.len(),
        platform.configuration_windows.len()
    );
    platform
}

/// Local APICs of the CPUs to run on, this one first, no more than `maxcpus=` and one under `nosmp`.
pub fn cpus_to_start(platform: &Platform, command_line: &CommandLine) -> Vec<u32> {
    let own = arch::features::initial_apic_id();
    let wanted = command_line.number::<usize>("maxcpus");
    let limit = if command_line.has("nosmp") { 1 } else { wanted.unwrap_or(arch::cpu_set::MAX_CPUS).max(1) };
    let others = platform.cpus.iter().filter(|cpu| cpu.enabled && cpu.apic != own).map(|cpu| cpu.apic);
    core::iter::once(own).chain(others).take(limit.min(arch::cpu_set::MAX_CPUS)).collect()
}

struct Recipes {
    power_off: Option<ReadyPowerOff>,
    reset: Option<ReadyReset>,
}

static RECIPES: Once<Recipes> = Once::new();

/// Prepares power-off and reset, so that they work in any context.
pub fn prepare_end(platform: &Platform) {
    let mut map = |address: u64, length: usize| memory::map_device(PhysicalAddress(address), length);
    let power_off = platform.power_off.as_ref().and_then(|recipe| recipe.prepare(&mut map));
    let reset = platform.reset.as_ref().and_then(|recipe| recipe.prepare(&mut map));
    let _ = RECIPES.set(Recipes { power_off, reset });
    panic::set_emergency(&Stop);
}

/// Nanoseconds after which a power-off that was asked for is taken not to work.
const GRACE: u64 = 2_000_000_000;

/// Turns the machine off, or at least stops it.
pub fn power_off() -> ! {
    if let Some(recipe) = RECIPES.get().and_then(|recipes| recipes.power_off.as_ref()) {
        recipe.perform();
        // It takes effect when the machine's other side gets to it; a reset meanwhile would be the one that counts.
        crate::timekeeping::delay(GRACE);
    }
    // A machine that cannot be turned off is reset: a virtual one, told not to come back, then ends too.
    restart()
}

/// Resets the machine.
pub fn restart() -> ! {
    Stop.reset_now();
    trap::triple_fault()
}

/// Stops this CPU and the others for good.
pub fn halt() -> ! {
    Stop.stop_all();
    loop {
        arch::instructions::disable_interrupts();
        arch::instructions::halt();
    }
}

/// How the machine is stopped in a panic.
struct Stop;

impl Stop {
    fn reset_now(&self) {
        if let Some(recipe) = RECIPES.get().and_then(|recipes| recipes.reset.as_ref()) {
            recipe.perform();
        }
    }

    fn stop_all(&self) {
        if scheduler::cpu_count() > 1
            && let Some(local) = interrupts::local()
        {
            local.send_nmi(apic::Target::AllButSelf);
        }
    }
}

impl panic::Emergency for Stop {
    fn stop_others(&self) {
        self.stop_all();
    }

    fn reset(&self) {
        self.reset_now();
    }
}

/// reboot(2)'s side of the machine.
pub struct End;

impl task::machine::Machine for End {
    fn end(&self, how: task::machine::End) -> ! {
        match how {
            task::machine::End::PowerOff => power_off(),
            task::machine::End::Restart => restart(),
            task::machine::End::Halt => halt(),
        }
    }
}
