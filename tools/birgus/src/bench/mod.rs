//! What operations cost, here and on Linux.
//!
//! `user/bench` measures inside the machine, one operation a command; this side boots machines, gives the commands, keeps time,
//! compares. Two clocks: *instructions*, where QEMU's `-icount` makes a nanosecond of the guest an instruction, on one processor,
//! the same each time; and *wall*, for which both kernels run in turn and the middle of the pairs counts (`wall`).
//!
//! The clock of instructions goes on while the machine idles: QEMU then moves it to the next timer at once. An operation that waits
//! for nobody but its own processes never idles; where one did (a kernel that leaves work to a timer), the wait counts in full.
//! What is done behind a batch would escape: callbacks after a grace period, threads of the kernel's, what an idle processor finds to
//! do. So the program sleeps behind its batches for as long as such work takes, and then as long again, and a plugin of QEMU's counts
//! what the machine executes in either sleep. The difference is charged to the operations, beside the mean of all batches: nothing
//! gets cheaper by being put off. Where that is more than a twentieth above the least batch, the row says so.
//!
//! `boot` measures start-up, `programs` real programs.

mod boot;
mod boot_report;
mod choose;
mod commit;
mod compare;
mod document;
mod html;
mod layout;
pub mod machine;
mod options;
mod other;
mod programs;
mod programs_list;
mod report;
mod results;
pub mod smoke;
mod wall;

use crate::artifacts;
use crate::paths::Paths;
use crate::program::Program;
use crate::say;
use anyhow::{Context, Result};
use boot::Boots;
use compare::Comparison;
use machine::{Bench, Conditions};
use options::LinuxAs;
pub use options::{Clock, Options};
use other::Other;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Measures, prints, keeps; the exit status.
pub fn run(paths: &Paths, options: &Options) -> Result<u8> {
    options.check()?;
    if options.programs {
        return run_programs(paths, options);
    }
    let known = operations(paths)?;
    if options.list {
        known.iter().for_each(|name| println!("{name}"));
        return Ok(0);
    }
    let names = choose::choose(&known, &options.names, options.growth)?;
    let other = other::find(paths, &options.vs)?;
    let stop = interruption()?;
    let (mut comparison, mut boots) = (Comparison::default(), None);
    if !options.boot {
        comparison = measure(paths, options, &other, &names, &stop)?;
    }
    if options.boot || options.document {
        let kernel = to_start(options, &other);
        boots = Some(boot::measure(paths, options.conditions(), kernel, &stop)?);
    }
    comparison.interrupted = stop.load(Ordering::Relaxed);
    if comparison.interrupted {
        say::line("interrupted: what follows is what was measured until then");
    }
    print(paths, options, &comparison, boots.as_ref())?;
    let mean = comparison.geometric_mean();
    let failed = options.fail_above.is_some_and(|most| mean.is_none_or(|mean| mean > most));
    Ok(u8::from(failed || comparison.interrupted))
}

fn print(paths: &Paths, options: &Options, comparison: &Comparison, boots: Option<&Boots>) -> Result<()> {
    if !options.boot {
        print!("{}", report::table(comparison));
    }
    if let Some(boots) = boots {
        print!("{}", boots.text());
    }
    if let Some(file) = &options.json {
        keep(file, &report::json(comparison, boots)?)?;
    }
    if let Some(file) = &options.html {
        keep(file, &html::page(comparison, boots, &document::commit(paths), &document::processor()))?;
    }
    if options.document {
        document::write(paths, comparison, boots)?;
    }
    Ok(())
}

fn keep(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Set when the user has had enough; what was measured until then is kept. The second time ends it at once.
fn interruption() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// The names of all operations, from the program itself: it is an ordinary one.
pub fn operations(paths: &Paths) -> Result<Vec<String>> {
    let program = artifacts::program(paths, machine::PROGRAM)?;
    let text = Program::new(&program.display().to_string()).arg("list").text()?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The kernel that can be run where figures alone would not do: that of the comparison, or the one that was recorded.
fn to_start(options: &Options, other: &Other) -> Option<PathBuf> {
    match other {
        Other::Kernel(kernel) => Some(kernel.clone()),
        Other::Results(_) if options.vs == "recorded" => Some(PathBuf::from("linux")),
        Other::Results(_) | Other::Nothing => None,
    }
}

fn measure(paths: &Paths, options: &Options, other: &Other, names: &[String], stop: &AtomicBool) -> Result<Comparison> {
    let conditions = options.conditions();
    if options.clock == Clock::Wall {
        return by_wall(paths, options, other, names, stop);
    }
    let mut comparison = Comparison::default();
    // What cannot be had is found out before the first minute is spent.
    let mut theirs = match other {
        Other::Kernel(kernel) => Some(Bench::new(paths, conditions, Some(kernel.clone()))?),
        Other::Results(_) | Other::Nothing => None,
    };
    comparison.ours = Bench::new(paths, conditions, None)?.measure(names, stop)?;
    comparison.theirs = match (&mut theirs, other) {
        (Some(theirs), _) => Some(theirs.measure(names, stop)?),
        (None, Other::Results(results)) => Some(results.clone()),
        (None, _) => None,
    };
    if let (LinuxAs::Both, Other::Kernel(kernel)) = (options.linux, other) {
        let shipped = Conditions { tuned: false, ..conditions };
        comparison.shipped = Some(Bench::new(paths, shipped, Some(kernel.clone()))?.measure(names, stop)?);
    }
    let whole = !stop.load(Ordering::Relaxed);
    if let Some(theirs) = comparison.theirs.as_ref().filter(|_| options.record && whole) {
        document::record(paths, theirs)?;
    }
    if (options.both || options.document) && whole {
        comparison.wall = beside(paths, options, other, &comparison, stop)?;
    }
    Ok(comparison)
}

/// By the wall, what both kernels could do when instructions were counted.
fn beside(
    paths: &Paths,
    options: &Options,
    other: &Other,
    comparison: &Comparison,
    stop: &AtomicBool,
) -> Result<Option<wall::Wall>> {
    let Some(kernel) = to_start(options, other) else { return Ok(None) };
    let names: Vec<String> =
        comparison.pairs().filter(|pair| pair.ratio().is_some()).map(|pair| pair.name.to_owned()).collect();
    let conditions = Conditions { clock: Clock::Wall, ..options.conditions() };
    let (mut ours, mut theirs) = (Bench::new(paths, conditions, None)?, Bench::new(paths, conditions, Some(kernel))?);
    wall::measure(&mut ours, Some(&mut theirs), &names, conditions.pairs, stop).map(Some)
}

fn by_wall(paths: &Paths, options: &Options, other: &Other, names: &[String], stop: &AtomicBool) -> Result<Comparison> {
    let conditions = options.conditions();
    let mut ours = Bench::new(paths, conditions, None)?;
    let mut theirs = match other {
        Other::Kernel(kernel) => Some(Bench::new(paths, conditions, Some(kernel.clone()))?),
        Other::Results(_) | Other::Nothing => None,
    };
    let wall = wall::measure(&mut ours, theirs.as_mut(), names, conditions.pairs, stop)?;
    let (ours, mut theirs) = wall.medians();
    // The recorded figures are instructions.
    if let Other::Results(results) = other
        && options.vs != "recorded"
    {
        theirs = Some(results.clone());
    }
    Ok(Comparison { clock: Clock::Wall, ours, theirs, wall: Some(wall), ..Comparison::default() })
}

/// `--macro`.
fn run_programs(paths: &Paths, options: &Options) -> Result<u8> {
    let chosen = programs::choose(&options.names)?;
    if options.list {
        chosen.iter().for_each(|program| println!("{:<24} {}", program.name, program.what));
        return Ok(0);
    }
    let other = other::find(paths, &options.vs)?;
    let (conditions, stop) = (options.conditions(), interruption()?);
    let wall = programs::measure(paths, conditions, to_start(options, &other), &chosen, &stop)?;
    let interrupted = stop.load(Ordering::Relaxed);
    if interrupted {
        say::line("interrupted: what follows is what was measured until then");
    }
    print!("{}", programs::table(&wall).text());
    let mean = programs::mean(&wall);
    if let Some(mean) = mean {
        println!("geometric mean: {mean:.3}");
    }
    if let Some(file) = &options.json {
        keep(file, &report::wall_json(&wall, mean, interrupted)?)?;
    }
    if options.document {
        let (commit, processor) = (document::commit(paths), document::processor());
        programs::document(paths, &programs::page(&wall, conditions.pairs, interrupted, &commit, &processor))?;
    }
    let failed = options.fail_above.is_some_and(|most| mean.is_none_or(|mean| mean > most));
    Ok(u8::from(failed || interrupted))
}
