//! QEMU's command line.

use super::Plan;
use super::accelerator::Accelerator;
use super::kernel::Family;
use super::options::{MachineKind, Request};
use crate::program;
use anyhow::{Result, ensure};
use std::ffi::OsString;
use std::path::Path;

/// The emulator.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// Fails with advice when QEMU is not there.
pub fn check_installed() -> Result<()> {
    ensure!(
        program::exists(PROGRAM),
        "{PROGRAM} is not installed: `birgus doctor` prints the command that installs it"
    );
    Ok(())
}

/// The descriptors that QEMU inherits, by what is connected to them.
#[derive(Clone, Copy, Debug)]
pub struct Descriptors {
    pub serial: i32,
    pub monitor: i32,
    /// In the order of [`protocol::PORTS`].
    pub ports: [i32; 4],
}

/// The words behind QEMU's name.
pub fn arguments(
    request: &Request,
    plan: &Plan,
    descriptors: &Descriptors,
    gdb_socket: Option<&Path>,
) -> Vec<OsString> {
    let mut line = Line::default();
    line.words("-nodefaults -no-user-config -no-reboot -display none");
    line.pair("-name", "birgus");
    line.pair("-machine", machine(request.machine));
    accelerate(&mut line, request, plan.accelerator);
    line.pair("-m", &format!("{}M", plan.memory));
    line.pair("-smp", &request.smp.to_string());
    line.file("-kernel", &plan.kernel.image);
    line.file("-initrd", &plan.initrd);
    line.pair("-append", &kernel_command_line(request, plan));
    line.pair("-chardev", &format!("socket,id=serial,fd={}", descriptors.serial));
    line.pair("-serial", "chardev:serial");
    line.pair("-chardev", &format!("socket,id=monitor,fd={}", descriptors.monitor));
    line.pair("-mon", "chardev=monitor,mode=control");
    devices(&mut line, request.machine, descriptors);
    if let Some(socket) = gdb_socket {
        line.pair("-gdb", &format!("unix:{},server=on,wait=off", socket.display()));
        line.words("-S");
    }
    line.words(request.qemu.as_deref().unwrap_or_default());
    line.0
}

fn machine(kind: MachineKind) -> &'static str {
    match kind {
        MachineKind::Microvm => "microvm,acpi=on,isa-serial=on,x-option-roms=off",
        MachineKind::Q35 => "q35,smbus=off,usb=off",
    }
}

fn accelerate(line: &mut Line, request: &Request, accelerator: Accelerator) {
    match accelerator {
        Accelerator::Kvm => {
            line.pair("-accel", "kvm");
            line.pair("-cpu", request.cpu.as_deref().unwrap_or("host"));
        }
        Accelerator::Emulation => {
            if request.icount {
                line.pair("-accel", "tcg,thread=single");
                line.pair("-icount", "shift=0,sleep=off");
            } else {
                line.pair("-accel", "tcg,thread=multi");
            }
            line.pair("-cpu", request.cpu.as_deref().unwrap_or("max"));
        }
    }
}

fn devices(line: &mut Line, kind: MachineKind, descriptors: &Descriptors) {
    let bus = match kind {
        MachineKind::Microvm => {
            line.pair("-global", "virtio-mmio.force-legacy=false");
            "device"
        }
        MachineKind::Q35 => "pci",
    };
    line.pair("-device", &format!("virtio-serial-{bus},max_ports=8"));
    for (index, (name, descriptor)) in protocol::PORTS.iter().zip(descriptors.ports).enumerate() {
        line.pair("-chardev", &format!("socket,id=port{index},fd={descriptor}"));
        line.pair("-device", &format!("virtserialport,chardev=port{index},name={name},nr={}", index + 1));
    }
    line.pair("-device", &format!("virtio-rng-{bus}"));
}

fn kernel_command_line(request: &Request, plan: &Plan) -> String {
    let mut words =
        vec!["console=ttyS0".to_owned(), "panic=-1".to_owned(), format!("tsc_early_khz={}", plan.clock_khz)];
    if plan.kernel.family == Family::Linux {
        if request.machine == MachineKind::Microvm {
            // No keyboard controller to reset by; and looking for one takes seconds.
            words.push("reboot=t i8042.noaux i8042.nokbd".to_owned());
        }
        if !request.verbose {
            words.push("quiet".to_owned());
        }
    }
    words.extend(request.append.clone());
    if request.console {
        words.push("--".to_owned());
        let shell = [OsString::from("/bin/sh")];
        let command = if request.command.is_empty() { &shell[..] } else { &request.command };
        words.extend(command.iter().map(|word| quote(&word.to_string_lossy())));
    }
    words.join(" ")
}

/// A word with spaces survives the kernel's splitting only in quotes (parse_args in Linux's kernel/params.c).
fn quote(word: &str) -> String {
    if word.contains(char::is_whitespace) { format!("\"{word}\"") } else { word.to_owned() }
}

#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn words(&mut self, words: &str) {
        self.0.extend(words.split_whitespace().map(OsString::from));
    }

    fn pair(&mut self, option: &str, value: &str) {
        self.0.extend([option.into(), value.into()]);
    }

    fn file(&mut self, option: &str, path: &Path) {
        self.0.extend([option.into(), path.into()]);
    }
}
