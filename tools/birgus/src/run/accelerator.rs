//! Whether KVM can be trusted here.
//!
//! A host may have /dev/kvm and yet hang ordinary guests (nested virtualisation, filtered instructions), so the answer is asked of
//! a real guest: the very kernel, up to init's first message. It is remembered until the host reboots or QEMU changes.

use super::options::{Accel, MachineKind, Request};
use super::session;
use super::{Plan, qemu};
use crate::fingerprint::{self, Fingerprint};
use crate::image::initrd::{self, Additions};
use crate::image::root::Root;
use crate::paths::Paths;
use crate::{artifacts, say};
use anyhow::Result;
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::time::Duration;

/// How instructions are executed, decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    Kvm,
    Emulation,
}

/// A guest that works does so in well under a second with KVM.
const PATIENCE_KVM: Duration = Duration::from_secs(6);
/// The control: the same guest by emulation, on a host that may be busy.
const PATIENCE_EMULATION: Duration = Duration::from_secs(60);

/// KVM if a guest boots with it, else emulation.
pub fn choose(paths: &Paths, request: &Request, plan: &Plan) -> Result<Accelerator> {
    if OpenOptions::new().read(true).write(true).open("/dev/kvm").is_err() {
        return Ok(Accelerator::Emulation);
    }
    let host = host_name()?;
    let file = paths.cache_folder("host")?.join("kvm");
    let known = fs::read_to_string(&file).unwrap_or_default();
    match known.strip_prefix(&host).map(str::trim) {
        Some("works") => return Ok(Accelerator::Kvm),
        Some("fails") => return Ok(Accelerator::Emulation),
        _ => {}
    }
    let _step = say::step("finding out whether KVM works on this host");
    if boots(paths, request, plan, Accelerator::Kvm, PATIENCE_KVM)? {
        fingerprint::stamp(&file, &format!("{host} works"))?;
        return Ok(Accelerator::Kvm);
    }
    // A kernel that boots nowhere says nothing about KVM.
    if boots(paths, request, plan, Accelerator::Emulation, PATIENCE_EMULATION)? {
        fingerprint::stamp(&file, &format!("{host} fails"))?;
    }
    Ok(Accelerator::Emulation)
}

/// What the answer holds for: this boot of the host, this QEMU.
fn host_name() -> Result<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = std::env::split_paths(&path).map(|folder| folder.join(qemu::PROGRAM)).find(|file| file.is_file());
    let program = program.unwrap_or_else(|| PathBuf::from("/"));
    let metadata = fs::metadata(program)?;
    Ok(Fingerprint::default().text(&boot).text(&format!("{:?} {}", metadata.modified()?, metadata.len())).finish())
}

fn boots(paths: &Paths, request: &Request, plan: &Plan, accelerator: Accelerator, patience: Duration) -> Result<bool> {
    let init = artifacts::init(paths)?;
    let kernel = plan.kernel.clone();
    let (modules, modules_name) = (&kernel.modules, kernel.modules_name.as_str());
    let additions = Additions { init: &init, modules, modules_name, files: &[] };
    let initrd = initrd::assemble(paths, &Root::Empty, &additions)?;
    let plan = Plan { initrd, memory: 256, accelerator, kernel, clock_khz: plan.clock_khz };
    let request = Request {
        root: Root::Empty,
        smp: 1,
        machine: MachineKind::Microvm,
        accel: Accel::Auto,
        gdb: false,
        console: false,
        append: None,
        qemu: None,
        cpu: None,
        ..request.clone()
    };
    session::says_hello(&request, &plan, patience)
}
