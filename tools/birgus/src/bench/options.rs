//! What `birgus bench` is asked for.

use super::machine::Conditions;
use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Clock {
    /// Instructions, by QEMU's counter; one processor
    Instructions,
    /// Nanoseconds; both kernels in turn, the middle of the pairs
    Wall,
}

/// Which Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LinuxAs {
    /// Without what Birgus does not do either
    Tuned,
    /// As Debian ships it
    Default,
    /// Both, in columns of their own
    Both,
}

/// What `birgus bench` is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// Operations, as --list names them [default: all but those that grow]
    pub names: Vec<String>,
    /// What is counted
    #[arg(long, value_enum, default_value = "instructions")]
    pub clock: Clock,
    /// With what to compare: `recorded` figures of Debian's Linux, `linux` itself, `none`, a kernel's file, a commit of this
    /// repository (built if need be), or results kept by --json
    #[arg(long, value_name = "WHAT", default_value = "recorded")]
    pub vs: String,
    /// Which Linux
    #[arg(long, value_enum, default_value = "tuned")]
    pub linux: LinuxAs,
    /// Also the operations that grow
    #[arg(long)]
    pub growth: bool,
    /// Instructions, and beside them pairs by the clock on the wall; with --vs recorded those are run on Debian's Linux
    #[arg(long)]
    pub both: bool,
    /// Start-up in place of operations: instructions and time by phase, memory by owner
    #[arg(long, conflicts_with_all = ["programs", "fail_above", "document"])]
    pub boot: bool,
    /// Real programs of the Debian root in place of operations, by the clock on the wall
    #[arg(long = "macro", id = "programs")]
    pub programs: bool,
    /// Processors, for the clock on the wall
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=255))]
    pub smp: u16,
    /// Runs on each kernel, for the clock on the wall
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub pairs: u16,
    /// Seconds that an operation may take [default: 60; for a program 300]
    #[arg(long, value_name = "SECONDS")]
    pub patience: Option<u64>,
    /// Keep the results in this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the comparison as a page that stands alone
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Status 1 if the geometric mean of the ratios is above this
    #[arg(long, value_name = "RATIO")]
    pub fail_above: Option<f64>,
    /// Write the report to docs/benchmarks.md, with pairs by the wall and start-up; with --macro, to docs/programs.md
    #[arg(long)]
    pub document: bool,
    /// Keep Linux's figures as the recorded ones (with --vs linux)
    #[arg(long, hide = true)]
    pub record: bool,
    /// Print the names of all operations (with --macro, of all programs)
    #[arg(long)]
    pub list: bool,
}

impl Options {
    /// What does not go together.
    pub fn check(&self) -> Result<()> {
        let counted = self.clock == Clock::Instructions;
        ensure!(
            !self.record || self.vs == "linux" && counted && self.linux != LinuxAs::Default,
            "--record keeps what --vs linux counts in instructions"
        );
        ensure!(
            self.linux != LinuxAs::Both || self.vs == "linux" && counted,
            "--linux both goes with --vs linux, in instructions"
        );
        ensure!(!self.both || counted && self.vs != "none", "--both compares in instructions, and by the wall beside");
        ensure!(!self.boot || self.names.is_empty(), "--boot measures start-up, not operations");
        ensure!(self.html.is_none() || !self.programs, "--html draws operations and start-up; --macro has none");
        Ok(())
    }

    /// How to measure.
    pub fn conditions(&self) -> Conditions {
        let patience = self.patience.unwrap_or(if self.programs { 300 } else { 60 });
        Conditions {
            clock: self.clock,
            smp: self.smp,
            patience,
            pairs: self.pairs.into(),
            tuned: self.linux != LinuxAs::Default,
        }
    }
}
