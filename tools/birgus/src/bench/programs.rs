//! Real programs of the Debian root on both kernels, by the clock on the wall.
//!
//! Each is three lines for the shell: what is got ready, what is timed, what is cleared away. Time is taken on the host, from the command to
//! its status, so that no kernel's clock has a say; all that a program prints goes to nobody. A program that fails on a kernel is not
//! timed again, and the report says with what words it failed.

use super::layout::Table;
use super::machine::{self, Conditions, TUNED};
use super::programs_list::{PROGRAMS, Program};
use super::report;
use super::results::{Cost, Outcome};
use super::wall::{Row, Wall};
use crate::apt::{Apt, SUITE};
use crate::image::root::Root;
use crate::paths::{Paths, replace_file};
use crate::run::kernel::{Family, Kernel};
use crate::run::options::Request;
use crate::run::{Plan, clock};
use crate::say;
use crate::test::guest::Guest;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Packages that hold the programs.
const PACKAGES: [&str; 6] = ["gcc", "libc6-dev", "linux-perf", "make", "python3", "stress-ng"];
/// MiB: Linux holds the archive beside the files.
const MEMORY: u64 = 3072;
/// Seconds for what is not timed.
const PREPARATION: u64 = 300;
/// The C package that is made, and its sources' name in the machine.
const PACKAGE: &str = "figlet";
const SOURCES: &str = "sources.tar";

/// The programs of these names; all of them for none.
pub fn choose(names: &[String]) -> Result<Vec<&'static Program>> {
    let known: Vec<String> = PROGRAMS.iter().map(|program| program.name.to_owned()).collect();
    let chosen = super::choose::choose(&known, names, false)?;
    Ok(PROGRAMS.iter().filter(|program| chosen.iter().any(|name| name == program.name)).collect())
}

/// Runs them in pairs until `stop`.
pub fn measure(
    paths: &Paths,
    conditions: Conditions,
    other: Option<PathBuf>,
    programs: &[&'static Program],
    stop: &AtomicBool,
) -> Result<Wall> {
    let sources = sources(paths)?;
    let mut ours = Host::new(paths, conditions, None, &sources)?;
    let mut theirs = other.map(|other| Host::new(paths, conditions, Some(other), &sources)).transpose()?;
    let there = theirs.as_mut().map(Host::about).transpose()?;
    let row = |program: &&Program| Row { name: program.name.to_owned(), ..Row::default() };
    let mut wall = Wall { here: ours.about()?, there, rows: programs.iter().map(row).collect() };
    for round in 0..conditions.pairs {
        for (index, (row, program)) in wall.rows.iter_mut().zip(programs).enumerate() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let _step = say::step(format!("pair {} of {}: {}", round + 1, conditions.pairs, program.name));
            one_pair(row, program, &mut ours, theirs.as_mut(), (round + index) % 2 == 1)?;
        }
        ours.guest = None;
        theirs.iter_mut().for_each(|host| host.guest = None);
    }
    wall.rows.retain(|row| !row.here.is_empty() || !row.there.is_empty());
    Ok(wall)
}

/// One run on each kernel; what failed before is left out.
fn one_pair<'a>(
    row: &mut Row,
    program: &Program,
    ours: &mut Host<'a>,
    theirs: Option<&mut Host<'a>>,
    swapped: bool,
) -> Result<()> {
    let failed = row.here.iter().chain(&row.there).any(|outcome| outcome.figure().is_none());
    if failed {
        return Ok(());
    }
    let mut sides = vec![(ours, &mut row.here)];
    sides.extend(theirs.map(|theirs| (theirs, &mut row.there)));
    if swapped {
        sides.reverse();
    }
    for (host, outcomes) in sides {
        outcomes.push(host.time(program)?);
    }
    Ok(())
}

/// The sources of the C package, as a tar archive in the cache.
fn sources(paths: &Paths) -> Result<PathBuf> {
    let file = paths.cache_folder("sources")?.join(format!("{PACKAGE}.tar"));
    if !file.exists() {
        let apt = Apt::of_sources(paths, SUITE)?;
        replace_file(&file, |part| apt.source(PACKAGE, part))?;
    }
    Ok(file)
}

/// A kernel with the Debian root.
struct Host<'a> {
    paths: &'a Paths,
    kernel: Kernel,
    request: Request,
    files: Vec<(String, PathBuf)>,
    patience: u64,
    guest: Option<Guest>,
}

impl<'a> Host<'a> {
    fn new(paths: &'a Paths, conditions: Conditions, kernel: Option<PathBuf>, sources: &Path) -> Result<Self> {
        let packages = PACKAGES.map(str::to_owned).to_vec();
        let mut request = Request {
            root: Root::Debian(packages),
            memory: Some(MEMORY),
            smp: conditions.smp,
            icount: false,
            ..machine::request(kernel)
        };
        let kernel = machine::find(paths, &request)?;
        if kernel.family == Family::Linux && conditions.tuned {
            request.append = Some(TUNED.to_owned());
        }
        let files = vec![(SOURCES.to_owned(), sources.to_owned())];
        Ok(Self { paths, kernel, request, files, patience: conditions.patience, guest: None })
    }

    fn about(&mut self) -> Result<String> {
        let version = match self.shell("uname -srvm", PREPARATION)? {
            Ok(said) => said,
            Err(why) => bail!("{} does not get as far as its first command: {why}", self.kernel.image.display()),
        };
        let append = self.request.append.as_deref().unwrap_or_default();
        Ok(format!(
            "{:?}: {} on q35, {MEMORY} MiB, {} processor(s), tcg thread=multi, {append}",
            self.kernel.family,
            version.trim(),
            self.request.smp
        ))
    }

    /// Seconds, as nanoseconds.
    fn time(&mut self, program: &Program) -> Result<Outcome> {
        if let Err(why) = self.shell(program.prepare, PREPARATION)? {
            return Ok(Outcome::Failed(format!("while it was got ready: {why}")));
        }
        let start = Instant::now();
        let done = self.shell(program.run, self.patience)?;
        let taken = start.elapsed().as_nanos() as f64;
        if done.is_ok() {
            // Its own failure shows in the next preparation.
            let _ = self.shell(program.clear, PREPARATION)?;
        }
        Ok(match done {
            Ok(_) => Outcome::Cost(Cost { least: taken, mean: taken, charged: None }),
            Err(why) => Outcome::Failed(why),
        })
    }

    /// What a line for the shell says, or how it failed.
    fn shell(&mut self, line: &str, patience: u64) -> Result<std::result::Result<String, String>> {
        let guest = match &mut self.guest {
            Some(guest) => guest,
            None => {
                let clock = clock::Measurement::start();
                let plan = Plan::of_kernel(self.paths, &self.request, self.kernel.clone(), clock, &self.files)?;
                self.guest.insert(Guest::start(&self.request, &plan)?)
            }
        };
        let command = ["sh", "-ec", line].map(str::to_owned);
        match guest.run(&command, "", patience)? {
            Ok(answer) if answer.status == 0 => Ok(Ok(String::from_utf8_lossy(&answer.stdout).into_owned())),
            Ok(answer) => Ok(Err(last_words(answer.status, &answer.stdout, &answer.stderr))),
            Err(loss) => {
                self.guest = None;
                Ok(Err(loss.headline()))
            }
        }
    }
}

/// How a program explains that it failed.
fn last_words(status: u8, stdout: &[u8], stderr: &[u8]) -> String {
    let text = [stdout, stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let line = text.iter().rev().flat_map(|text| text.lines().rev()).map(str::trim).find(|line| !line.is_empty());
    format!("status {status}: {}", line.unwrap_or("no word"))
}

/// The comparison.
pub fn table(wall: &Wall) -> Table {
    let mut table = Table::new("Programs", &["program", "here, s", "there, s", "ratio", "spread", ""]);
    let (ours, theirs) = wall.medians();
    for row in &wall.rows {
        let figure = |outcome: Option<&Outcome>| match outcome {
            Some(Outcome::Cost(cost)) => format!("{:.2}", cost.least / 1e9),
            Some(_) => "failed".to_owned(),
            None => "-".to_owned(),
        };
        let (here, there) = (ours.get(&row.name), theirs.as_ref().and_then(|theirs| theirs.get(&row.name)));
        let mut cells = vec![row.name.clone(), figure(here), figure(there)];
        match row.ratio() {
            Some(spread) => cells.extend([format!("{:.2}", spread.middle), report::range(spread)]),
            None => cells.extend([String::new(), String::new()]),
        }
        cells.push(remarks(here, there));
        table.rows.push(cells);
    }
    table
}

fn remarks(here: Option<&Outcome>, there: Option<&Outcome>) -> String {
    let failure = |side: &str, outcome: Option<&Outcome>| match outcome {
        Some(Outcome::Failed(why)) => Some(format!("{side}: {}", why.replace('|', "/"))),
        _ => None,
    };
    [failure("here", here), failure("there", there)].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// The geometric mean of the ratios.
pub fn mean(wall: &Wall) -> Option<f64> {
    super::compare::mean(wall.rows.iter().filter_map(|row| Some(row.ratio()?.middle)))
}

/// docs/programs.md.
pub fn page(wall: &Wall, pairs: usize, interrupted: bool, commit: &str, processor: &str) -> String {
    let there = wall.there.as_ref().map(|about| format!("- there: {about}\n")).unwrap_or_default();
    let interrupted = if interrupted { "**Interrupted: not all was measured.**\n\n" } else { "" };
    let what: String = PROGRAMS.iter().map(|program| format!("- `{}`: {}\n", program.name, program.what)).collect();
    let mean = mean(wall).map_or_else(String::new, |mean| format!("\nGeometric mean of the ratios: {mean:.3}\n"));
    format!(
        "# What programs take\n\nWritten by `birgus bench --macro --document`; do not edit.\n\nCommit {commit}. Host: {processor}.\n\n\
         - here: {}\n{there}\nSeconds by the clock on the wall, the middle of {pairs} runs on each kernel in turn; the ratio is the middle of \
         the pairs', the spread that of their middle half.\n\n{interrupted}{}{mean}\n{what}",
        wall.here,
        table(wall).markdown()
    )
}

/// Writes it.
pub fn document(paths: &Paths, text: &str) -> Result<()> {
    std::fs::write(paths.source.join("docs/programs.md"), text).context("cannot write the page")
}

#[cfg(test)]
mod tests {
    use super::{PROGRAMS, choose, last_words, mean, page};
    use crate::bench::results::Results;
    use crate::bench::wall::{Row, Wall};

    #[test]
    fn names_are_chosen_and_suggested() {
        assert_eq!(choose(&[]).unwrap().len(), PROGRAMS.len());
        let name = PROGRAMS[0].name;
        assert_eq!(choose(&[name.to_owned()]).unwrap()[0].name, name);
        let said = choose(&[format!("{name}x")]).unwrap_err().to_string();
        assert!(said.contains(name), "{said}");
    }

    #[test]
    fn failures_keep_their_last_words() {
        assert_eq!(last_words(3, b"out\n", b"first\nsocketpair: not there\n\n"), "status 3: socketpair: not there");
        assert_eq!(last_words(1, b"only out\n", b""), "status 1: only out");
        assert_eq!(last_words(1, b"", b""), "status 1: no word");
    }

    #[test]
    fn the_page() {
        let outcome = |line: &str| Results::parse(line).rows.remove(0).1;
        let (second, two) = (outcome("a 1e9 1e9\n"), outcome("a 2e9 2e9\n"));
        let row = |name: &str, here| Row { name: name.into(), here: vec![here], there: vec![two.clone()] };
        let rows = vec![row("sort", second), row("perf", outcome("a crashed status 1: socketpair | no\n"))];
        let wall = Wall { here: "us".into(), there: Some("them".into()), rows };
        assert_eq!(mean(&wall), Some(0.5));
        let text = page(&wall, 3, true, "abc", "a processor");
        assert!(text.contains("| sort | 1.00 | 2.00 | 0.50 | 0.50–0.50 |  |\n"), "{text}");
        assert!(text.contains("| perf | failed | 2.00 |  |  | here: status 1: socketpair / no |\n"), "{text}");
        assert!(text.contains("**Interrupted") && text.contains("Commit abc"));
    }
}
