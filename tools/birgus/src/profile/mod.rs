//! Where an operation's instructions go: exact, not sampled.
//!
//! QEMU runs with a plugin (`tools/trace-plugin`) that writes down every instruction between two marks, which the program in the
//! machine executes around a batch of the operation. `stack` rebuilds from calls, returns and entries who called whom, on each
//! thread's stack; `symbols` names the functions, with those that the compiler inlined as if they had been called; `tree` sums up.
//! What the machine executes for others meanwhile (interrupts, processes at the other end) is in it: it is what the operation costs.

mod flame;
mod report;
mod stack;
mod symbols;
mod trace;
mod tree;

use crate::artifacts;
use crate::bench::machine::{self, PROGRAM_PATH};
use crate::paths::Paths;
use crate::run::kernel::{Family, Kernel};
use crate::say;
use crate::test::guest::Guest;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use stack::Stacks;
use std::path::{Path, PathBuf};
use symbols::Symbols;
use tree::Profile;

/// What `birgus profile` is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// An operation of `birgus bench`
    #[arg(required_unless_present = "command", conflicts_with = "command")]
    pub operation: Option<String>,
    /// Another kernel: a file, or `linux` for Debian 12's
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,
    /// Draw a flame graph
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Functions in each list
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub top: usize,
    /// Leave out of the tree what is below this part of the whole, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub least: f64,
    /// Show functions that were inlined as parts of those that hold them
    #[arg(long)]
    pub no_inline: bool,
    /// Seconds that it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 240)]
    pub patience: u64,
    /// A command
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// Runs, folds, prints.
pub fn run(paths: &Paths, options: &Options) -> Result<u8> {
    let scratch = Scratch(paths.target.join(format!("profile.{}", std::process::id())));
    let (recorded, mut symbols) = record(paths, options, &scratch.0)?;
    let _step = say::step("folding");
    let mut stacks = Stacks::default();
    trace::read(&scratch.0, |step| stacks.step(step))?;
    let profile = Profile::new(&stacks.finish(), &mut symbols, recorded.count);
    ensure!(profile.total() > 0, "nothing was recorded between the marks");
    drop(_step);
    print!("{}", report::text(&recorded, &profile, options.top, options.least));
    if let Some(file) = &options.svg {
        let title = format!("{}: {:.0} instructions", recorded.name, profile.each(profile.total()));
        std::fs::write(file, flame::draw(&profile, &title))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(0)
}

/// What ran between the marks.
pub struct Recorded {
    pub name: String,
    /// Operations.
    pub count: u64,
    /// Nanoseconds by the guest's clock, where the program says.
    pub elapsed: Option<u64>,
}

fn record(paths: &Paths, options: &Options, trace: &Path) -> Result<(Recorded, Symbols)> {
    let plugin = artifacts::plugin(paths)?;
    let mut request = machine::request(options.kernel.clone());
    request.qemu = Some(format!("-plugin {},out={}", plugin.display(), trace.display()));
    let kernel = Kernel::find(paths, &request)?;
    if kernel.family == Family::Linux {
        request.append = Some(machine::TUNED.to_owned());
    }
    let _step = say::step("recording");
    let mut guest = machine::start(paths, &request, &kernel)?;
    let symbols = match (&kernel.symbols, kernel.family) {
        (Some(file), _) => Symbols::of_file(file, !options.no_inline)?,
        (None, Family::Linux) => Symbols::of_list(&ask(&mut guest, &["cat", "/proc/kallsyms"], options.patience)?),
        (None, Family::Birgus) => bail!("{} has no symbols beside it", kernel.image.display()),
    };
    let recorded = match &options.operation {
        Some(name) => operation(&mut guest, name, options.patience)?,
        None => command(&mut guest, &options.command, options.patience)?,
    };
    Ok((recorded, symbols))
}

fn operation(guest: &mut Guest, name: &str, patience: u64) -> Result<Recorded> {
    let said = ask(guest, &[PROGRAM_PATH, "profile", name], patience)?;
    let mut words = said.split_whitespace().map(str::parse);
    match (words.next(), words.next()) {
        (Some(Ok(count)), Some(Ok(elapsed))) => Ok(Recorded { name: name.to_owned(), count, elapsed: Some(elapsed) }),
        _ => bail!("{name}: {}", said.trim()),
    }
}

fn command(guest: &mut Guest, words: &[String], patience: u64) -> Result<Recorded> {
    let marked: Vec<&str> = [PROGRAM_PATH, "mark"].into_iter().chain(words.iter().map(String::as_str)).collect();
    let said = ask(guest, &marked, patience)?;
    eprint!("{said}");
    Ok(Recorded { name: words.join(" "), count: 1, elapsed: None })
}

fn ask(guest: &mut Guest, words: &[&str], patience: u64) -> Result<String> {
    let command: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    match guest.run(&command, "", patience)? {
        Ok(answer) => Ok(String::from_utf8_lossy(&[answer.stdout, answer.stderr].concat()).into_owned()),
        Err(loss) => bail!("{}", loss.headline()),
    }
}

/// A file that is gone when this is.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
