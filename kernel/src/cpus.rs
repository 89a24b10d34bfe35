//! The CPUs, and the start of all but the first.
use crate::interrupts;
use alloc::vec::Vec;
use arch::CpuSet;
use core::ops::Range;
use sync::Once;

static APIC_IDS: Once<Vec<u32>> = Once::new();

/// Local APIC identifier of CPU `cpu`.
pub fn apic_id(cpu: usize) -> Option<u32> {
    APIC_IDS.get()?.get(cpu).copied()
}

/// Says which CPUs there are, by their local APICs, the first one first.
pub fn set_apic_ids(identifiers: Vec<u32>) {
    let _ = APIC_IDS.set(identifiers);
}

/// Flushes on other CPUs, as memory management needs them.
pub struct RemoteFlush;

impl memory::tlb::Remote for RemoteFlush {
    fn flush(&self, cpus: &CpuSet, range: Range<usize>) {
        scheduler::call(cpus, &scheduler::Request::Flush(range));
    }
}

/// Starts the CPUs beyond the first, one after another; those that do not come are reported and left out.
pub fn start_others(page: Option<u64>) {
    let count = scheduler::cpu_count();
    for number in 1..count {
        let (Some(page), Some(local), Some(identifier)) = (page, interrupts::local(), apic_id(number)) else {
            klog::error!("CPU {number} cannot be started: no free page below 640 KiB");
            return;
        };
        let target = apic::Target::One(identifier);
        let kick = || {
            local.send_init(target);
            crate::timekeeping::delay(10_000_000);
            for _ in 0..2 {
                local.send_start_up(target, (page >> 12) as u8);
                crate::timekeeping::delay(200_000);
            }
        };
        let deadline = sync::now() + 1_000_000_000;
        let wait = || {
            core::hint::spin_loop();
            sync::now() < deadline
        };
        if !boot::start_secondary(number as u32, identifier, page, secondary_main, kick, wait) {
            klog::error!("CPU {number} (APIC {identifier}) did not start");
        }
    }
}

/// What the other CPUs run.
fn secondary_main() -> ! {
    interrupts::start_this_cpu();
    if let Some(local) = interrupts::local() {
        local.start_timer(interrupts::TIMER);
    }
    memory::tlb::cpu_online(arch::cpu::id());
    scheduler::become_idle_thread();
    arch::cpu::interrupts_restore();
    scheduler::watchdog::start_on_this_cpu();
    scheduler::idle()
}
