//! A machine that measures: one command for each operation, and another machine when one is lost.

use super::Clock;
use super::results::{self, Outcome, Results};
use crate::artifacts;
use crate::paths::Paths;
use crate::run::kernel::{Family, Kernel};
use crate::run::linux;
use crate::run::options::{Accel, MachineKind, Request};
use crate::run::{Plan, clock};
use crate::say;
use crate::test::guest::Guest;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The package of `user/` that measures.
pub const PROGRAM: &str = "guest-bench";
/// Without the string instructions that count each of their steps (and whose microcode emulation does not have), without what
/// makes signals dear that use it not, without a fifth level of page tables.
pub const PROCESSOR: &str = "max,-erms,-fsrm,-pku,-la57";
/// Linux without what Birgus does not do either.
pub const TUNED: &str = "norandmaps mitigations=off init_on_alloc=0 init_on_free=0 apparmor=0 lsm= audit=0 \
    randomize_kstack_offset=off";
/// What either must not do, so that emulation need not translate everything anew in each process.
pub const SAME_ADDRESSES: &str = "norandmaps";
/// MiB.
const MEMORY: u64 = 2048;

/// How to measure.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    pub clock: Clock,
    pub smp: u16,
    /// Seconds.
    pub patience: u64,
    /// Runs on each kernel, by the clock on the wall.
    pub pairs: usize,
    /// Linux with the options that make it fastest.
    pub tuned: bool,
}

/// A kernel to be measured.
pub struct Bench<'a> {
    paths: &'a Paths,
    kernel: Kernel,
    request: Request,
    patience: u64,
    guest: Option<Guest>,
    /// Where QEMU's plugin writes its counts.
    counts: Counts,
}

impl<'a> Bench<'a> {
    /// Finds the kernel: ours, or another.
    pub fn new(paths: &'a Paths, conditions: Conditions, kernel: Option<PathBuf>) -> Result<Self> {
        let mut request = request(kernel);
        request.icount = conditions.clock == Clock::Instructions;
        request.smp = if request.icount { 1 } else { conditions.smp };
        let kernel = find(paths, &request)?;
        let tuned = kernel.family == Family::Linux && conditions.tuned;
        request.append = Some(if tuned { TUNED } else { SAME_ADDRESSES }.into());
        let counts = Counts::new(paths);
        if request.icount {
            let plugin = artifacts::plugin(paths)?;
            request.qemu = Some(format!("-plugin {},count={}", plugin.display(), counts.file.display()));
        }
        Ok(Self { paths, kernel, request, patience: conditions.patience, guest: None, counts })
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
        self.end();
        Ok(results)
    }

    /// Ends the machine; the next operation starts another.
    pub fn end(&mut self) {
        self.guest = None;
    }

    /// What an operation costs.
    pub fn outcome(&mut self, name: &str) -> Result<Outcome> {
        let what = if self.request.icount { "settle" } else { "run" };
        let text = match self.say(&[PROGRAM_PATH, what, name])? {
            Ok(text) => text,
            Err(why) => return Ok(Outcome::Failed(why)),
        };
        let Some((line, mut outcome)) = text.lines().find_map(|line| Some((line, results::row(line)?))) else {
            return Ok(Outcome::Failed(format!("it said: {}", text.trim())));
        };
        if outcome.0 != name {
            return Ok(Outcome::Failed(format!("it said: {line}")));
        }
        if let (Outcome::Cost(cost), Some(count)) = (&mut outcome.1, results::operations(line)) {
            cost.charged = Some(cost.mean + self.counts.left_behind()? as f64 / count as f64);
        }
        Ok(outcome.1)
    }

    /// What kind of kernel and machine this is.
    pub fn about(&mut self) -> Result<String> {
        let version = match self.say(&["uname", "-srvm"])? {
            Ok(version) => version,
            Err(why) => bail!("{} does not get as far as its first command: {why}", self.kernel.image.display()),
        };
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

/// The file that QEMU's plugin writes: a line for each time that the guest stood still.
struct Counts {
    file: PathBuf,
}

impl Counts {
    fn new(paths: &Paths) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self { file: paths.target.join(format!("bench.{}.{number}", std::process::id())) }
    }

    /// Instructions that were executed for batches that were over: what the first standstill has more than the second.
    fn left_behind(&self) -> Result<u64> {
        let text = std::fs::read_to_string(&self.file).context("QEMU counted nothing (does it support plugins?)")?;
        more_than_housekeeping(&text).context("QEMU counted nothing between the marks")
    }
}

impl Drop for Counts {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn more_than_housekeeping(text: &str) -> Option<u64> {
    let mut last = text.lines().rev().map(str::parse::<u64>);
    let (second, first) = (last.next()?.ok()?, last.next()?.ok()?);
    Some(first.saturating_sub(second))
}

/// Where the program is in the machine.
pub const PROGRAM_PATH: &str = "/tests/guest-bench";

/// The kernel of a request, as the ELF file that the PVH note starts: a compressed Linux would unpack itself first.
pub fn find(paths: &Paths, request: &Request) -> Result<Kernel> {
    let is_debians = request.kernel.as_ref().is_some_and(|name| name.as_os_str() == "linux");
    let found = Kernel::find(paths, request);
    let mut kernel = if is_debians {
        found.context(
            "Debian's kernel is fetched once, by apt, as package linux-image-amd64. Without a network: install that package and give \
             its /boot/vmlinuz-… by --vs, or compare with --vs recorded",
        )?
    } else {
        found?
    };
    if kernel.family == Family::Linux {
        kernel.image = linux::uncompressed(paths, &kernel.image)?;
    }
    Ok(kernel)
}

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
    Guest::start(request, &plan(paths, request, kernel)?)
}

/// All that it takes.
pub fn plan(paths: &Paths, request: &Request, kernel: &Kernel) -> Result<Plan> {
    let files = [(PROGRAM.to_owned(), artifacts::program(paths, PROGRAM)?)];
    Plan::of_kernel(paths, request, kernel.clone(), clock::Measurement::start(), &files)
}

pub fn emulator() -> Result<String> {
    let text = crate::program::Program::new(crate::run::qemu::PROGRAM).arg("--version").text()?;
    let version = text.lines().next().unwrap_or_default();
    Ok(version.replace("emulator version ", "").split(" (").next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::more_than_housekeeping;

    #[test]
    fn what_is_left_behind_is_the_first_of_the_last_two() {
        assert_eq!(more_than_housekeeping("9\n9\n5000\n1200\n"), Some(3800));
        assert_eq!(more_than_housekeeping("5\n7\n"), Some(0), "housekeeping is not always the same");
        assert_eq!(more_than_housekeeping("5\n"), None);
        assert_eq!(more_than_housekeeping("x\n5\n"), None);
    }
}
