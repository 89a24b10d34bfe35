//! Starting a machine, giving it a command, and being the command's face on the host.
pub mod accelerator;
pub mod clock;
pub mod kernel;
pub mod linux;
pub mod log;
pub mod machine;
pub mod monitor;
pub mod options;
pub mod qemu;
pub mod report;
pub mod session;
pub mod streams;
pub mod terminal;

use crate::artifacts;
use crate::image::initrd::{self, Additions};
use crate::image::root::Root;
use crate::paths::Paths;
use accelerator::Accelerator;
use anyhow::{Result, ensure};
use kernel::Kernel;
use options::{Accel, Request};
use session::Outcome;
use std::path::PathBuf;

/// The status of a machine that ended without one.
pub const NO_STATUS: u8 = 125;

/// Runs the request to its end and returns the exit status.
pub fn run(paths: &Paths, request: &Request) -> Result<u8> {
    let terminal_command = request.is_interactive();
    let plan = Plan::new(paths, request)?;
    let outcome = session::run(request, &plan, terminal_command)?;
    match outcome {
        Outcome::Status(status) => Ok(status),
        Outcome::Interrupted(signal) => Ok(128_u8.saturating_add(signal)),
        Outcome::Lost(loss) => {
            report::print(&loss, &plan.kernel);
            Ok(NO_STATUS)
        }
    }
}

/// All that is needed to start a machine.
pub struct Plan {
    pub kernel: Kernel,
    pub initrd: PathBuf,
    /// MiB.
    pub memory: u64,
    pub accelerator: Accelerator,
    pub clock_khz: u64,
}

impl Plan {
    /// Builds, fetches or finds every part.
    pub fn new(paths: &Paths, request: &Request) -> Result<Self> {
        let clock = clock::Measurement::start();
        let kernel = Kernel::find(paths, request)?;
        Self::of_kernel(paths, request, kernel, clock, &[])
    }

    /// The rest for a kernel that was found already; `files` are added to the root.
    pub fn of_kernel(
        paths: &Paths,
        request: &Request,
        kernel: Kernel,
        clock: clock::Measurement,
        files: &[(String, PathBuf)],
    ) -> Result<Self> {
        qemu::check_installed()?;
        let init = artifacts::init(paths)?;
        let (modules, modules_name) = (&kernel.modules, kernel.modules_name.as_str());
        let additions = Additions { init: &init, modules, modules_name, files };
        let initrd = initrd::assemble(paths, &request.root, &additions)?;
        let memory = request.memory.unwrap_or(request.root.default_memory());
        let additional = std::fs::metadata(&initrd)?.len() - std::fs::metadata(request.root.archive(paths)?.0)?.len();
        check_memory(&request.root, request.root.unpacked(paths)? + additional, memory, &kernel)?;
        let clock_khz = if request.icount { 1_000_000 } else { clock.finish(paths)? };
        let accelerator = Accelerator::Emulation;
        let mut plan = Self { kernel, initrd, memory, accelerator, clock_khz };
        plan.accelerator = match request.accel {
            Accel::Tcg => Accelerator::Emulation,
            Accel::Kvm => Accelerator::Kvm,
            Accel::Auto if request.icount => Accelerator::Emulation,
            Accel::Auto => accelerator::choose(paths, request, &plan)?,
        };
        Ok(plan)
    }
}

/// A root lives in memory: too little is said before a machine is started that cannot unpack it.
fn check_memory(root: &Root, bytes: u64, memory: u64, kernel: &Kernel) -> Result<()> {
    let archive = bytes.div_ceil(1 << 20);
    let needed = kernel.memory_for(archive);
    ensure!(
        memory >= needed,
        "{memory} MiB of memory cannot hold the root {root} ({archive} MiB unpacked): give at least --mem {needed}M"
    );
    Ok(())
}
