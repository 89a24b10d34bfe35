//! Start-up, in order.
use crate::command_line::{self, CommandLine};
use crate::marks::Phase;
use crate::{
    console, console_device, cpus, devices, entropy, hardware, interrupts, lockups, marks, panic, ports, provoke,
    ram_disk, random_device, rootfs, softirqs, system_tree, timekeeping, traps, vdso,
};
use acpi_platform::Platform;
use alloc::boxed::Box;
use alloc::vec::Vec;
use boot::Information;

/// Where the start-up code hands over, with memory and the first CPU in order.
pub fn main(information: Information) -> ! {
    marks::begin(information.entry_tsc);
    klog::set_console(&console::write);
    trap::register(&traps::TrapHooks);
    let command_line = CommandLine::parse(information.command_line);
    log_options(&command_line);
    klog::info!("Linux version 6.6.0-birgus (Birgus {})", env!("CARGO_PKG_VERSION"));
    klog::info!("Command line: {}", core::str::from_utf8(information.command_line).unwrap_or("(not UTF-8)"));
    log_words(&command_line);
    log_memory(&information);
    memory::set_kernel_space();
    let ram: Vec<_> = information.ram().collect();
    memory::device::set_ram(&ram);
    memory::tlb::cpu_online(0);
    marks::end(Phase::Memory);
    let hertz = timekeeping::start_clock(&command_line, information.entry_tsc);
    let platform = hardware::discover(&information);
    marks::end(Phase::Acpi);
    start_cpus(&information, &command_line, &platform, hertz);
    marks::end(Phase::Cpus);
    klog::info!("cycles from entry {}", arch::instructions::read_tsc() - information.entry_tsc);
    task::start_init(move || finish(information, command_line, platform)).expect("no memory for PID 1");
    scheduler::idle()
}

fn log_options(command_line: &CommandLine) {
    let usual = [("quiet", 4), ("debug", 10)].into_iter().find(|(word, _)| command_line.has(word));
    klog::set_console_level(command_line.number("loglevel").unwrap_or(usual.map_or(7, |(_, level)| level)));
    if let Some(seconds) = command_line.number("panic") {
        panic::set_timeout(seconds);
    }
}

/// Names the words that do nothing here.
fn log_words(command_line: &CommandLine) {
    if command_line.without_effect().next().is_some() {
        klog::info!("Kernel parameters without effect here: {}", command_line::shown(command_line.without_effect()));
    }
    if command_line.unknown().next().is_some() {
        klog::log!(
            klog::Level::Notice,
            "Unknown kernel command line parameters \"{}\", will be passed to user space.",
            command_line::shown(command_line.unknown())
        );
    }
    if let Some(command_line::TooMany { kind, word }) = command_line.too_many() {
        panic!("Too many boot {kind} vars at `{word}'");
    }
}

fn log_memory(information: &Information) {
    for region in &information.regions {
        klog::info!(
            "BIOS-e820: [mem {:#018x}-{:#018x}] {:?}",
            region.range.start,
            region.range.end.saturating_sub(1),
            region.kind
        );
    }
    let free: usize = memory::statistics().iter().map(|zone| zone.free).sum();
    klog::info!("Memory: {}K available", free * 4);
}

fn start_cpus(information: &Information, command_line: &CommandLine, platform: &Platform, hertz: u64) {
    let identifiers = hardware::cpus_to_start(platform, command_line);
    let count = identifiers.len();
    cpus::set_apic_ids(identifiers.clone());
    scheduler::start_cpus(count, &interrupts::Chip);
    memory::zones::start_stocks(count);
    memory::counters::start_counters(count);
    memory::slab::start_magazines(count);
    memory::kernel_stack::start_kernel_stacks(count);
    memory::page_table::start_table_stocks(count);
    scheduler::become_idle_thread();
    scheduler::register(softirqs::start(count));
    interrupts::start(count, platform, identifiers);
    hardware::prepare_end(platform);
    let hertz = timekeeping::calibrate(hertz, command_line, platform, information.entry_tsc);
    timekeeping::start_timer(hertz);
    memory::tlb::register(&cpus::RemoteFlush);
    scheduler::set_remote_interrupt(Box::leak(Box::new(|cpu| interrupts::send(cpu, interrupts::REMOTE_CALL))));
    lockups::configure(command_line);
    arch::cpu::interrupts_restore();
    scheduler::watchdog::start_on_this_cpu();
    cpus::start_others(information.low_page);
}

/// The rest of start-up, where sleeping is allowed, on PID 1.
fn finish(information: Information, command_line: CommandLine, platform: Platform) -> task::Init {
    task::machine::set(&hardware::End);
    klog::admit_readers();
    entropy::start().expect("no memory for random numbers");
    task::futexes::start(scheduler::cpu_count(), arch::instructions::read_tsc() | 1);
    task::life::set_dispatch(syscall::dispatch);
    task::execute::set_randomise(!command_line.has("norandmaps"));
    vdso::start().expect("no memory for the vDSO");
    let root = rootfs::mount().expect("no memory for the root file system");
    task::kernel_threads::start(root.context_of_init()).expect("no memory for kthreadd");
    softirqs::start_threads().expect("no memory for ksoftirqd");
    task::work::start().expect("no memory for workqueues");
    rootfs::nameless_files(&root).expect("no memory for shared memory");
    syscall::set_vfs(&root.vfs);
    task::shortage::set_files(root.vfs.clone());
    syscall::paths::set_namespace(root.namespace.clone());
    system_tree::register(&root, information.command_line).expect("names in /proc and /sys are given once");
    let devices = rootfs::devices(&root).expect("no memory for /dev");
    devices::start_serial(&platform);
    console_device::register(&devices, command_line.value("console")).expect("no memory for /dev/console");
    random_device::register(&devices).expect("no memory for /dev/random");
    ports::register(devices).expect("the ports' numbers are free");
    marks::end(Phase::Files);
    devices::start(&platform, &ports::OBSERVER);
    entropy::use_device();
    marks::end(Phase::Devices);
    ram_disk::unpack(&root, &information).expect("no memory to unpack the initial RAM disk");
    marks::end(Phase::Initramfs);
    lockups::watch_tasks(&command_line);
    let init = init(&root, &command_line);
    klog::info!("Entry to init: {} cycles", arch::instructions::read_tsc() - information.entry_tsc);
    init
}

/// Programs for PID 1, in Linux's order (kernel_init in init/main.c): `/init` of the initramfs or what `rdinit=` names; what `init=`
/// names, which has to work; then the usual places.
fn init(root: &rootfs::Root, command_line: &CommandLine) -> task::Init {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let usual = ["/sbin/init", "/etc/init", "/bin/init", "/bin/sh"].map(bytes);
    task::Init {
        program: task::Program {
            first: bytes(command_line.value("rdinit").unwrap_or("/init")),
            requested: command_line.value("init").map(bytes),
            usual: usual.to_vec(),
            arguments: command_line.init_arguments().map(<[u8]>::to_vec).collect(),
            environment: command_line.init_environment().map(<[u8]>::to_vec).collect(),
        },
        context: root.context_of_init(),
        descriptors: rootfs::console(root),
        before: command_line.value("birgus.provoke").and_then(provoke::find),
        ready: marks::ready,
    }
}
