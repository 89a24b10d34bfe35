//! What operations cost, here and on Linux.
//!
//! `user/bench` measures inside the machine, one operation a command; this side boots machines, gives the commands, keeps time,
//! compares. Two clocks: *instructions*, where QEMU's `-icount` makes a nanosecond of the guest an instruction, on one processor,
//! the same each time; and *wall*, for which both kernels run in turn and the median counts.
//!
//! The clock of instructions goes on while the machine idles: QEMU then moves it to the next timer at once. An operation that waits
//! for nobody but its own processes never idles; where one did (a kernel that leaves work to a timer), the wait counts in full,
//! so nothing gets cheaper by being put off. What is done behind a batch falls into the next: the mean of the batches shows it, and
//! rows whose mean is more than a twentieth above the least are marked.

mod choose;
mod compare;
mod document;
mod html;
pub mod machine;
mod report;
mod results;

use crate::artifacts;
use crate::paths::Paths;
use crate::program::Program;
use crate::say;
use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use compare::Comparison;
use machine::Bench;
use results::Results;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Debian's Linux, measured once; its head says where.
const RECORDED: &str = include_str!("linux-6.1.txt");
/// Runs of each kernel by the clock on the wall.
const PAIRS: usize = 7;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Clock {
    /// Instructions, by QEMU's counter; one processor
    Instructions,
    /// Nanoseconds; both kernels in turn, the median of seven runs
    Wall,
}

/// What `birgus bench` is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// Operations, as --list names them [default: all but those that grow]
    pub names: Vec<String>,
    /// What is counted
    #[arg(long, value_enum, default_value = "instructions")]
    pub clock: Clock,
    /// With what to compare: `recorded` figures of Debian's Linux, `linux` itself, `none`, a kernel, or results kept by --json
    #[arg(long, value_name = "WHAT", default_value = "recorded")]
    pub vs: String,
    /// Linux as Debian ships it, not tuned
    #[arg(long)]
    pub untuned: bool,
    /// Also the operations that grow
    #[arg(long)]
    pub growth: bool,
    /// Processors, for the clock on the wall
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub smp: u16,
    /// Seconds that an operation may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub patience: u64,
    /// Keep the results in this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the comparison as a page that stands alone
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Status 1 if the geometric mean of the ratios is above this
    #[arg(long, value_name = "RATIO")]
    pub fail_above: Option<f64>,
    /// Write the report to docs/benchmarks.md
    #[arg(long)]
    pub document: bool,
    /// Keep Linux's figures as the recorded ones (with --vs linux)
    #[arg(long, hide = true)]
    pub record: bool,
    /// Print the names of all operations
    #[arg(long)]
    pub list: bool,
}

/// Measures, prints, keeps; the exit status.
pub fn run(paths: &Paths, options: &Options) -> Result<u8> {
    let known = operations(paths)?;
    if options.list {
        known.iter().for_each(|name| println!("{name}"));
        return Ok(0);
    }
    let names = choose::choose(&known, &options.names, options.growth)?;
    let comparison = measure(paths, options, &names)?;
    print!("{}", report::table(&comparison));
    if let Some(file) = &options.json {
        std::fs::write(file, report::json(&comparison)?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = &options.html {
        document::write_page(paths, &comparison, file)?;
    }
    if options.document {
        document::write(paths, &comparison)?;
    }
    let mean = comparison.geometric_mean();
    let failed = options.fail_above.is_some_and(|most| mean.is_none_or(|mean| mean > most));
    Ok(u8::from(failed || comparison.interrupted))
}

/// The names of all operations, from the program itself: it is an ordinary one.
pub fn operations(paths: &Paths) -> Result<Vec<String>> {
    let program = artifacts::program(paths, machine::PROGRAM)?;
    let text = Program::new(&program.display().to_string()).arg("list").text()?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn measure(paths: &Paths, options: &Options, names: &[String]) -> Result<Comparison> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second time ends it at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let other = match options.vs.as_str() {
        "none" => None,
        "recorded" if options.clock == Clock::Wall => None,
        "recorded" => Some(Other::Results(Results::parse(RECORDED))),
        name if name.ends_with(".json") => Some(Other::Results(report::read(Path::new(name))?)),
        name => Some(Other::Kernel(PathBuf::from(name))),
    };
    ensure!(
        !options.record || options.vs == "linux" && options.clock == Clock::Instructions,
        "--record keeps what --vs linux counts in instructions"
    );
    let mut ours = Bench::new(paths, options, None)?;
    let mut comparison = Comparison { clock: options.clock, ..Comparison::default() };
    match other {
        Some(Other::Kernel(kernel)) => {
            let mut theirs = Bench::new(paths, options, Some(kernel))?;
            let (here, there) = in_turn(&mut ours, &mut theirs, options, names, &stop)?;
            if options.record && !stop.load(Ordering::Relaxed) {
                document::record(paths, &there)?;
            }
            (comparison.ours, comparison.theirs) = (here, Some(there));
        }
        other => {
            comparison.ours = repeated(&mut ours, options, names, &stop)?;
            comparison.theirs = other.map(|other| match other {
                Other::Results(results) => results,
                Other::Kernel(_) => Results::default(),
            });
        }
    }
    comparison.interrupted = stop.load(Ordering::Relaxed);
    if comparison.interrupted {
        say::line("interrupted: what follows is what was measured until then");
    }
    Ok(comparison)
}

/// With what to compare.
enum Other {
    Results(Results),
    Kernel(PathBuf),
}

fn runs(options: &Options) -> usize {
    if options.clock == Clock::Wall { PAIRS } else { 1 }
}

fn repeated(ours: &mut Bench<'_>, options: &Options, names: &[String], stop: &AtomicBool) -> Result<Results> {
    let mut all = Vec::new();
    for _ in 0..runs(options) {
        if !stop.load(Ordering::Relaxed) {
            all.push(ours.measure(names, stop)?);
        }
    }
    Ok(results::median(&all))
}

/// Both kernels in turn, so that what else the host does hits both.
fn in_turn<'a>(
    ours: &mut Bench<'a>,
    theirs: &mut Bench<'a>,
    options: &Options,
    names: &[String],
    stop: &AtomicBool,
) -> Result<(Results, Results)> {
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for _ in 0..runs(options) {
        for (bench, all) in [(&mut *ours, &mut here), (&mut *theirs, &mut there)] {
            if !stop.load(Ordering::Relaxed) {
                all.push(bench.measure(names, stop)?);
            }
        }
    }
    Ok((results::median(&here), results::median(&there)))
}
