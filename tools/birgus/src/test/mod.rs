//! What CI runs: stages from the fastest to the slowest, each timed, and one line of sums.

mod cases;
mod confinement;
mod count;
mod edges;
pub mod golden;
pub mod guest;
mod leftovers;
mod pool;
mod stages;

use crate::paths::Paths;
use crate::run::options::Request;
use anyhow::{Result, ensure};
use leftovers::Leftovers;
use stages::{STAGES, Stage};
use std::ops::AddAssign;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

/// What `birgus test` is asked for.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// Only the stages and guest tests whose names contain one of these
    pub names: Vec<String>,
    /// Write down Linux's answers as the expected ones of the chosen guest tests
    #[arg(long)]
    pub record: bool,
    /// Run the guest tests on this kernel: a file, or `linux` for Debian 12's
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,
    /// Use the debug build of Birgus in the guest tests
    #[arg(long)]
    pub debug: bool,
    /// Machines that run at one time [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Print the names of all stages and guest tests
    #[arg(long)]
    pub list: bool,
}

/// What a stage works with.
pub struct Context<'a> {
    pub paths: &'a Paths,
    pub options: &'a Options,
    /// What the guest tests' machines have in common.
    pub request: Request,
    /// Whether all guest tests are wanted.
    pub whole: bool,
    /// Parts of the names of cases that are wanted beside.
    pub case_names: Vec<String>,
    /// What the machines said at their ends.
    leftovers: Mutex<Leftovers>,
}

/// Counts of what passed and what did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
}

impl Tally {
    pub const PASSED: Self = Self { passed: 1, failed: 0 };
    pub const FAILED: Self = Self { passed: 0, failed: 1 };

    /// One check that found these faults, printed here.
    pub fn of_faults(faults: &[String]) -> Self {
        faults.iter().for_each(|fault| println!("    {fault}"));
        if faults.is_empty() { Self::PASSED } else { Self::FAILED }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Runs the chosen stages; status 1 if anything failed.
pub fn run(paths: &Paths, options: &Options) -> Result<u8> {
    let all = cases::load(paths)?;
    if options.list {
        STAGES.iter().for_each(|stage| println!("{:<12} {}", stage.name, stage.what));
        all.iter().for_each(|case| println!("{}", case.name()));
        return Ok(0);
    }
    let chosen: Vec<&Stage> = STAGES.iter().filter(|stage| is_chosen(stage, options)).collect();
    let is_stage = |name: &String| STAGES.iter().any(|stage| stage.name == *name);
    let case_names: Vec<String> = options.names.iter().filter(|name| !is_stage(name)).cloned().collect();
    let wants_cases = !case_names.is_empty() && all.iter().any(|case| case.matches(&case_names));
    ensure!(
        !chosen.is_empty() || wants_cases,
        "no stage and no guest test is called {}; --list prints all",
        options.names.join(" or ")
    );
    let whole = chosen.iter().any(|stage| stage.name == "guest");
    let context =
        Context { paths, options, request: pool::request(options), whole, case_names, leftovers: Mutex::default() };
    let mut sum = Tally::default();
    for stage in &STAGES {
        let wanted = chosen.iter().any(|other| other.name == stage.name) || stage.name == "guest" && wants_cases;
        if wanted {
            sum += perform(stage, &context);
        }
    }
    if let Ok(leftovers) = context.leftovers.lock() {
        leftovers.print();
    }
    println!("{} passed, {} failed", sum.passed, sum.failed);
    Ok(u8::from(sum.failed > 0))
}

fn is_chosen(stage: &Stage, options: &Options) -> bool {
    if options.record {
        return stage.name == "guest" && options.names.is_empty();
    }
    options.names.is_empty() || options.names.iter().any(|name| stage.name == *name)
}

fn perform(stage: &Stage, context: &Context<'_>) -> Tally {
    let start = Instant::now();
    println!("{}: {}", stage.name, stage.what);
    let tally = (stage.run)(context).unwrap_or_else(|error| {
        println!("    {}", format!("{error:#}").replace('\n', "\n    "));
        Tally::FAILED
    });
    let verdict = if tally.failed == 0 { "ok" } else { "FAILED" };
    println!("{}: {verdict}, {:.1} s", stage.name, start.elapsed().as_secs_f64());
    tally
}
