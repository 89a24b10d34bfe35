//! /proc and /sys: the views' sources, and what the kernel itself adds.
use crate::{contexts, cpus, interrupts, kernel_log, marks, panic, rootfs, softirqs, timekeeping, trial_work};
use abi::Errno;
use abi::file::DeviceNumber;
use alloc::format;
use alloc::sync::Arc;
use core::fmt::Write;
use procfs::{Listing, Node, attribute, number};
use sync::Once;

static SYSTEM: Once<Arc<Listing>> = Once::new();

/// The CPUs' own vectors as Linux names them.
const OWN_VECTORS: [(&str, &str, u8); 4] = [
    ("LOC", "Local timer interrupts", interrupts::TIMER),
    ("SPU", "Spurious interrupts", apic::SPURIOUS_VECTOR),
    ("RES", "Rescheduling interrupts", interrupts::RESCHEDULE),
    ("CAL", "Function call interrupts", interrupts::REMOTE_CALL),
];

/// Makes both mountable.
///
/// # Errors
/// EEXIST.
pub fn register(root: &rootfs::Root, command_line: &'static [u8]) -> Result<(), Errno> {
    let trees = views::register(views::Sources {
        vfs: root.vfs.clone(),
        namespace: root.namespace.clone(),
        command_line,
        tsc_hertz: timekeeping::hertz(),
        apic_id: cpus::apic_id,
        interrupts: interrupts::lines(),
        own_vectors: &OWN_VECTORS,
        softirqs: softirqs::all(),
    })?;
    let set_timeout = |seconds| {
        panic::set_timeout(seconds as i32);
        Ok(())
    };
    let timeout = number(i64::from(i32::MIN)..=i64::from(i32::MAX), || i64::from(panic::timeout()), set_timeout);
    trees.proc.below("sys/kernel")?.add("panic", timeout)?;
    let name =
        |output: &mut procfs::Output| terminals::console().map_or(Ok(()), |line| writeln!(output, "{}", line.name()));
    trees.sys.below("class/tty/console")?.add("active", attribute(name))?;
    kernel_log::register_view(&trees.proc)?;
    marks::register(&trees.sys)?;
    let debug = trees.sys.below("kernel/debug/birgus")?;
    contexts::register(&debug)?;
    softirqs::register_views(&debug)?;
    trial_work::register_views(&debug)?;
    let _ = SYSTEM.set(trees.sys);
    Ok(())
}

/// Shows a device under its class and its number. (Linux has it below its bus, and links there.)
///
/// # Errors
/// EEXIST.
pub fn add_device(class: &str, name: &str, number: DeviceNumber) -> Result<(), Errno> {
    let Some(system) = SYSTEM.get() else { return Ok(()) };
    let (major, minor) = (number.major, number.minor);
    let folder = system.below(&format!("devices/virtual/{class}/{name}"))?;
    folder.add("dev", attribute(move |output| writeln!(output, "{major}:{minor}")))?;
    folder.add(
        "uevent",
        attribute({
            let name = alloc::string::String::from(name);
            move |output| writeln!(output, "MAJOR={major}\nMINOR={minor}\nDEVNAME={name}")
        }),
    )?;
    let link = Node::symlink(format!("../../devices/virtual/{class}/{name}").as_bytes());
    system.below(&format!("class/{class}"))?.add(name, link.clone())?;
    system.below("dev/char")?.add(&format!("{major}:{minor}"), link)
}

/// Adds a file to a device's folder.
///
/// # Errors
/// EEXIST.
pub fn add_attribute(class: &str, device: &str, name: &str, node: Node) -> Result<(), Errno> {
    let Some(system) = SYSTEM.get() else { return Ok(()) };
    system.below(&format!("devices/virtual/{class}/{device}"))?.add(name, node)
}

/// Takes all of a device away.
pub fn remove_device(class: &str, name: &str, number: DeviceNumber) {
    let Some(system) = SYSTEM.get() else { return };
    let places = [
        ("dev/char", format!("{}:{}", number.major, number.minor)),
        (&*format!("class/{class}"), name.into()),
        (&*format!("devices/virtual/{class}"), name.into()),
    ];
    for (folder, entry) in places {
        if let Ok(folder) = system.below(folder) {
            let _ = folder.remove(&entry);
        }
    }
}
