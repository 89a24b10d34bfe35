//! The stages, in the order in which they run.

use super::{Context, Tally, confinement, edges, pool};
use crate::artifacts::{self, Profile};
use crate::bench::smoke;
use crate::paths::Paths;
use crate::program::{Program, tail};
use crate::target;
use anyhow::{Context as _, Result};
use std::path::Path;

/// One line of the test run.
pub struct Stage {
    pub name: &'static str,
    pub what: &'static str,
    pub run: fn(&Context<'_>) -> Result<Tally>,
}

/// Each cheaper than the next, so that a mistake shows early.
pub const STAGES: [Stage; 11] = [
    Stage { name: "format", what: "cargo fmt changes nothing", run: format },
    Stage { name: "edges", what: "crates name only what tools/edges.toml allows", run: edges::check },
    Stage { name: "unsafe", what: "unsafe code only in machine/ and sync/", run: confinement::check },
    Stage { name: "clippy-host", what: "clippy for the host, warnings denied", run: clippy_host },
    Stage { name: "clippy-kernel", what: "clippy for the kernel's target, warnings denied", run: clippy_kernel },
    Stage { name: "host", what: "tests that run on the host", run: host_tests },
    Stage { name: "build", what: "the kernel and init", run: build },
    Stage {
        name: "bench",
        what: "two operations and a start-up, counted",
        run: |context| Ok(Tally::of_faults(&smoke::faults(context.paths)?)),
    },
    Stage { name: "boot", what: "the boot matrix (tests/boot)", run: pool::boot },
    Stage { name: "guest", what: "tests inside the machine (tests/guest)", run: pool::guest },
    Stage {
        name: "debug",
        what: "tests/guest/calls on the debug kernel: lock order, overflow, assertions",
        run: pool::debug,
    },
];

/// Whether the kernel is more than a placeholder: until then the stages that need it have nothing to do.
pub fn kernel_exists(paths: &Paths) -> bool {
    let main = std::fs::read_to_string(paths.source.join("kernel/src/main.rs")).unwrap_or_default();
    main.contains("no_main")
}

fn program(paths: &Paths, arguments: &[&str]) -> Program {
    Program::new("cargo").args(arguments).folder(&paths.source).variable("CARGO_TARGET_DIR", &paths.target)
}

fn cargo(paths: &Paths, arguments: &[&str]) -> Result<Tally> {
    let output = program(paths, arguments).output()?;
    if output.status.success() {
        return Ok(Tally::PASSED);
    }
    let said = [output.stdout, output.stderr].concat();
    println!("    {}", tail(&said, 80).replace('\n', "\n    "));
    Ok(Tally::FAILED)
}

/// The experiments' files are named by a build script, so that rustfmt does not find them by itself.
fn format(context: &Context<'_>) -> Result<Tally> {
    let folder = context.paths.source.join("user/prove/src/experiments");
    let files = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let files: Vec<String> = files.flatten().map(|file| file.path().display().to_string()).collect();
    let mut arguments = vec!["fmt", "--all", "--check", "--", "-l", "--color=never"];
    arguments.extend(files.iter().map(String::as_str));
    cargo(context.paths, &arguments)
}

fn clippy_host(context: &Context<'_>) -> Result<Tally> {
    let arguments = ["clippy", "--quiet", "--workspace", "--exclude=kernel", "--all-targets", "--", "-Dwarnings"];
    cargo(context.paths, &arguments)
}

fn clippy_kernel(context: &Context<'_>) -> Result<Tally> {
    target::provide(context.paths)?;
    let mut arguments = vec!["clippy", "--quiet", "--target", target::NAME];
    let crates = edges::kernel_crates(context.paths)?;
    for name in crates.iter().filter(|name| *name != "kernel" || kernel_exists(context.paths)) {
        arguments.extend(["--package", name]);
    }
    arguments.extend(["--", "-Dwarnings"]);
    cargo(context.paths, &arguments)
}

/// Under nextest where it is installed; the sums are read from what either says.
fn host_tests(context: &Context<'_>) -> Result<Tally> {
    let nextest =
        program(context.paths, &["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    let arguments: &[&str] = if nextest {
        &[
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "--status-level=fail",
            "--final-status-level=fail",
            "--color=never",
        ]
    } else {
        &["test", "--quiet", "--workspace", "--no-fail-fast", "--color=never"]
    };
    let output = program(context.paths, arguments).output()?;
    let said = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&said);
    let mut tally = Tally { passed: sum(&text, " passed"), failed: sum(&text, " failed") };
    if !output.status.success() {
        println!("    {}", tail(&said, 120).replace('\n', "\n    "));
        tally.failed = tally.failed.max(1);
    }
    println!("    {} passed, {} failed", tally.passed, tally.failed);
    Ok(tally)
}

/// The sum of the numbers before a word in the lines that sum up: `test result: ok. 5 passed; 0 failed`, `Summary … 5 passed`.
fn sum(text: &str, word: &str) -> usize {
    let lines = text.lines().filter(|line| line.contains("test result:") || line.contains("Summary"));
    let number = |line: &str| {
        line.split(word).next()?.rsplit(|letter: char| !letter.is_ascii_digit()).next()?.parse::<usize>().ok()
    };
    lines.filter(|line| line.contains(word)).filter_map(number).sum::<usize>()
}

fn build(context: &Context<'_>) -> Result<Tally> {
    artifacts::init(context.paths)?;
    if !kernel_exists(context.paths) {
        println!("    the kernel is not there yet");
        return Ok(Tally::PASSED);
    }
    let built = artifacts::kernel(context.paths, Profile::Release)?;
    println!("    image: {} KiB in its loaded segments", loaded(&built.image)? / 1024);
    Ok(Tally::PASSED)
}

/// The sum of the file sizes of the segments that a loader reads.
fn loaded(image: &Path) -> Result<u64> {
    use object::{Object, ObjectSegment};
    let bytes = std::fs::read(image)?;
    Ok(object::File::parse(&*bytes)?.segments().map(|segment| segment.file_range().1).sum())
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn sums_are_read_from_both_runners() {
        let cargo = "test result: ok. 5 passed; 0 failed; 0 ignored\nrunning 2 tests\ntest result: FAILED. 1 passed; 2 failed;\n";
        assert_eq!((sum(cargo, " passed"), sum(cargo, " failed")), (6, 2));
        let nextest = "     Summary [   0.1s] 12 tests run: 11 passed, 1 failed, 0 skipped\n";
        assert_eq!((sum(nextest, " passed"), sum(nextest, " failed")), (11, 1));
    }
}
