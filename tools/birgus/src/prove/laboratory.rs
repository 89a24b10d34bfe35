//! A machine that experiments are made on: one command for each, and another machine when one is lost.

use super::Options;
use crate::artifacts;
use crate::bench::machine::{PROCESSOR, request};
use crate::paths::Paths;
use crate::run::kernel::Kernel;
use crate::run::options::Request;
use crate::run::report::details;
use crate::run::{Plan, clock};
use crate::say;
use crate::test::guest::{Ending, Guest};
use anyhow::{Result, anyhow};
use evidence::{Observable, Outcome, Report};

/// The package of `user/` that holds the experiments.
pub const PROGRAM: &str = "guest-prove";
/// Where it is in the machine.
const PROGRAM_PATH: &str = "/tests/guest-prove";
/// MiB.
const MEMORY: u64 = 512;
/// Seconds of the machine's own clock that an experiment may take. Where that counts instructions, they are a billion each.
const INSIDE: [(Observable, &str); 2] = [(Observable::OneProcessor, "10"), (Observable::TwoProcessors, "60")];

/// Machines of one kind.
pub struct Laboratory<'a> {
    paths: &'a Paths,
    kernel: Kernel,
    request: Request,
    kind: Observable,
    patience: u64,
    falsify: bool,
    guest: Option<Guest>,
}

impl<'a> Laboratory<'a> {
    /// Finds the kernel.
    pub fn new(paths: &'a Paths, options: &Options, kind: Observable) -> Result<Self> {
        let mut request = request(options.kernel.clone());
        request.icount = kind == Observable::OneProcessor;
        request.smp = if request.icount { 1 } else { options.smp };
        request.memory = Some(MEMORY);
        let kernel = Kernel::find(paths, &request)?;
        Ok(Self { paths, kernel, request, kind, patience: options.patience, falsify: options.falsify, guest: None })
    }

    /// What kind of kernel and machine this is. The first thing to be asked: a kernel that does not boot is found out here.
    pub fn about(&mut self) -> Result<String> {
        let _step = say::step(format!("starting {:?}", self.kernel.family));
        let version = match self.say(&["uname", "-srvm"])? {
            Ok(answer) => String::from_utf8_lossy(&answer.stdout).trim().to_owned(),
            Err(loss) => {
                details(&loss, &self.kernel).iter().for_each(|line| eprintln!("{line}"));
                let image = self.kernel.image.display();
                return Err(anyhow!("the kernel {image} did not boot: {}", loss.headline()));
            }
        };
        let clock = if self.request.icount { "a nanosecond an instruction" } else { "by the clock on the wall" };
        let processors =
            if self.request.smp == 1 { "1 processor".to_owned() } else { format!("{} processors", self.request.smp) };
        Ok(format!(
            "{version}; q35 of {}, {MEMORY} MiB, {processors}, {clock}, -cpu {PROCESSOR}",
            crate::bench::machine::emulator()?
        ))
    }

    /// Makes an experiment.
    pub fn tried(&mut self, name: &str) -> Result<Outcome> {
        let _step = say::step(format!("{:?}: {name}", self.kernel.family));
        let inside = INSIDE.iter().find(|(kind, _)| *kind == self.kind).map_or("60", |(_, seconds)| seconds);
        let mut command = vec![PROGRAM_PATH, "run", "--patience", inside, name];
        if self.falsify {
            command.insert(2, "--falsify");
        }
        let answer = match self.say(&command)? {
            Ok(answer) => answer,
            Err(loss) => return Ok(Outcome::Lost(format!("it took the machine with it: {}", loss.headline()))),
        };
        let report = String::from_utf8_lossy(&answer.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<Report>(line).ok())
            .find(|report| report.name == name);
        let said =
            || String::from_utf8_lossy(&[answer.stdout.clone(), answer.stderr.clone()].concat()).trim().to_owned();
        Ok(report.map_or_else(|| Outcome::Lost(format!("it said: {}", said())), |report| report.outcome))
    }

    /// What a command says; or why it was lost, and the machine with it.
    fn say(&mut self, command: &[&str]) -> Result<Ending> {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        if self.guest.is_none() {
            let files = [(PROGRAM.to_owned(), artifacts::program(self.paths, PROGRAM)?)];
            let start = clock::Measurement::start();
            let plan = Plan::of_kernel(self.paths, &self.request, self.kernel.clone(), start, &files)?;
            self.guest = Some(Guest::start(&self.request, &plan)?);
        }
        let Some(guest) = &mut self.guest else { unreachable!("it was just started") };
        let ending = guest.run(&command, "", self.patience)?;
        if ending.is_err() {
            self.guest = None;
        }
        Ok(ending)
    }
}
