//! Interrupts: the CPUs' own vectors, and the lines of devices.
use acpi_platform::{Platform, Wiring};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use apic::{Access, IoApic, IoApics, LocalApic, Target};
use arch::Mmio;
use arch::features::{self, Feature};
use arch::local_apic::X2Apic;
use irq::{Dispatched, Interrupts, Source};
use memory::PhysicalAddress;
use sync::Once;

/// Vectors of the CPUs' own, above those of lines.
pub const TIMER: u8 = 0xf0;
pub const REMOTE_CALL: u8 = 0xfb;
pub const RESCHEDULE: u8 = 0xfd;
pub const APIC_ERROR: u8 = 0xfe;

static LOCAL: Once<LocalApic> = Once::new();
static CHIP: Once<Arc<IoApics<Mmio, Access>>> = Once::new();
static LINES: Once<&'static Interrupts> = Once::new();

/// The local APICs. `None` until [`start`].
pub fn local() -> Option<&'static LocalApic> {
    LOCAL.get()
}

/// The lines of devices. `None` until [`start`].
pub fn lines() -> Option<&'static Interrupts> {
    LINES.get().copied()
}

/// Silences the old controllers and takes local and I/O APICs into use. `identifiers` are the CPUs' local APICs.
///
/// # Panics
/// Where there is no local APIC, or no memory for it: nothing can run then.
pub fn start(cpus: usize, platform: &Platform, identifiers: Vec<u32>) {
    if platform.has_legacy_controllers {
        apic::silence_legacy(&apic::LegacyPorts, 0x20);
    }
    let msr = features::has(Feature::X2Apic).then(X2Apic::enable).flatten();
    let access = match msr {
        Some(registers) => Access::Msr(registers),
        None => {
            let base = PhysicalAddress(arch::local_apic::base_address());
            Access::Memory(memory::map_device(base, 4096).expect("no address space for the local APIC"))
        }
    };
    let _ = LOCAL.set(LocalApic::new(access));
    start_this_cpu();
    let Some(local) = LOCAL.get() else { return };
    let units: Vec<_> = platform
        .io_apics
        .iter()
        .filter_map(|unit| IoApic::new(memory::map_device(PhysicalAddress(unit.address), 0x20)?, unit.first))
        .collect();
    let chip = Arc::new(IoApics::new(units, local, identifiers));
    let lines = Interrupts::new(cpus, chip.lines().max(16)).expect("no memory for interrupt lines");
    let _ = CHIP.set(chip);
    let _ = LINES.set(Box::leak(Box::new(lines)));
}

/// The source for a line that is wired as `wiring` says; `None` where no I/O APIC has it.
pub fn line(wiring: Wiring, number: u32, shared: bool) -> Option<Source> {
    let chip = CHIP.get()?;
    let trigger =
        if wiring.trigger == acpi_platform::Trigger::Level { apic::Trigger::Level } else { apic::Trigger::Edge };
    let polarity =
        if wiring.polarity == acpi_platform::Polarity::Low { apic::Polarity::Low } else { apic::Polarity::High };
    chip.configure(wiring.gsi, trigger, polarity).then(|| Source {
        chip: chip.clone(),
        input: wiring.gsi,
        number: Some(number),
        shared,
    })
}

/// Brings the local APIC of the CPU that runs this into use.
pub fn start_this_cpu() {
    if let Some(local) = LOCAL.get() {
        local.initialise(APIC_ERROR);
        arch::cpu::set_apic_id(local.identifier());
    }
}

/// Serves one interrupt. Hard-interrupt context.
pub fn serve(vector: u8, from_user: bool) {
    let (Some(local), Some(lines)) = (LOCAL.get(), LINES.get()) else { return };
    crate::entropy::note_interrupt(vector);
    match vector {
        TIMER => {
            lines.counts().count(vector);
            local.end_of_interrupt();
            scheduler::timer_interrupt(from_user);
        }
        RESCHEDULE => {
            lines.counts().count(vector);
            local.end_of_interrupt();
            scheduler::reschedule_interrupt();
        }
        REMOTE_CALL => {
            lines.counts().count(vector);
            local.end_of_interrupt();
            scheduler::remote_interrupt();
        }
        APIC_ERROR => {
            local.end_of_interrupt();
            klog::error!("APIC error on CPU {}: {:#x}", arch::cpu::id(), local.errors());
        }
        apic::SPURIOUS_VECTOR => lines.counts().count(vector),
        vector => match lines.dispatch(vector) {
            Dispatched::Served | Dispatched::Unhandled => {}
            Dispatched::Shut { number } => klog::error!("irq {number}: nobody cared, line shut"),
            Dispatched::Unknown => {
                local.end_of_interrupt();
                klog::warning!("unexpected interrupt vector {vector:#x}");
            }
        },
    }
}

/// Time and other CPUs, as the scheduler needs them.
pub struct Chip;

impl scheduler::Chip for Chip {
    fn arm_timer(&self, nanoseconds: u64) {
        if let Some(local) = LOCAL.get() {
            local.arm(nanoseconds.max(1));
        }
    }

    fn kick(&self, cpu: usize) {
        send(cpu, RESCHEDULE);
    }
}

/// Interrupts CPU `cpu`.
pub fn send(cpu: usize, vector: u8) {
    if let (Some(local), Some(identifier)) = (LOCAL.get(), crate::cpus::apic_id(cpu)) {
        local.send(Target::One(identifier), vector);
    }
}
