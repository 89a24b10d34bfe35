//! A machine that measures: one command for each operation, and another machine when one is lost.

use super::results::{self, Outcome, Results};
use super::{Clock, Options};
use crate::artifacts;
use crate::paths::Paths;
use crate::run::kernel::{Family, Kernel};
use crate::run::options::{Accel, MachineKind, Request};
use crate::run::{Plan, clock};
use crate::say;
use crate::test::guest::Guest;
use anyhow::Result;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// The package of `user/` that measures.
pub const PROGRAM: &str = "guest-bench";
/// Without the string instructions that count each of their steps (and whose microcode emulation does not have), without what
/// makes signals dear that use it not, without a fifth level of page tables.
pub const PROCESSOR: &str = "max,-erms,-fsrm,-pku,-la57";
/// Linux without what Birgus does not do either.
pub const TUNED: &str = "norandmaps mitigations=off init_on_alloc=0 init_on_free=0 apparmor=0 lsm= audit=0 \
    randomize_kstack_offset=off";
/// What either must not do, so that emulation need not translate everything anew in each process.
const SAME_ADDRESSES: &str = "norandmaps";
/// MiB.
const MEMORY: u64 = 2048;

/// A kernel to be measured.
pub struct Bench<'a> {
    paths: &'a Paths,
    kernel: Kernel,
    request: Request,
    patience: u64,
    guest: Option<Guest>,
}

impl<'a> Bench<'a> {
    /// Finds the kernel: ours, or another.
    pub fn new(paths: &'a Paths, options: &Options, kernel: Option<PathBuf>) -> Result<Self> {
        let mut request = request(kernel);
        request.icount = options.clock == Clock::Instructions;
        request.smp = if request.icount { 1 } else { options.smp };
        let kernel = Kernel::find(paths, &request)?;
        request.append =
            Some(if kernel.family == Family::Linux && !options.untuned { TUNED } else { SAME_ADDRESSES }.into());
        Ok(Self { paths, kernel, request, patience: options.patience, guest: None })
    }

    /// Measures operations until `stop`.
    pub fn measure(&mut self, names: &[String], stop: &AtomicBool) -> Result<Results> {
        let mut results = Results { about: self.about()?, rows: Vec::new() };
        for name in names {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let _step = say::step(format!("{:?}: {name}", self.kernel.family));
            results.rows.push((name.clone(), self.outcome(name)?));
        }
        self.guest = None;
        Ok(results)
    }

    fn outcome(&mut self, name: &str) -> Result<Outcome> {
        let text = match self.say(&[PROGRAM_PATH, "run", name])? {
            Ok(text) => text,
            Err(why) => return Ok(Outcome::Failed(why)),
        };
        let row = text.lines().filter_map(results::row).find(|(known, _)| known == name);
        Ok(row.map_or_else(|| Outcome::Failed(format!("it said: {}", text.trim())), |(_, outcome)| outcome))
    }

    /// What kind of kernel and machine this is.
    fn about(&mut self) -> Result<String> {
        let version = self.say(&["uname", "-srvm"])?.unwrap_or_default();
        let append = self.request.append.as_deref().unwrap_or_default();
        let clock = if self.request.icount { "-icount shift=0,sleep=off" } else { "thread=multi" };
        Ok(format!(
            "{:?}: {} on q35 of {}, {MEMORY} MiB, {} processor(s), tcg {clock}, -cpu {PROCESSOR}, {append}",
            self.kernel.family,
            version.trim(),
            emulator()?,
            self.request.smp
        ))
    }

    /// What a command says; or why it was lost, and the machine with it.
    fn say(&mut self, command: &[&str]) -> Result<std::result::Result<String, String>> {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let guest = match &mut self.guest {
            Some(guest) => guest,
            None => self.guest.insert(start(self.paths, &self.request, &self.kernel)?),
        };
        match guest.run(&command, "", self.patience)? {
            Ok(answer) => Ok(Ok(String::from_utf8_lossy(&[answer.stdout, answer.stderr].concat()).into_owned())),
            Err(loss) => {
                self.guest = None;
                Ok(Err(loss.headline()))
            }
        }
    }
}

/// Where the program is in the machine.
pub const PROGRAM_PATH: &str = "/tests/guest-bench";

/// The machine that both kernels are measured on.
pub fn request(kernel: Option<PathBuf>) -> Request {
    Request {
        root: crate::image::root::Root::Busybox,
        smp: 1,
        memory: Some(MEMORY),
        machine: MachineKind::Q35,
        accel: Accel::Tcg,
        append: Some(SAME_ADDRESSES.to_owned()),
        kernel,
        modules: None,
        debug: false,
        timeout: None,
        stall: 0,
        verbose: false,
        tty: false,
        console: false,
        gdb: false,
        icount: true,
        cpu: Some(PROCESSOR.to_owned()),
        qemu: None,
        log: None,
        command: Vec::new(),
    }
}

/// Starts a machine with the program in its root.
pub fn start(paths: &Paths, request: &Request, kernel: &Kernel) -> Result<Guest> {
    let files = [(PROGRAM.to_owned(), artifacts::program(paths, PROGRAM)?)];
    let plan = Plan::of_kernel(paths, request, kernel.clone(), clock::Measurement::start(), &files)?;
    Guest::start(request, &plan)
}

pub fn emulator() -> Result<String> {
    let text = crate::program::Program::new(crate::run::qemu::PROGRAM).arg("--version").text()?;
    let version = text.lines().next().unwrap_or_default();
    Ok(version.replace("emulator version ", "").split(" (").next().unwrap_or_default().to_owned())
}
